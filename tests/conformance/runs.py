"""Small searches and retrainings of a case, built and run as the stages do it."""

import dataclasses
import types
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from enas_tf.data.images import ImageData, Split
from enas_tf.data.text import TextData, Vocabulary
from enas_tf.models.language import TextShape
from enas_tf.options import Config
from enas_tf.runtime.checkpoints import Checkpoints
from enas_tf.runtime.devices import build_strategy
from enas_tf.runtime.replicas import Replicas
from enas_tf.runtime.reporting import Reporter
from enas_tf.search.evaluators.shared import SHARED, SharedTrainingConfig, SharedWeightsEvaluator
from enas_tf.search.searchers.random import RandomSearcher
from enas_tf.search.searchers.reinforce import ReinforceSearcher
from enas_tf.tasks.classification_config import IMAGE_SEARCH, ImageSearchConfig
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


class Search:
    """An epoch of shared weights of a tiny space, of 3 steps or more.

    Attributes:
      evaluator: has trained them.
      searcher: a policy whose weights were drawn after the shared ones. It has not proposed anything.
      means: what the epoch has returned.
      advanced: the numbers of steps that were reported.
    """

    def __init__(self, case, replicas: Replicas, children: int = 1):
        self._case, self._replicas = case, replicas
        self.evaluator = make_evaluator(case, replicas, children)
        self.searcher = ReinforceSearcher(case.tiny)
        self._start = remember(self.evaluator.weights)
        self._train()

    def _train(self) -> None:
        self.advanced = []
        self.evaluator.start(0)
        self.means = self.evaluator.prepare(RandomSearcher(self._case.tiny), 0, 0, self.advanced.append)
        assert sum(self.advanced) == self.evaluator.num_steps(0) >= 3
        assert self.evaluator.step.traced.experimental_get_tracing_count() == 1

    def repeat(self, steps_per_loop: int) -> None:
        """Train from the same initial weights, by what has been traced already."""
        restore(self._start)
        self._replicas.steps_per_loop = steps_per_loop
        self._train()

    @property
    def weights(self) -> list[keras.Variable]:
        return self.evaluator.problem.variables

    @property
    def movement(self) -> np.ndarray:
        """How far the epoch has moved each weight."""
        pairs = zip(self.weights, self._start, strict=False)  # The optimizer's come after the weights.
        return np.concatenate([(weight.numpy() - old).ravel() for weight, (_, old) in pairs])

    def rewards(self, tokens: np.ndarray) -> np.ndarray:
        """Return the first rewards of the epoch, of these architectures."""
        self.evaluator.start(0)
        return self.evaluator.evaluate(tf.constant(tokens)).numpy()


def remember(variables) -> list[tuple]:
    return [(variable, variable.numpy()) for variable in variables]


def restore(remembered: list[tuple]) -> None:
    for variable, value in remembered:
        variable.assign(value)


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


class Retraining:
    """Two epochs of a child, or what the checkpoint in `workdir` has left to do of them."""

    def __init__(self, case, replicas: Replicas, workdir: Path):
        self.trainer, self._replicas = make_trainer(case, replicas), replicas
        averages = [] if self.trainer.averaging is None else self.trainer.averaging.tracked
        self._start = remember([*self.weights, *self.trainer.step.optimizer.variables, *averages])
        self._train(workdir)

    def _train(self, workdir: Path) -> None:
        with Reporter(workdir) as reporter:
            self.trainer.run(reporter, Checkpoints(workdir / "checkpoints", self.trainer.tracked))

    def repeat(self, steps_per_loop: int, workdir: Path) -> None:
        """Train from the same initial weights, by what has been traced already."""
        restore(self._start)
        self._replicas.steps_per_loop = steps_per_loop
        self._train(workdir)

    @property
    def weights(self) -> list[keras.Variable]:
        return self.trainer.problem.trainee.child.weights


def judge(case, searched: Search) -> dict[str, np.ndarray]:
    """Measure three proposals, and update the policy once with their rewards."""
    tokens = case.tiny.random_tokens(3, np.random.default_rng(2))
    rewards = searched.rewards(tokens)
    searched.searcher.update(tf.constant(tokens), tf.constant(rewards))
    found = {"loss": searched.means["loss"], "rewards": rewards, "score": searched.evaluator.score(tokens[0])}
    for kind, weights in (("supernet", searched.weights), ("policy", searched.searcher.controller.trainable_variables)):
        found |= {f"{kind}/{number}": weight.numpy() for number, weight in enumerate(weights)}
    return found
