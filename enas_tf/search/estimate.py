"""What a search would take, measured over a few steps on real data, each with its own proposal; nothing is kept."""

import contextlib
import itertools
import statistics
import time
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from enas_tf.runtime import cluster
from enas_tf.runtime.seeds import seed_for
from enas_tf.search.config import SearchConfig
from enas_tf.search.evaluators.evaluator import Evaluator
from enas_tf.search.searchers.searcher import Searcher
from enas_tf.training.runners import Runner

#: Steps and proposals that are timed, after the first, which is traced.
_NUM = 5


class Estimate(NamedTuple):
    """Seconds of the parts of a search.

    Attributes:
      first_step: the first step of preparation, with its trace.
      step: any other step of preparation.
      reward: the reward of one proposal.
      update: an update of the searcher without its rewards.
    """

    first_step: float
    step: float
    reward: float
    update: float

    def epoch(self, num_steps: int, config: SearchConfig) -> float:
        """Return the seconds of an epoch of `num_steps` steps, without saving and reporting."""
        per_update = config.samples_per_update * self.reward + self.update
        return num_steps * self.step + config.updates_per_epoch * per_update


def estimate(searcher: Searcher, evaluator: Evaluator, config: SearchConfig, seed: int) -> Estimate:
    """Time the last steps of the first epoch, then one update of the searcher. Searcher and weights are changed."""
    first_step, step = _time_steps(searcher, evaluator)
    tokens = _propose(searcher, config.samples_per_update, seed)
    few = tf.tile(tokens, [-(-_NUM // len(tokens)), 1])[:_NUM]
    rewards = evaluator.evaluate(few[:1])  # Traced.
    begin = time.perf_counter()
    rewards = evaluator.evaluate(few)
    reward = (time.perf_counter() - begin) / _NUM
    rewards = tf.tile(rewards[:1], [len(tokens)])
    for _ in range(2):  # The first one is traced.
        begin = time.perf_counter()
        searcher.update(searcher.propose(tf.constant(len(tokens)), _seed(seed)), rewards)
        update = time.perf_counter() - begin
    return Estimate(first_step, step, reward, update)


def _time_steps(searcher: Searcher, evaluator: Evaluator) -> tuple[float, float]:
    """Return the seconds of the first step and of a later one; zeros for an evaluator without steps."""
    num_steps = evaluator.num_steps(0)
    first = max(0, num_steps - 1 - _NUM)
    ends, begin = [], time.perf_counter()
    evaluator.start(0, first)
    evaluator.prepare(searcher, 0, first, lambda num: ends.append((num, time.perf_counter())))
    if not ends:
        return 0.0, 0.0
    # The steps of a loop are started at once: each has its share of the time.
    steps = [(end - before) / num for (_, before), (num, end) in itertools.pairwise(ends)]
    first_step = ends[0][1] - begin
    return first_step, statistics.mean(steps) if steps else first_step


def _propose(searcher: Searcher, num: int, seed: int) -> tf.Tensor:
    return cluster.agree(searcher.propose(tf.constant(num), _seed(seed)))


def _seed(seed: int) -> tf.Tensor:
    return seed_for(seed, "rewarded_proposals", 0, 0)


class TrialTimes(NamedTuple):
    """Seconds of the parts of a trial.

    Attributes:
      first_step: the first step, with its trace.
      epoch: an epoch of training without the trace.
      measuring: the validation after an epoch, without its trace.
    """

    first_step: float
    epoch: float
    measuring: float


def time_trial(runner: Runner, tokens: np.ndarray) -> TrialTimes:
    """Time a few steps of a trial and two measurements."""
    begin, ends = time.perf_counter(), []

    def advance(num: int) -> None:
        ends.append(time.perf_counter())
        if len(ends) > _NUM:
            raise _Enough

    with contextlib.suppress(_Enough):
        runner.train(tokens, (1,), advance=advance)
    for _ in range(2):  # The first one is traced.
        measured = time.perf_counter()
        runner.measure(tokens)
        measuring = time.perf_counter() - measured
    first_step = ends[0] - begin
    step = (ends[-1] - ends[0]) / (len(ends) - 1) if len(ends) > 1 else first_step
    return TrialTimes(first_step, step * runner.steps_per_epoch, measuring)


class _Enough(Exception):
    """The end of a training that is only timed."""
