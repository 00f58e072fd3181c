"""The search: shared weights and searcher take turns. Names no data set and no space."""

import dataclasses
import math
import time
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from enas_tf.options import option, require
from enas_tf.runtime import cluster
from enas_tf.runtime.checkpoints import Checkpoints, Position
from enas_tf.runtime.reporting import Reporter
from enas_tf.runtime.seeds import seed_for
from enas_tf.runtime.signals import stepping
from enas_tf.search.evaluators.shared import Evaluator
from enas_tf.search.searchers.reinforce import Searcher
from enas_tf.training.health import Recovery, policy_problem


@dataclasses.dataclass(frozen=True)
class SearchConfig:
    """Length of a search; the reference's macro values (scripts/cifar10_macro_search.sh)."""

    epochs: int = option(310, "epochs of search; each trains shared weights, then the searcher")
    updates_per_epoch: int = option(50, "updates of the searcher in an epoch")
    samples_per_update: int = option(20, "proposals whose rewards make up one update of the searcher")
    min_entropy: float = option(0.1, "nats of a policy below which it is reported as collapsed")

    def __post_init__(self):
        require(self.epochs >= 1, "epochs", self.epochs, "at least 1")
        require(self.updates_per_epoch >= 0, "updates_per_epoch", self.updates_per_epoch, "0 or more")
        require(self.samples_per_update >= 1, "samples_per_update", self.samples_per_update, "at least 1")
        require(self.min_entropy >= 0, "min_entropy", self.min_entropy, "0 or more")


def search(
    searcher: Searcher,
    evaluator: Evaluator,
    config: SearchConfig,
    seed: int,
    reporter: Reporter,
    checkpoints: Checkpoints,
    recovery: Recovery,
) -> None:
    """Runs what the newest checkpoint has not done; leaves searcher and shared weights trained.

    Steps of a position are those of shared training, then the updates of the searcher.
    """
    loop = _Loop(searcher, evaluator, config, seed, reporter, checkpoints, recovery)
    loop.start(checkpoints.restore_latest() or Position())
    with reporter.progress("search", loop.num_left()) as tick, stepping(loop.save) as after_step:

        def advance(num: int) -> None:
            loop.position = loop.position._replace(step=loop.position.step + num)
            tick(num)
            after_step()

        while loop.position.epoch < config.epochs:
            loop.run_epoch(advance)


@dataclasses.dataclass
class _Loop:
    """A search, and how far it is."""

    searcher: Searcher
    evaluator: Evaluator
    config: SearchConfig
    seed: int
    reporter: Reporter
    checkpoints: Checkpoints
    recovery: Recovery
    position: Position | None = None

    def start(self, position: Position) -> None:
        """Sets everything to where an unbroken run stands at `position`."""
        self.position, config = position, self.config
        updates = self._num_updates()
        num_rewards = (position.epoch * config.updates_per_epoch + updates) * config.samples_per_update
        self.evaluator.start(position.epoch, position.step, num_rewards, self.recovery.count)
        # An epoch's shared training is reported before the first update.
        self.reporter.truncate({"search": position.epoch + bool(updates), "controller": position.epoch})

    def _num_updates(self) -> int:
        """Updates of the searcher that this epoch has done."""
        return max(0, self.position.step - self.evaluator.num_steps(self.position.epoch))

    def num_left(self) -> int:
        """Steps and updates until the end, about."""
        per_epoch = self.evaluator.steps_per_epoch + self.config.updates_per_epoch
        return max(0, (self.config.epochs - self.position.epoch) * per_epoch - self.position.step)

    def save(self) -> None:
        # What has diverged is not kept: a run that goes on begins before it.
        if self.evaluator.problem is None:
            self.checkpoints.save(*self.position)

    def run_epoch(self, advance: Callable[[int], None]) -> None:
        """The rest of an epoch: shared training, updates, a checkpoint."""
        epoch, config, reporter = self.position.epoch, self.config, self.reporter
        updates = self._num_updates()
        if not updates:
            metrics = self.evaluator.prepare(self.searcher, epoch, self.position.step, advance)
            if self.evaluator.problem:
                self.start(self.recovery.go_back(self.evaluator.problem, self.checkpoints, reporter))
                return
            reporter.record("search", epoch, metrics, config.epochs)
        if config.updates_per_epoch:
            metrics = improve(self.searcher, self.evaluator, config, self.seed, epoch, updates, advance)
            reporter.record("controller", epoch, metrics, config.epochs)
            problem = policy_problem(metrics.get("entropy", math.nan), config.min_entropy)
            if problem:
                reporter.say(problem)
        for name, probabilities in self.searcher.op_probabilities(seed_for(self.seed, "report", epoch)).items():
            reporter.histogram("controller", f"operations/{name}", as_counts(probabilities), epoch)
        self.position = Position(epoch + 1)
        self.save()


def as_counts(probabilities: tf.Tensor, num: int = 1000) -> np.ndarray:
    """Operation indices as `num` draws would hold them, so that a histogram of them shows the probabilities."""
    return np.repeat(np.arange(len(probabilities)), np.round(num * probabilities.numpy()).astype(int))


def improve(
    searcher: Searcher,
    evaluator: Evaluator,
    config: SearchConfig,
    seed: int,
    epoch: int,
    first_update: int = 0,
    advance: Callable[[int], None] = lambda num: None,
) -> dict[str, float]:
    """The searcher's phase of an epoch from `first_update` on: propose, reward, update. The means of all updates."""
    begin = time.perf_counter()
    if first_update == 0:
        for mean in searcher.means.values():
            mean.reset_state()
    for update in range(first_update, config.updates_per_epoch):
        update_seed = seed_for(seed, "rewarded_proposals", epoch, update)
        tokens = cluster.agree(searcher.propose(tf.constant(config.samples_per_update), update_seed))
        for name, value in searcher.update(tokens, evaluator.evaluate(tokens)).items():
            searcher.means[name].update_state(value)
        advance(1)
    seconds = time.perf_counter() - begin
    num_rewards = (config.updates_per_epoch - first_update) * config.samples_per_update
    means = {name: float(mean.result()) for name, mean in searcher.means.items()}
    return means | {"rewards_per_second": num_rewards / seconds}
