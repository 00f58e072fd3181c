"""The evaluator of recurrent cells: shared weights learn, and what a reward and a score count."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from enas_tf.data.text import TextData, Vocabulary
from enas_tf.data.text_batches import evaluation_windows, in_rows
from enas_tf.errors import InputError
from enas_tf.models.language import LanguageConfig, TextShape
from enas_tf.models.recurrent_supernet import RecurrentSupernet
from enas_tf.search.evaluators.language import LanguageEvaluator, RewardConfig
from enas_tf.search.searchers.reinforce import RandomSearcher
from enas_tf.spaces.recurrent import RecurrentSpace
from enas_tf.tasks.language import WindowConfig
from enas_tf.training.optimizers import SgdConfig

SPACE = RecurrentSpace(nodes=3)
VOCABULARY = Vocabulary(("<unk>", "<eos>", "a", "b", "c", "d"))
PATTERN = np.tile(np.array([2, 3, 2, 4, 5, 1], np.int32), 40)
NOISE = np.random.default_rng(0).integers(0, 6, 111, dtype=np.int32)
BATCH, BPTT, SEED, SCALE = 4, 8, 5, 12.0
SGD = SgdConfig(learning_rate=2.0, restart_epochs=0, momentum=0.0, l2=0.0, clip_norm=1.0)
TOKENS = SPACE.random_tokens(3, np.random.default_rng(3))


def make_evaluator(space=SPACE, drop=0.0, seed=SEED, sgd=SGD, batch_size=BATCH):
    keras.utils.set_random_seed(0)
    network, text = LanguageConfig(8, *[drop] * 5, init_scale=0.5), TextShape(len(VOCABULARY))
    supernet = RecurrentSupernet(space, network, text)
    data = TextData("pattern", VOCABULARY, PATTERN, NOISE, NOISE)
    return LanguageEvaluator(supernet, data, batch_size, sgd, WindowConfig(bptt=BPTT), RewardConfig(SCALE), seed)


@pytest.fixture(scope="module")
def evaluator() -> LanguageEvaluator:
    """Its weights stay as they are."""
    return make_evaluator()


def cross_entropy(evaluator, ids, targets, tokens):
    """Nats per token of a window that is read from a state of zeros."""
    reading, _ = evaluator.supernet(tf.constant(ids), tf.zeros([len(ids), 8]), tf.constant(tokens))
    logits = evaluator.supernet.logits(reading.states).numpy().astype(np.float64)
    chosen = np.take_along_axis(logits, targets[..., None], axis=2)[..., 0]
    return float(np.mean(np.log(np.sum(np.exp(logits), axis=2)) - chosen))


def test_training_lowers_the_loss_of_every_cell():
    """Each window sees a cell of its own, and dropout. Two traces serve all, one of them the first length."""
    evaluator, searcher = make_evaluator(drop=0.05), RandomSearcher(SPACE)
    rows = in_rows(PATTERN, BATCH)
    before = [cross_entropy(evaluator, rows[:, :-1], rows[:, 1:], tokens) for tokens in TOKENS]
    means = [evaluator.prepare(searcher, epoch) for epoch in range(12)]
    after = [cross_entropy(evaluator, rows[:, :-1], rows[:, 1:], tokens) for tokens in TOKENS]
    assert means[-1]["loss"] < 0.75 * means[0]["loss"]
    assert (np.array(after) < 0.75 * np.array(before)).all(), (before, after)
    for metrics in means:
        assert metrics["perplexity"] == pytest.approx(np.exp(metrics["loss"]))
        assert np.isfinite(list(metrics.values())).all()
    assert evaluator._train_step.experimental_get_tracing_count() <= 2


def test_an_epoch_is_one_pass_with_a_cell_for_every_window(evaluator, monkeypatch):
    steps, advanced = [], []
    monkeypatch.setattr(evaluator, "_train_step", lambda *step: steps.append([tensor.numpy() for tensor in step]))
    evaluator.prepare(RandomSearcher(SPACE), 0, advance=advanced.append)
    ids, targets, tokens, seeds = zip(*steps, strict=True)
    rows = in_rows(PATTERN, BATCH)
    np.testing.assert_array_equal(np.concatenate(ids, axis=1), rows[:, :-1])
    np.testing.assert_array_equal(np.concatenate(targets, axis=1), rows[:, 1:])
    assert sum(advanced) == len(steps)
    assert len({proposal.tobytes() for proposal in tokens}) > 1
    assert len({seed.tobytes() for seed in seeds}) == len(steps), "dropout should differ between windows"
    assert len({window.shape for window in ids}) > 1, "lengths should differ between windows"


def test_the_state_is_carried_over_an_epoch():
    """With weights that stay: the last state is that of the text read at once, from zeros in every epoch."""
    space = RecurrentSpace(nodes=1, activations=("tanh",))
    evaluator = make_evaluator(space, sgd=SgdConfig(1e-12, 0.0, restart_epochs=0, momentum=0.0, l2=0.0))
    rows, tokens = in_rows(PATTERN, BATCH), tf.constant([0])
    reading, _ = evaluator.supernet(tf.constant(rows[:, :-1]), tf.zeros([BATCH, 8]), tokens)
    for epoch in range(2):
        evaluator.prepare(RandomSearcher(space), epoch)
        np.testing.assert_allclose(evaluator._state, reading.last, atol=1e-5)
    short, _ = evaluator.supernet(tf.constant(rows[:, -4:-1]), tf.zeros([BATCH, 8]), tokens)
    assert float(tf.reduce_max(tf.abs(short.last - reading.last))) > 1e-3, "the text before should matter"


def test_only_the_chosen_cell_learns():
    """A step moves the embedding and the rows of its cell, and no other row."""
    evaluator = make_evaluator()
    supernet, tokens = evaluator.supernet, np.array([1, 0, 2, 1, 3], np.int32)
    watched = (supernet.inputs, supernet.edges, supernet.embedding)
    before = [variable.numpy() for variable in watched]
    rows = in_rows(PATTERN, BATCH)
    evaluator._train_step(tf.constant(rows[:, :7]), tf.constant(rows[:, 1:8]), tf.constant(tokens), tf.constant([0, 1]))
    differences = [np.abs(variable.numpy() - old) for variable, old in zip(watched, before, strict=True)]
    inputs, edges = (np.flatnonzero(difference.max(axis=(1, 2))) for difference in differences[:2])
    assert list(inputs) == [1]
    assert list(edges) == [supernet.row(0, None, 1), supernet.row(1, 0, 2), supernet.row(2, 1, 3)]
    assert differences[2].max() > 0


def test_each_reward_is_that_of_a_window_of_its_own(evaluator):
    """The scale divided by its perplexity, from a state of zeros; over again when all windows are used up."""
    windows = list(evaluation_windows(in_rows(NOISE, BATCH), BPTT))
    num = len(windows) + 2
    tokens = SPACE.random_tokens(num, np.random.default_rng(4))
    evaluator.start(0)
    rewards = evaluator.evaluate(tf.constant(tokens))
    used = [windows[number % len(windows)] for number in range(num)]
    expected = [
        SCALE / np.exp(cross_entropy(evaluator, *window, proposal))
        for window, proposal in zip(used, tokens, strict=True)
    ]
    np.testing.assert_allclose(rewards, expected, rtol=1e-4)
    assert np.ptp(rewards) > 1e-2, "windows and cells should differ, or there is nothing to see"


def test_rewards_go_on_where_an_unbroken_run_stands(evaluator):
    """In two calls, or resumed before the third epoch of four rewards: always the next window."""
    tokens = tf.constant(np.repeat(TOKENS[:1], 12, axis=0))
    evaluator.start(0)
    unbroken = evaluator.evaluate(tokens).numpy()
    assert len(set(unbroken[:3])) == 3, "windows should differ, or there is nothing to see"
    evaluator.start(0)
    in_parts = [evaluator.evaluate(part).numpy() for part in (tokens[:5], tokens[5:])]
    np.testing.assert_array_equal(np.concatenate(in_parts), unbroken)
    evaluator.start(2, first_reward=8)
    np.testing.assert_array_equal(evaluator.evaluate(tokens[8:]), unbroken[8:])


def test_a_reward_does_not_depend_on_the_one_before(evaluator):
    rewards = []
    for first in TOKENS[:2]:
        evaluator.start(0)
        rewards.append(evaluator.evaluate(tf.constant(np.stack([first, TOKENS[2]]))).numpy())
    assert rewards[0][0] != rewards[1][0]
    assert rewards[0][1] == rewards[1][1]


def test_a_score_is_the_perplexity_of_the_whole_validation_part(evaluator):
    """With the state carried: as if it were one window. Of some windows, as if the text ended there."""
    rows = in_rows(NOISE, BATCH)
    for tokens in TOKENS:
        for num_batches, columns in ((0, rows.shape[1] - 1), (1, BPTT), (2, 2 * BPTT)):
            expected = np.exp(cross_entropy(evaluator, rows[:, :columns], rows[:, 1 : columns + 1], tokens))
            assert evaluator.score(tokens, num_batches) == pytest.approx(expected, rel=1e-4)
    assert evaluator.read.experimental_get_tracing_count() == 1, "one trace should read any window with any cell"
    assert (evaluator.metric, evaluator.is_higher_better) == ("valid_perplexity", False)


def test_a_score_and_a_reward_have_no_dropout():
    dropped, plain = make_evaluator(drop=0.5), make_evaluator()
    assert dropped.score(TOKENS[0]) == plain.score(TOKENS[0])
    for evaluator in (dropped, plain):
        evaluator.start(0)
    np.testing.assert_array_equal(dropped.evaluate(tf.constant(TOKENS)), plain.evaluate(tf.constant(TOKENS)))


def weights_of(evaluator):
    return [variable.numpy() for variable in evaluator.supernet.trainable_variables]


def assign(evaluator, weights):
    for variable, weight in zip(evaluator.supernet.trainable_variables, weights, strict=True):
        variable.assign(weight)


def test_training_is_a_function_of_weights_seed_and_epoch():
    """To the last bit, with dropout, and of nothing that was run before: a resumed search has no more than these."""
    evaluator, searcher = make_evaluator(drop=0.3), RandomSearcher(SPACE)
    weights = [weights_of(evaluator)]
    for epoch in range(2):
        evaluator.prepare(searcher, epoch)
        weights.append(weights_of(evaluator))
    other = make_evaluator(drop=0.3)
    for epoch in (1, 0):
        assign(other, weights[epoch])
        other.prepare(searcher, epoch)
        for mine, its in zip(weights_of(other), weights[epoch + 1], strict=True):
            np.testing.assert_array_equal(mine, its)
    assign(other, weights[0])
    other.seed = SEED + 1
    other.prepare(searcher, 0)
    for mine, its in zip(weights_of(other), weights[1], strict=True):
        assert not np.array_equal(mine, its)


@pytest.mark.parametrize(("batch_size", "part"), [(200, "training"), (60, "validation")])
def test_too_short_a_text_for_a_batch(batch_size, part):
    with pytest.raises(InputError, match=rf"{part} part .*--batch_size={batch_size} "):
        make_evaluator(batch_size=batch_size)


def test_a_reward_has_a_scale():
    with pytest.raises(InputError, match="--reward_scale=0"):
        RewardConfig(reward_scale=0.0)
