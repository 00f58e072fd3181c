"""The evaluator of ENAS: weights that all proposals share (Pham et al. 2018, section 2.2)."""

import dataclasses
import functools
import math
from collections.abc import Callable

import tensorflow as tf

from enas_tf.options import Group, option, require
from enas_tf.runtime import cluster
from enas_tf.runtime.replicas import Replicas
from enas_tf.runtime.seeds import seed_for, seed_of_attempt
from enas_tf.search.config import FINALISTS
from enas_tf.search.evaluators.evaluator import EVALUATORS, Evaluator
from enas_tf.tasks.problem import Judge, Problem
from enas_tf.training.optimizers import SGD, SgdConfig
from enas_tf.training.step import TrainingStep


@dataclasses.dataclass(frozen=True)
class SharedTrainingConfig:
    """Batches of shared weights; the values of scripts/cifar10_macro_search.sh."""

    batch_size: int = option(
        128, "images (rows of text) of a training step and of a reward, over all devices", most=1_000_000
    )
    reward_batches: int = option(
        1, "validation batches that all proposals of an update are judged on; the next update has others", most=10_000
    )

    def __post_init__(self):
        require(self.batch_size >= 1, "batch_size", self.batch_size, "at least 1")
        require(self.reward_batches >= 1, "reward_batches", self.reward_batches, "at least 1")


SHARED = Group(SharedTrainingConfig(), stages=("search",))


@EVALUATORS.register(
    "shared", [SHARED, SGD, FINALISTS], help="by weights that all proposals share, trained during the search"
)
class SharedWeightsEvaluator(Evaluator):
    """Trains a supernet, other children in every step, and judges proposals with its weights.

    Args:
      problem: the training of the supernet.
      judge: what rewards and scores proposals with its weights.
      sgd: how the weights move.
      replicas: the devices that share a step.
      seed: the seed of the run.
      batch: what a step sees, in words.
      reward_batches: the number of validation batches of an update's rewards.
      merit: returns the reward of a value of the metric.

    Raises:
      InputError: children do not split over the replicas.
    """

    trains_children = rewards_drift = True

    def __init__(
        self,
        problem: Problem,
        judge: Judge,
        sgd: SgdConfig,
        replicas: Replicas,
        seed: int,
        batch: str,
        reward_batches: int = 1,
        merit: Callable[[float], float] = float,
    ):
        self._merit = merit
        if problem.children_per_step > 1:
            replicas.check_divides("children_per_step", problem.children_per_step)
        self.problem, self.judge, self._seed, self._batch = problem, judge, seed, batch
        self._reward_batches = reward_batches
        self.step, self._attempt = TrainingStep(problem, sgd, replicas), 0
        self.metric, self.is_higher_better = judge.metric, judge.is_higher_better

    @classmethod
    def build(cls, run):
        config, task, batch_size = run.config, run.task, run.config[SHARED].batch_size
        run.replicas.check_divides("batch_size", batch_size)
        with run.replicas.strategy.scope():
            network, dtype = config[run.networks.network], run.replicas.precision
            supernet = run.networks.build_supernet(run.space, network, run.shape, dtype=dtype)
            problem = task.shared_problem(config, supernet, run.data, batch_size)
            judge = task.judge(config, supernet, run.data, batch_size, run.seed, run.replicas)
            batch = task.batch_in_words(config, batch_size)
            num = config[SHARED].reward_batches
            merit = functools.partial(task.merit, config)
            return cls(problem, judge, config[SGD], run.replicas, run.seed, batch, num, merit)

    def merit(self, value):
        return self._merit(value)

    @property
    def tracked(self):
        # Searchers have an optimizer too.
        return {f"shared_{name}": value for name, value in self.step.tracked.items()}

    @property
    def carried(self):
        return {f"shared_{name}": value for name, value in self.problem.tracked.items()}

    @property
    def failure(self):
        return self.step.failure

    @property
    def weights(self):
        return [*self.problem.variables, *self.step.optimizer.variables]

    @property
    def _seed_of_attempt(self) -> int:
        return seed_of_attempt(self._seed, self._attempt)

    def num_steps(self, epoch):
        return self.problem.stream.num_steps(epoch, self._seed_of_attempt)

    def start(self, epoch, step=0, first_update=0, attempt=0):
        self._attempt = attempt
        self.step.clear_failure()
        self.judge.start(first_update * self._reward_batches)

    def prepare(self, searcher, epoch, first_step=0, advance=lambda num: None):
        """Train for one pass over the training part."""
        # The policy does not change in this phase: an epoch's proposals are drawn in one pass.
        children, num_steps = self.problem.children_per_step, self.num_steps(epoch)
        proposal_seed = seed_for(self._seed_of_attempt, "shared_proposals", epoch)
        tokens = cluster.agree(searcher.sample(tf.constant(num_steps * children), proposal_seed))
        tokens = tf.reshape(tokens, [num_steps, children, -1])
        means, speed = self.step.run_epoch(self._seed_of_attempt, epoch, first_step, advance, tokens)
        return means | speed

    def evaluate(self, tokens):
        return self.judge.reward(tokens, self._reward_batches)

    def score(self, tokens, num_batches=0):
        return self.judge.score(tokens, num_batches)

    def summary(self):
        num = sum(math.prod(variable.shape) for variable in self.problem.variables)
        return {"batch": self._batch, "supernet": f"{num:,} parameters"}
