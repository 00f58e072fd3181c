"""The search: an evaluator prepares itself, then the searcher learns from the rewards that it gives, epoch by epoch."""

import time
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from enas_tf.runtime import cluster
from enas_tf.runtime.checkpoints import Checkpoints, Position
from enas_tf.runtime.reporting import Reporter
from enas_tf.runtime.seeds import seed_for, seed_of_attempt
from enas_tf.runtime.stopping import Budget
from enas_tf.search.config import SearchConfig
from enas_tf.search.evaluators.evaluator import Evaluator
from enas_tf.search.outlook import find_collapse, probabilities, show
from enas_tf.search.searchers.searcher import Searcher
from enas_tf.training.health import Recovery
from enas_tf.training.loop import Trainer, run_epochs

#: Proposals of the policy, and uniform ones, that are compared after an epoch.
_COMPARED = 8


class SearchTrainer(Trainer):
    """Runs the epochs of a search. A position counts the evaluator's steps of the epoch first, then the updates."""

    stage = "search"

    def __init__(self, searcher: Searcher, evaluator: Evaluator, config: SearchConfig, seed: int, reporter: Reporter):
        self.searcher, self.evaluator, self.config, self.seed = searcher, evaluator, config, seed
        self.reporter, self._attempt = reporter, 0

    @property
    def failure(self) -> str | None:
        return self.evaluator.failure

    def start(self, position: Position, attempt: int) -> None:
        config, self._attempt = self.config, attempt
        first_update = max(0, position.epoch - config.num_warm_up) * config.updates_per_epoch + self._num_updates
        self.evaluator.start(position.epoch, position.step, first_update, attempt)

    @property
    def _num_updates(self) -> int:
        """Number of updates of the searcher in the epoch that is under way.

        It does not follow from the steps of a position: another attempt may prepare in another number of them.
        """
        return int(self.searcher.num_updates.numpy())

    def num_left(self, position: Position, num_epochs: int) -> int:
        steps = (num_epochs - position.epoch) * self.evaluator.num_steps(position.epoch)
        num_learning = num_epochs - max(position.epoch, self.config.num_warm_up)
        return max(0, steps + num_learning * self.config.updates_per_epoch - position.step)

    def phases(self, position: Position) -> dict[str, int]:
        # An epoch's preparation is reported before the first update.
        return {"search": position.epoch + bool(self._num_updates), "controller": position.epoch}

    def run_epoch(self, epoch: int, first_step: int, advance: Callable[[int], None]) -> None:
        """Run the rest of an epoch: preparation, updates, reports."""
        config, reporter = self.config, self.reporter
        updates, is_learning = self._num_updates, epoch >= config.num_warm_up
        if not updates:
            sampler = self.searcher if is_learning else self.searcher.uniform()
            metrics = self.evaluator.prepare(sampler, epoch, first_step, advance)
            if self.failure:
                return
            if metrics:
                reporter.record("search", epoch, metrics, config.epochs)
        if epoch and not updates and self.evaluator.rewards_drift:
            self.searcher.renew()
        if config.updates_per_epoch and is_learning:
            seed = seed_of_attempt(self.seed, self._attempt)
            metrics = improve(self.searcher, self.evaluator, config, seed, epoch, updates, advance)
            self.searcher.num_updates.assign(0)
            metrics |= self._compare_with_uniform(epoch)
            reporter.record("controller", epoch, metrics, config.epochs, self.searcher.metric_descriptions)
            if lost := metrics.get("nonfinite_rewards"):
                reporter.say(f"search: {lost:.3g} rewards of an update were not numbers, and were left out")
            problem = self.searcher.find_problem(metrics)
            if problem:
                reporter.say(problem)
        outlook = self.searcher.outlook(seed_for(self.seed, "report", epoch))
        if outlook is not None:
            show(outlook, self.searcher.space, epoch, config.epochs, reporter.tensorboard)
            reporter.keep_policy(epoch, probabilities(outlook))
            if collapse := find_collapse(outlook, self.searcher.space):
                reporter.say(collapse)

    def _compare_with_uniform(self, epoch: int) -> dict[str, float]:
        """Return how far proposals of the policy are ahead of uniform ones by one batch; nothing without a policy."""
        if not self.searcher.learns_from_batches or not self.evaluator.rewards_drift:
            return {}
        seed = seed_for(self.seed, "compared_proposals", epoch)
        both = [
            cluster.agree(s.propose(tf.constant(_COMPARED), seed)) for s in (self.searcher, self.searcher.uniform())
        ]
        means = [np.mean([self.evaluator.score(row, 1) for row in rows.numpy()]) for rows in both]
        ahead = float(means[0] - means[1])
        return {"ahead_of_uniform": ahead if self.evaluator.is_higher_better else -ahead}


def search(
    searcher: Searcher,
    evaluator: Evaluator,
    config: SearchConfig,
    seed: int,
    reporter: Reporter,
    checkpoints: Checkpoints,
    recovery: Recovery,
    budget: Budget | None = None,
) -> Position:
    """Run what the newest checkpoint has not done; leave searcher and evaluator trained.

    Returns:
      The position at the end, which is an earlier one where the budget is spent (`training.loop.run_epochs`).
    """
    trainer = SearchTrainer(searcher, evaluator, config, seed, reporter)
    return run_epochs(trainer, config.epochs, reporter, checkpoints, recovery, budget)


def improve(
    searcher: Searcher,
    evaluator: Evaluator,
    config: SearchConfig,
    seed: int,
    epoch: int,
    first_update: int = 0,
    advance: Callable[[int], None] = lambda num: None,
) -> dict[str, float]:
    """Run the searcher's updates of an epoch from `first_update` on; return the means of all of them."""
    begin = time.perf_counter()
    if first_update == 0:
        for mean in searcher.means.values():
            mean.reset_state()
    for update in range(first_update, config.updates_per_epoch):
        update_seed = seed_for(seed, "rewarded_proposals", epoch, update)
        tokens = cluster.agree(searcher.propose(tf.constant(config.samples_per_update), update_seed))
        for name, value in searcher.update(tokens, evaluator.evaluate(tokens)).items():
            searcher.means[name].update_state(value)
        searcher.num_updates.assign_add(1)
        advance(1)
    seconds = time.perf_counter() - begin
    num_rewards = (config.updates_per_epoch - first_update) * config.samples_per_update
    means = {name: float(mean.result()) for name, mean in searcher.means.items() if float(mean.count)}
    if not means.get("nonfinite_rewards"):
        means.pop("nonfinite_rewards", None)  # Nothing to tell.
    return means | {"rewards_per_second": num_rewards / seconds}
