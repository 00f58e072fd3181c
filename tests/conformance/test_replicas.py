"""Law 5: two replicas with synchronised batch statistics take the steps of one device with the same global batch."""

import dataclasses
import types

import keras
import numpy as np
import pytest
import tensorflow as tf

from enas_tf.data.images import ImageData, Split
from enas_tf.data.text import TextData, Vocabulary
from enas_tf.errors import InputError
from enas_tf.models.language import TextShape
from enas_tf.options import Config
from enas_tf.runtime.checkpoints import Checkpoints
from enas_tf.runtime.devices import build_strategy
from enas_tf.runtime.replicas import Replicas
from enas_tf.runtime.reporting import Reporter
from enas_tf.search.evaluators.shared import SHARED, SharedTrainingConfig, SharedWeightsEvaluator
from enas_tf.search.searchers.random import RandomSearcher
from enas_tf.tasks.classification import IMAGE_SEARCH, ImageSearchConfig
from enas_tf.tasks.language import AVERAGING, AveragingConfig
from enas_tf.tasks.language_problems import RETRAIN_WINDOW, WINDOW, WindowConfig
from enas_tf.tasks.task import TASKS
from enas_tf.training.child import ChildTrainer, RetrainConfig
from enas_tf.training.optimizers import SGD, SgdConfig

BATCH, SEED = 8, 5
IMAGE_SGD = SgdConfig(restart_epochs=2, clip_norm=1.0)
TEXT_SGD = SgdConfig(learning_rate=0.5, restart_epochs=0, momentum=0.0, clip_norm=0.5)
OPTIONS = Config(
    {
        SHARED: SharedTrainingConfig(BATCH),
        WINDOW: WindowConfig(bptt=6, activation_penalty=0.5),
        RETRAIN_WINDOW: WindowConfig(bptt=6, activation_penalty=0.5),
        AVERAGING: AveragingConfig(1),
    }
)


def make_data(shape):
    """Enough for three steps of an epoch."""
    random = np.random.default_rng(0)
    if isinstance(shape, TextShape):
        size = shape.vocabulary_size
        words = ("<unk>", "<eos>", *"abcdefghijklmnop"[: size - 2])
        parts = [random.integers(0, size, num, dtype=np.int32) for num in (BATCH * 19, BATCH * 8, 40)]
        return TextData("random", Vocabulary(words, "word"), *parts)

    def split(num):
        images = random.integers(0, 256, (num, shape.height, shape.width, shape.channels), dtype=np.uint8)
        return Split(images, random.integers(0, shape.num_classes, num).astype(np.int32))

    classes = tuple(str(number) for number in range(shape.num_classes))
    return ImageData("random", classes, split(3 * BATCH), split(3 * BATCH + 2), split(BATCH))


def two_devices():
    return build_strategy("mirrored")


def small(network):
    """One cell of each kind and width: a second one is nothing new to a replica, and takes time to trace."""
    return dataclasses.replace(network, cells_per_stage=1) if hasattr(network, "cells_per_stage") else network


def sgd_of(case):
    return TEXT_SGD if isinstance(case.shape, TextShape) else IMAGE_SGD


def make_evaluator(case, replicas, children=1) -> SharedWeightsEvaluator:
    """Build an evaluator of a tiny space as a run does."""
    keras.utils.set_random_seed(0)
    values = {case.networks.network: small(case.network), SGD: sgd_of(case), IMAGE_SEARCH: ImageSearchConfig(children)}
    run = types.SimpleNamespace(
        config=OPTIONS.replace(values),
        seed=SEED,
        space=case.tiny,
        networks=case.networks,
        task=TASKS[case.networks.task],
        data=make_data(case.shape),
        shape=case.shape,
        replicas=replicas,
    )
    return SharedWeightsEvaluator.build(run)


def make_trainer(case, replicas) -> ChildTrainer:
    """Build a trainer of a child as a run does."""
    keras.utils.set_random_seed(0)
    task, config, data = TASKS[case.networks.task], small(case.child), make_data(case.shape)
    architecture = case.tiny.decode(case.tiny.random_tokens(1, np.random.default_rng(1))[0])
    with replicas.strategy.scope():
        child = case.networks.build_child(architecture, config, case.shape, dtype=replicas.precision)
        trainee = case.networks.build_trainee(child, architecture, config, case.shape)
        problem = task.child_problem(OPTIONS, trainee, data, BATCH)
        validate, patience = task.validate(OPTIONS, child, data, BATCH), task.averaging_patience(OPTIONS)
        return ChildTrainer(problem, validate, RetrainConfig(2, BATCH), sgd_of(case), replicas, SEED, patience)


def assert_close(found, expected):
    for mine, its in zip(found, expected, strict=True):
        np.testing.assert_allclose(mine.numpy(), its.numpy(), rtol=1e-3, atol=1e-4, err_msg=its.path)


def moved(variables, before):
    return max(np.abs(v.numpy() - old).max() for v, old in zip(variables, before, strict=True))


def test_two_replicas_search_as_one_device(costly_case):
    """Shared weights after an epoch, its means, and rewards and scores with these weights."""
    case = costly_case
    tokens = case.tiny.random_tokens(3, np.random.default_rng(2))
    found = []
    for replicas in (Replicas(), Replicas(two_devices(), is_synchronized=True)):
        evaluator = make_evaluator(case, replicas)
        weights = evaluator.problem.variables
        before = [weight.numpy() for weight in weights]
        evaluator.start(0)
        means = evaluator.prepare(RandomSearcher(case.tiny), 0)
        assert moved(weights, before) > 1e-3
        rewards = evaluator.evaluate(tf.constant(tokens)).numpy()
        found.append((weights, means, rewards, evaluator.score(tokens[0]), evaluator.score(tokens[0], 1)))
    (expected, *numbers), (weights, *others) = found
    assert_close(weights, expected)
    for name in ("loss", "gradient_norm", "learning_rate"):
        assert others[0][name] == pytest.approx(numbers[0][name], rel=1e-3), name
    np.testing.assert_allclose(others[1], numbers[1], rtol=1e-3)
    assert others[2:] == pytest.approx(numbers[2:], rel=1e-3)


def test_two_replicas_retrain_as_one_device(costly_case, tmp_path):
    """The child after two epochs, moving averages and averaged weights included."""
    case = costly_case
    found = []
    for replicas in (Replicas(), Replicas(two_devices(), is_synchronized=True)):
        trainer = make_trainer(case, replicas)
        place = tmp_path / str(replicas.num)
        with Reporter(place) as reporter:
            trainer.run(reporter, Checkpoints(place / "checkpoints", trainer.tracked))
        found.append(trainer)
    one, two = found
    assert_close(two.problem.trainee.child.weights, one.problem.trainee.child.weights)
    # A checkpoint of two devices goes on on one.
    again = make_trainer(case, Replicas())
    with Reporter(tmp_path / "2") as reporter:
        again.run(reporter, Checkpoints(tmp_path / "2" / "checkpoints", again.tracked))
    assert_close(again.problem.trainee.child.weights, one.problem.trainee.child.weights)


@pytest.mark.parametrize("name", ["macro-layers", "micro-other"])
def test_each_replica_has_children_of_its_own(case_list, name):
    """M = the number of replicas: as one device that computes them one after the other, and nothing is synchronised."""
    (case,) = [case for case in case_list if case.name == name]
    both = Replicas(), Replicas(two_devices(), is_synchronized=True)
    expected, found = (make_evaluator(case, replicas, children=2) for replicas in both)
    for evaluator in (expected, found):
        evaluator.start(0)
        evaluator.prepare(RandomSearcher(case.tiny), 0)
    assert_close(found.problem.variables, expected.problem.variables)


def test_a_batch_has_to_split_over_the_replicas():
    with pytest.raises(InputError, match=r"^batch_size=9 does not split over 2 replicas: expected a multiple of 2"):
        Replicas(two_devices()).check_divides("batch_size", 9)
