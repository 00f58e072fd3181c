"""How long a search takes, from a few of its steps: real data, a child of its own for each, nothing kept."""

import itertools
import statistics
import time
from typing import NamedTuple

import tensorflow as tf

from enas_tf.runtime import cluster
from enas_tf.runtime.seeds import seed_for
from enas_tf.search.evaluators.shared import Evaluator
from enas_tf.search.loop import SearchConfig
from enas_tf.search.searchers.reinforce import Searcher

#: Steps and proposals that are timed, after the first, which is traced.
_NUM = 5


class Estimate(NamedTuple):
    """Seconds of the first step with its trace, of a step, of a proposal's reward, and of an update without rewards."""

    first_step: float
    step: float
    reward: float
    update: float

    def epoch(self, num_steps: int, config: SearchConfig) -> float:
        """Seconds of an epoch of `num_steps` steps, without what is saved and reported."""
        per_update = config.samples_per_update * self.reward + self.update
        return num_steps * self.step + config.updates_per_epoch * per_update


def estimate(searcher: Searcher, evaluator: Evaluator, config: SearchConfig, seed: int) -> Estimate:
    """Times the last steps of the first epoch, then one update of the controller. Searcher and weights move on."""
    num_steps = evaluator.num_steps(0)
    first = max(0, num_steps - 1 - _NUM)
    ends, begin = [], time.perf_counter()
    evaluator.start(0, first)
    evaluator.prepare(searcher, 0, first, lambda num: ends.append((num, time.perf_counter())))
    # The steps of a loop are started at once: each has its share of the time.
    steps = [(end - before) / num for (_, before), (num, end) in itertools.pairwise(ends)]
    first_step = ends[0][1] - begin
    tokens = cluster.agree(
        searcher.propose(tf.constant(config.samples_per_update), seed_for(seed, "rewarded_proposals", 0, 0))
    )
    few = tf.tile(tokens, [-(-_NUM // len(tokens)), 1])[:_NUM]
    rewards = evaluator.evaluate(few[:1])  # Traced.
    begin = time.perf_counter()
    rewards = evaluator.evaluate(few)
    reward = (time.perf_counter() - begin) / _NUM
    rewards = tf.tile(rewards[:1], [len(tokens)])
    for _ in range(2):  # The first one is traced.
        begin = time.perf_counter()
        searcher.update(searcher.propose(tf.constant(len(tokens)), seed_for(seed, "rewarded_proposals", 0, 0)), rewards)
        update = time.perf_counter() - begin
    return Estimate(first_step, statistics.mean(steps) if steps else first_step, reward, update)
