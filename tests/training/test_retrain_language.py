"""Training a language model: it learns, goes on after a stop, averages when it should, and recovers from NaN."""

import json
import os
import re
import signal

import keras
import numpy as np
import pytest
import tensorflow as tf

from enas_tf.data.text import TextData, Vocabulary
from enas_tf.data.text_batches import in_rows
from enas_tf.errors import InputError
from enas_tf.models.language import LanguageConfig, TextShape
from enas_tf.models.recurrent_child import build_recurrent_child
from enas_tf.models.recurrent_training import RecurrentTrainee
from enas_tf.runtime.checkpoints import Checkpoints
from enas_tf.runtime.reporting import Reporter
from enas_tf.runtime.signals import Interrupted, handled_signals
from enas_tf.spaces.recurrent import LstmBaseline, RecurrentArchitecture
from enas_tf.tasks.language import WindowConfig, compile_reader, mean_cross_entropy, measure_text
from enas_tf.training.optimizers import SgdConfig
from enas_tf.training.retrain_language import AveragingConfig, LanguageTrainer

CELL = RecurrentArchitecture.from_arc("0 0 1")
VOCABULARY = Vocabulary(("<unk>", "<eos>", "a", "b", "c", "d"))
#: Every token but "a" tells the next one; after "a" it takes memory.
PATTERN = np.tile(np.array([2, 3, 2, 4, 5, 1], np.int32), 50)
# Not the pattern: the better a child knows that, the worse it does here.
NOISE = np.random.default_rng(0).integers(0, 6, 80, dtype=np.int32)
SGD = SgdConfig(learning_rate=3.0, restart_epochs=0, momentum=0.0, l2=0.0, clip_norm=1.0)
WINDOW = WindowConfig(bptt=8, random_bptt=False)
BATCH, SEED = 4, 3
LAST = 10**9


def make_trainer(epochs, valid=NOISE, patience=LAST, sgd=SGD, window=WINDOW, drop=0.0, architecture=CELL):
    keras.utils.set_random_seed(0)
    config, text = LanguageConfig(8, *[drop] * 5, init_scale=0.3), TextShape(len(VOCABULARY))
    child = build_recurrent_child(architecture, config, text)
    data = TextData("pattern", VOCABULARY, PATTERN, valid, valid)
    trainee = RecurrentTrainee(child, architecture, config, text)
    return LanguageTrainer(trainee, data, epochs, BATCH, sgd, window, AveragingConfig(patience), SEED)


class Recorder(Reporter):
    """Keeps what is recorded and said; raises at the record of epoch `stop`, as a kill before the checkpoint would."""

    def __init__(self, workdir, stop=None):
        super().__init__(workdir)
        self.stop, self.records, self.said = stop, [], []

    def record(self, phase, epoch, metrics, total_epochs):
        if epoch == self.stop:
            raise KeyboardInterrupt
        super().record(phase, epoch, metrics, total_epochs)
        self.records.append(metrics)

    def say(self, message):
        self.said.append(message)


def run(trainer, workdir, stop=None) -> Recorder:
    with Recorder(workdir, stop) as reporter:
        trainer.run(reporter, Checkpoints(workdir / "checkpoints", trainer.tracked))
    return reporter


def weights_of(trainer):
    return [variable.numpy() for variable in trainer.trainee.trainable_variables]


def assert_equal(found, expected):
    for mine, its in zip(found, expected, strict=True):
        np.testing.assert_array_equal(mine, its)


def without_speed(metrics):
    return {name: value for name, value in metrics.items() if name != "tokens_per_second"}


@pytest.mark.parametrize("architecture", [CELL, LstmBaseline(nodes=2)], ids=["cell", "lstm"])
def test_a_pattern_is_learnt(architecture, tmp_path):
    trainer = make_trainer(16, valid=PATTERN[:80], architecture=architecture)
    records = run(trainer, tmp_path).records
    assert records[0]["perplexity"] > 3.0
    assert records[-1]["perplexity"] < 1.1
    assert measure_text(trainer.trainee.child, PATTERN, "training")["perplexity"] < 1.1
    assert records[-1]["valid_perplexity"] < 1.3
    for metrics in records:
        assert np.isfinite(list(metrics.values())).all()
        assert metrics["perplexity"] == pytest.approx(np.exp(metrics["loss"]))
        assert metrics["valid_perplexity"] == pytest.approx(np.exp(metrics["valid_loss"]))
        assert metrics["learning_rate"] == 3.0


def test_a_stopped_run_ends_as_one_that_was_not(tmp_path):
    """To the last bit, also amid averaging: dropout, lengths of windows, momentum, the rate and the sums go on."""
    options = {
        "patience": 1,
        "drop": 0.2,
        "sgd": SgdConfig(learning_rate=1.0, restart_epochs=2, momentum=0.5, clip_norm=1.0),
        "window": WindowConfig(bptt=8, activation_penalty=0.5),
    }
    unbroken = make_trainer(5, **options)
    expected = run(unbroken, tmp_path / "unbroken").records
    assert [metrics["is_averaging"] for metrics in expected] == [0.0, 0.0, 1.0, 1.0, 1.0]
    with pytest.raises(KeyboardInterrupt):
        run(make_trainer(5, **options), tmp_path / "stopped", stop=4)
    trainer = make_trainer(5, **options)
    records = run(trainer, tmp_path / "stopped").records
    assert_equal(weights_of(trainer), weights_of(unbroken))
    assert [without_speed(metrics) for metrics in records] == [without_speed(expected[4])]
    finished = make_trainer(5, **options)
    assert run(finished, tmp_path / "stopped").records == []
    assert_equal(weights_of(finished), weights_of(unbroken))


@pytest.mark.parametrize("number", [1, 7, 23])
def test_a_signal_within_an_epoch_loses_no_step(tmp_path, number):
    """It leaves with a checkpoint after the step that was under way, and the run ends as one that was not stopped."""
    options = {"patience": 1, "drop": 0.2, "window": WindowConfig(bptt=8)}
    unbroken = make_trainer(3, **options)
    weights = spy_on_steps(unbroken)
    expected = run(unbroken, tmp_path / "unbroken").records
    trainer = make_trainer(3, **options)
    before = spy_on_steps(trainer, lambda i: os.kill(os.getpid(), signal.SIGTERM) if i == number else None)
    with handled_signals(), pytest.raises(Interrupted) as left:
        run(trainer, tmp_path / "stopped")
    assert (left.value.code, left.value.signal, len(before)) == (42, "SIGTERM", number + 1)
    trainer = make_trainer(3, **options)
    after = spy_on_steps(trainer)
    records = run(trainer, tmp_path / "stopped").records
    assert len(before) + len(after) == len(weights)
    assert_equal(weights_of(trainer), weights_of(unbroken))
    assert [without_speed(metrics) for metrics in records] == [without_speed(m) for m in expected[-len(records) :]]


def test_an_epoch_reads_all_of_the_text_with_other_dropout_and_lengths(tmp_path):
    trainer, steps = make_trainer(2, drop=0.2, window=WindowConfig(bptt=8)), []
    step = trainer._train_step
    trainer._train_step = lambda *inputs: (steps.append([tensor.numpy() for tensor in inputs]), step(*inputs))
    run(trainer, tmp_path)
    ids, targets, seeds = zip(*steps, strict=True)
    rows = in_rows(PATTERN, BATCH)
    np.testing.assert_array_equal(np.concatenate(ids, axis=1), np.tile(rows[:, :-1], 2))
    np.testing.assert_array_equal(np.concatenate(targets, axis=1), np.tile(rows[:, 1:], 2))
    assert len({tuple(seed) for seed in seeds}) == len(seeds)
    ends = np.cumsum([window.shape[1] for window in ids])
    second = list(ends).index(rows.shape[1] - 1) + 1
    assert list(ends[:second]) != [end - ends[second - 1] for end in ends[second:]]
    assert step.experimental_get_tracing_count() <= 2, "one trace, and one more for the first length"
    assert trainer._read.experimental_get_tracing_count() == 1


def spy_on_steps(trainer, action=lambda number: None):
    """Calls `action(number)` after every training step, counted from 0; returns the weights after each."""
    step, weights = trainer._train_step, []

    def train_step(*arguments):
        step(*arguments)
        action(len(weights))
        weights.append(weights_of(trainer))

    trainer._train_step = train_step
    return weights


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """Six epochs without averaging: the weights after each step, and the validation losses."""
    trainer = make_trainer(6)
    weights = spy_on_steps(trainer)
    records = run(trainer, tmp_path_factory.mktemp("plain")).records
    return weights, [metrics["valid_loss"] for metrics in records]


@pytest.mark.parametrize("patience", [1, 2])
def test_averaging_begins_when_the_loss_stops_falling(patience, plain, tmp_path):
    """When the validation loss exceeds the lowest of all but the last epochs; from the step that follows.

    What is validated and kept are then the means; what is trained goes on as if there were none.
    """
    (expected, plain_losses), epochs = plain, 6
    first = next(e for e in range(patience + 1, epochs) if plain_losses[e] > min(plain_losses[: e - patience]))
    assert first < epochs - 2, "the loss should rise early, or there is nothing to see"

    trainer = make_trainer(epochs, patience=patience)
    weights = spy_on_steps(trainer)
    records = run(trainer, tmp_path).records
    assert [metrics["is_averaging"] for metrics in records] == [float(epoch >= first) for epoch in range(epochs)]
    for mine, its in zip(weights, expected, strict=True):
        assert_equal(mine, its)
    averaged = weights[(first + 1) * trainer.steps_per_epoch :]
    for mine, *steps in zip(weights_of(trainer), *averaged, strict=True):
        np.testing.assert_allclose(mine, np.mean(steps, axis=0), rtol=1e-4, atol=1e-5)
    assert np.abs(weights_of(trainer)[0] - weights[-1][0]).max() > 1e-3, "means should differ from the last weights"
    losses = [metrics["valid_loss"] for metrics in records]
    assert losses[: first + 1] == plain_losses[: first + 1]
    kept = mean_cross_entropy(compile_reader(trainer.trainee.child), in_rows(NOISE, BATCH), 5, trainer.state_size)
    assert losses[-1] == pytest.approx(kept, rel=1e-5)
    assert losses[-1] != pytest.approx(plain_losses[-1], rel=1e-3)


def test_a_falling_loss_is_not_averaged(tmp_path):
    slow = SgdConfig(learning_rate=1.0, restart_epochs=0, momentum=0.0, clip_norm=1.0)
    trainer = make_trainer(4, valid=PATTERN[:80], patience=1, sgd=slow)
    weights = spy_on_steps(trainer)
    records = run(trainer, tmp_path).records
    losses = [metrics["valid_loss"] for metrics in records]
    assert losses == sorted(losses, reverse=True), "the loss should fall, or there is nothing to see"
    assert not any(metrics["is_averaging"] for metrics in records)
    assert_equal(weights_of(trainer), weights[-1])


def test_averaging_that_begins_after_the_last_step_changes_nothing(tmp_path):
    """A mean over no step: the child keeps its weights."""
    trainer = make_trainer(3, patience=1)
    weights = spy_on_steps(trainer)
    records = run(trainer, tmp_path).records
    assert records[-1]["is_averaging"] == 1.0, "it should begin in the last epoch, or there is nothing to see"
    assert_equal(weights_of(trainer), weights[-1])


def poison(trainer, step, times):
    """Makes a weight NaN after the training step of that number within the second epoch, in its first `times` runs.

    Returns the weights after every step.
    """
    done = []

    def action(number):
        # What is run again is counted on: each attempt takes an epoch of steps.
        if number >= trainer.steps_per_epoch and number % trainer.steps_per_epoch == step and len(done) < times:
            done.append(number)
            embedding = trainer.trainee.embedding.embeddings
            embedding.assign(embedding * np.nan)

    return spy_on_steps(trainer, action)


def test_an_epoch_that_is_not_a_number_is_run_again(tmp_path):
    """From the last checkpoint, with other random numbers, and as if it had not been."""
    trainer = make_trainer(3, drop=0.2)
    weights, per_epoch = poison(trainer, step=2, times=1), trainer.steps_per_epoch
    step, seeds = trainer._train_step, []
    trainer._train_step = lambda *arguments: (seeds.append(tuple(arguments[2].numpy())), step(*arguments))
    reporter = run(trainer, tmp_path)
    assert len(weights) == 4 * per_epoch
    assert [np.isfinite(list(metrics.values())).all() for metrics in reporter.records] == [True] * 3
    assert [json.loads(line)["epoch"] for line in (tmp_path / "metrics.jsonl").read_text().splitlines()] == [0, 1, 2]
    (line,) = [line for line in reporter.said if "back to" in line]
    assert re.search(r"step \d+ has a loss of nan \(learning rate 3, gradient norm nan\); back to .* epoch 1,", line)
    assert all(np.isfinite(values).all() for values in weights_of(trainer))
    assert not set(seeds[per_epoch : 2 * per_epoch]) & set(seeds[2 * per_epoch :]), "the same step would fail again"
    # The second attempt began at the checkpoint: its first step is as small as any.
    moved = np.abs(weights[2 * per_epoch][0] - weights[per_epoch - 1][0]).max()
    assert 0 < moved <= SGD.learning_rate * SGD.clip_norm


def test_weights_that_an_epoch_s_last_step_spoils_are_not_kept(tmp_path):
    """Its training loss is still a number, its validation loss is not."""
    trainer = make_trainer(3)
    poison(trainer, step=trainer.steps_per_epoch - 1, times=1)
    records = run(trainer, tmp_path).records
    assert [np.isfinite(metrics["valid_loss"]) for metrics in records] == [True] * 3
    assert all(np.isfinite(values).all() for values in weights_of(trainer))


def test_a_run_that_is_never_a_number_ends(tmp_path):
    """After a second try from the same checkpoint."""
    trainer = make_trainer(3)
    weights = poison(trainer, step=2, times=100)
    with pytest.raises(InputError, match=r"has diverged: step \d+ has a loss of nan.*--retrain_learning_rate"):
        run(trainer, tmp_path)
    assert len(weights) == 3 * trainer.steps_per_epoch


def test_without_a_checkpoint_there_is_nothing_to_go_back_to(tmp_path):
    trainer = make_trainer(2, sgd=SgdConfig(learning_rate=1e30, restart_epochs=0, momentum=0.0, clip_norm=1e30))
    with pytest.raises(InputError, match=r"step \d has a loss of .* no checkpoint .*--retrain_learning_rate"):
        run(trainer, tmp_path)
    assert not list(tmp_path.glob("checkpoints/*"))


def move(l2, clip_norm):
    """How far one step on a window of half of --bptt, at a rate of 0.1, moves the weights; and the weights before."""
    sgd = SgdConfig(learning_rate=0.1, restart_epochs=0, momentum=0.0, l2=l2, clip_norm=clip_norm)
    trainer, rows = make_trainer(1, sgd=sgd), in_rows(PATTERN, BATCH)
    before = weights_of(trainer)
    trainer._train_step(tf.constant(rows[:, :4]), tf.constant(rows[:, 1:5]), tf.constant([0, 1]))
    return [old - new for old, new in zip(before, weights_of(trainer), strict=True)], before


def test_a_step_is_scaled_by_the_length_of_its_window():
    """After clipping: a clipped step is (4 / 8) rate clip_norm long. l2 takes 2 l2 w, scaled as well."""
    plain, weights = move(l2=0.0, clip_norm=1e9)
    shrunk, _ = move(l2=0.5, clip_norm=1e9)
    for without, with_l2, weight in zip(plain, shrunk, weights, strict=True):
        np.testing.assert_allclose(with_l2 - without, 0.5 * 0.1 * 2 * 0.5 * weight, atol=1e-5)
    clipped, _ = move(l2=0.0, clip_norm=0.01)
    length = np.sqrt(sum(np.sum(np.square(part)) for part in clipped))
    assert length == pytest.approx(0.5 * 0.1 * 0.01, rel=1e-2)


def test_patience_is_named():
    with pytest.raises(InputError, match="--patience=0"):
        AveragingConfig(patience=0)
