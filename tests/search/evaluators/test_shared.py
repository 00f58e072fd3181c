"""The evaluator of shared weights, for either task: they learn, and an epoch is a function of seed and attempt."""

import types

import keras
import numpy as np
import pytest
import tensorflow as tf

from enas_tf.data.augmentation import AUGMENTATION, AugmentationConfig
from enas_tf.data.text_batches import in_rows
from enas_tf.errors import InputError
from enas_tf.models.language import LanguageConfig
from enas_tf.models.macro_config import MacroNetworkConfig
from enas_tf.models.networks import NETWORKS
from enas_tf.options import Config
from enas_tf.runtime.replicas import Replicas
from enas_tf.search.evaluators.evaluator import EVALUATORS
from enas_tf.search.evaluators.shared import SHARED, SharedTrainingConfig, SharedWeightsEvaluator
from enas_tf.search.searchers.random import RandomSearcher
from enas_tf.spaces.macro import MacroSpace
from enas_tf.spaces.recurrent import RecurrentSpace
from enas_tf.tasks.classification_config import IMAGE_SEARCH, ImageSearchConfig
from enas_tf.tasks.language_problems import REWARD, WINDOW, RewardConfig, WindowConfig
from enas_tf.tasks.task import TASKS
from enas_tf.training.optimizers import SGD, SgdConfig
from tests.tasks.small import PATTERN, TEXT, assert_equal, image_shape, make_images, make_text, numpy_of

SEED = 5
IMAGE_SPACE = MacroSpace(num_layers=3, ops=("conv_3x3", "max_pool_3x3"))
TEXT_SPACE = RecurrentSpace(nodes=3)
IMAGE_BATCH, TEXT_BATCH, BPTT = 8, 4, 8
TEXT_SGD = SgdConfig(learning_rate=2.0, restart_epochs=0, momentum=0.0, l2=0.0, clip_norm=1.0)


def make_run(space, task, data, shape, network, values, seed=SEED, replicas=None):
    """Return what an evaluator is built from; `values` are options by their group."""
    networks = NETWORKS[space.name]
    config = Config({networks.network: network, **values})
    return types.SimpleNamespace(
        config=config,
        seed=seed,
        space=space,
        networks=networks,
        task=TASKS[task],
        data=data,
        shape=shape,
        replicas=replicas or Replicas(),
    )


def make_image_evaluator(children=1, augment="none", replicas=None, batch_size=IMAGE_BATCH) -> SharedWeightsEvaluator:
    keras.utils.set_random_seed(0)
    values = {
        AUGMENTATION: AugmentationConfig(augment),
        IMAGE_SEARCH: ImageSearchConfig(children),
        SHARED: SharedTrainingConfig(batch_size),
    }
    data, network = make_images(20, 20, num_classes=3), MacroNetworkConfig(channels=4)
    run = make_run(IMAGE_SPACE, "classification", data, image_shape(3), network, values, replicas=replicas)
    return EVALUATORS["shared"].build(run)


def make_text_evaluator(drop=0.0, seed=SEED) -> SharedWeightsEvaluator:
    keras.utils.set_random_seed(0)
    values = {
        WINDOW: WindowConfig(bptt=BPTT),
        REWARD: RewardConfig(12.0),
        SHARED: SharedTrainingConfig(TEXT_BATCH),
        SGD: TEXT_SGD,
    }
    network = LanguageConfig(8, *[drop] * 5, init_scale=0.5)
    run = make_run(TEXT_SPACE, "language_modelling", make_text(PATTERN[:240]), TEXT, network, values, seed)
    return EVALUATORS["shared"].build(run)


def weights_of(evaluator):
    return numpy_of(evaluator.problem.variables)


def inputs_of(evaluator, space, epoch=0, attempt=0, advance=lambda num: None) -> list[list[np.ndarray]]:
    """Return the arguments of all steps of an epoch, none of which is taken."""
    traced, inputs = evaluator.step.traced, []
    evaluator.step.traced = lambda *step: inputs.append([tensor.numpy() for tensor in step])
    evaluator.start(epoch, attempt=attempt)
    evaluator.prepare(RandomSearcher(space), epoch, advance=advance)
    evaluator.step.traced = traced
    return inputs


def interrupt(num):
    raise KeyboardInterrupt


class TestImages:
    @pytest.mark.parametrize("children", [1, 2])
    def test_an_epoch_is_one_pass_with_other_children_in_every_step(self, children):
        """No image comes twice, and every step has other dropout."""
        evaluator, advanced = make_image_evaluator(children), []
        inputs = inputs_of(evaluator, IMAGE_SPACE, advance=advanced.append)
        assert len(inputs) == evaluator.num_steps(0) == sum(advanced) == 2
        images, _, tokens, seeds = zip(*inputs, strict=True)
        assert tokens[0].shape == (children, IMAGE_SPACE.num_tokens)
        assert not np.array_equal(tokens[0], tokens[1])
        used = {tuple(seed + child) for seed in seeds for child in range(children)}
        assert len(used) == 2 * children, "dropout should differ between children"
        assert len(np.unique(np.concatenate(images).reshape(16, -1), axis=0)) == 16

    def test_another_attempt_draws_everything_anew(self):
        evaluator = make_image_evaluator()
        first, second = (inputs_of(evaluator, IMAGE_SPACE, attempt=attempt) for attempt in range(2))
        for name, index in (("images", 0), ("tokens", 2), ("seeds", 3)):
            before, after = (np.stack([step[index] for step in steps]) for steps in (first, second))
            assert not np.array_equal(before, after), name
        again = inputs_of(make_image_evaluator(), IMAGE_SPACE, attempt=1)
        for mine, its in zip(second, again, strict=True):
            assert_equal(mine, its)

    def test_a_resumed_epoch_is_an_unbroken_one(self):
        """To the last bit: it has no more than the weights, the means and where it stopped."""
        evaluator, searcher = make_image_evaluator(augment="crop_flip"), RandomSearcher(IMAGE_SPACE)
        evaluator.start(0)
        evaluator.prepare(searcher, 0)
        expected, other = weights_of(evaluator), make_image_evaluator(augment="crop_flip")
        other.start(0)
        with pytest.raises(KeyboardInterrupt):
            other.prepare(searcher, 0, advance=interrupt)
        other.start(0, step=1)
        other.prepare(searcher, 0, first_step=1)
        assert_equal(weights_of(other), expected)

    def test_rewards_and_scores_are_the_judge_s(self):
        evaluator = make_image_evaluator()
        tokens = IMAGE_SPACE.random_tokens(3, np.random.default_rng(4))
        evaluator.start(2, first_update=6)
        rewards = evaluator.evaluate(tf.constant(tokens))
        evaluator.judge.start(6)
        np.testing.assert_array_equal(rewards, evaluator.judge.reward(tf.constant(tokens)))
        assert evaluator.score(tokens[0], 1) == evaluator.judge.score(tokens[0], 1)
        assert (evaluator.metric, evaluator.is_higher_better) == ("valid_accuracy", True)

    def test_each_update_has_as_many_batches_as_asked_for(self):
        evaluator, tokens = make_image_evaluator(), tf.constant(IMAGE_SPACE.random_tokens(3, np.random.default_rng(4)))
        evaluator._reward_batches = 2
        evaluator.start(0, first_update=0)
        unbroken = [evaluator.evaluate(tokens).numpy() for _ in range(3)]
        evaluator.start(0, first_update=2)
        np.testing.assert_array_equal(evaluator.evaluate(tokens), unbroken[2])
        evaluator.judge.start(4)
        np.testing.assert_array_equal(evaluator.judge.reward(tokens, 2), unbroken[2])

    def test_what_it_says_and_keeps(self):
        evaluator = make_image_evaluator(children=2)
        num = sum(weight.size for weight in weights_of(evaluator))
        expected = {"batch": "8 images, 2 children per step", "supernet": f"{num:,} parameters"}
        assert evaluator.summary() == expected
        assert sum(np.prod(variable.shape) for variable in evaluator.weights) >= 2 * num, "momentum too"
        assert not {"optimizer", "searcher_means"} & evaluator.tracked.keys(), "searchers have them"

    def test_too_few_images_for_a_batch(self):
        with pytest.raises(InputError, match="batch_size=21"):
            make_image_evaluator(batch_size=21)


class TestText:
    def cross_entropies(self, evaluator, tokens):
        """Return the nats per token of the training part, by each of the cells `tokens`."""
        rows, found = in_rows(PATTERN[:240], TEXT_BATCH), []
        for proposal in tokens:
            ids, targets = tf.constant(rows[:, :-1]), tf.constant(rows[:, 1:])
            loss, _ = evaluator.judge.read(ids, targets, tf.zeros([TEXT_BATCH, 8]), tf.constant(proposal))
            found.append(float(loss) / rows[:, 1:].size)
        return np.array(found)

    def test_training_lowers_the_loss_of_every_cell(self):
        """Each window sees a cell of its own, and dropout. One trace serves all."""
        evaluator, searcher = make_text_evaluator(drop=0.05), RandomSearcher(TEXT_SPACE)
        tokens = TEXT_SPACE.random_tokens(3, np.random.default_rng(3))
        before = self.cross_entropies(evaluator, tokens)
        means = [evaluator.prepare(searcher, epoch) for epoch in range(12)]
        after = self.cross_entropies(evaluator, tokens)
        assert means[-1]["loss"] < 0.75 * means[0]["loss"]
        assert (after < 0.75 * before).all(), (before, after)
        for metrics in means:
            assert metrics["perplexity"] == pytest.approx(np.exp(metrics["loss"]))
            assert np.isfinite(list(metrics.values())).all()
        assert evaluator.step.traced.experimental_get_tracing_count() == 1

    def test_an_epoch_is_one_pass_with_a_cell_for_every_window(self):
        evaluator, advanced = make_text_evaluator(), []
        inputs = inputs_of(evaluator, TEXT_SPACE, advance=advanced.append)
        ids, targets, tokens, seeds = zip(*inputs, strict=True)
        rows = in_rows(PATTERN[:240], TEXT_BATCH)
        np.testing.assert_array_equal(np.concatenate(ids, axis=1), rows[:, :-1])
        np.testing.assert_array_equal(np.concatenate(targets, axis=1), rows[:, 1:])
        assert len(inputs) == evaluator.num_steps(0) == sum(advanced)
        assert len({proposal.tobytes() for proposal in tokens}) > 1
        assert len({seed.tobytes() for seed in seeds}) == len(inputs), "dropout should differ between windows"
        assert len({window.shape for window in ids}) > 1, "lengths should differ between windows"

    def test_another_attempt_draws_everything_anew(self):
        evaluator = make_text_evaluator()
        first, second = (inputs_of(evaluator, TEXT_SPACE, attempt=attempt) for attempt in range(2))
        assert len(second) == evaluator.num_steps(0), "that of the attempt that was begun last"
        assert [step[0].shape for step in first] != [step[0].shape for step in second], "windows"
        for name, index in (("tokens", 2), ("seed", 3)):
            before, after = ([step[index].tobytes() for step in steps] for steps in (first, second))
            assert before[: len(after)] != after[: len(before)], name
        seeds = [{step[3].tobytes() for step in steps} for steps in (first, second)]
        assert not seeds[0] & seeds[1]

    def test_training_is_a_function_of_weights_seed_and_epoch(self):
        """To the last bit, with dropout, and of nothing that ran before: a resumed search has no more than these."""
        evaluator, searcher = make_text_evaluator(drop=0.3), RandomSearcher(TEXT_SPACE)
        weights = [weights_of(evaluator)]
        for epoch in range(2):
            evaluator.prepare(searcher, epoch)
            weights.append(weights_of(evaluator))
        other = make_text_evaluator(drop=0.3)
        for epoch in (1, 0):
            self.assign(other, weights[epoch])
            other.prepare(searcher, epoch)
            assert_equal(weights_of(other), weights[epoch + 1])
        another = make_text_evaluator(drop=0.3, seed=SEED + 1)
        self.assign(another, weights[0])
        another.prepare(searcher, 0)
        for mine, its in zip(weights_of(another), weights[1], strict=True):
            assert not np.array_equal(mine, its)

    def assign(self, evaluator, weights):
        for variable, weight in zip(evaluator.problem.variables, weights, strict=True):
            variable.assign(weight)


@pytest.mark.parametrize("make", [make_image_evaluator, make_text_evaluator])
def test_a_divergence_is_a_failure_until_another_attempt_starts(make):
    evaluator = make()
    space = IMAGE_SPACE if make is make_image_evaluator else TEXT_SPACE
    evaluator.start(0)
    assert evaluator.failure is None
    kept = weights_of(evaluator)
    for variable in evaluator.problem.variables:
        variable.assign(variable * np.nan)
    evaluator.prepare(RandomSearcher(space), 0)
    assert evaluator.failure.startswith("step 1 has a loss of nan")
    for variable, weight in zip(evaluator.problem.variables, kept, strict=True):
        variable.assign(weight)
    evaluator.start(0, attempt=1)
    assert evaluator.failure is None


def test_a_batch_is_not_empty():
    with pytest.raises(InputError, match=r"^batch_size=0"):
        SharedTrainingConfig(batch_size=0)
