"""The search: shared weights and searcher take turns. Names no data set and no space."""

import dataclasses
import time

import numpy as np
import tensorflow as tf

from enas_tf.options import option, require
from enas_tf.search.evaluators import Evaluator
from enas_tf.search.searchers import Searcher
from enas_tf.training.checkpoints import Checkpoints
from enas_tf.training.reporting import Reporter
from enas_tf.training.seeds import seed_for


@dataclasses.dataclass(frozen=True)
class SearchConfig:
    """Length of a search; the reference's macro values (scripts/cifar10_macro_search.sh)."""

    epochs: int = option(310, "epochs of search; each trains shared weights, then the searcher")
    updates_per_epoch: int = option(50, "updates of the searcher in an epoch")
    samples_per_update: int = option(20, "proposals whose rewards make up one update of the searcher")

    def __post_init__(self):
        require(self.epochs >= 1, "epochs", self.epochs, "at least 1")
        require(self.updates_per_epoch >= 0, "updates_per_epoch", self.updates_per_epoch, "0 or more")
        require(self.samples_per_update >= 1, "samples_per_update", self.samples_per_update, "at least 1")


def search(
    searcher: Searcher,
    evaluator: Evaluator,
    config: SearchConfig,
    seed: int,
    reporter: Reporter,
    checkpoints: Checkpoints,
) -> None:
    """Runs the epochs that the newest checkpoint has not done; leaves searcher and shared weights trained."""
    done = checkpoints.restore_latest() or 0
    reporter.truncate({"search": done, "controller": done})
    if done >= config.epochs:
        return
    evaluator.start(done, rewards_per_epoch=config.updates_per_epoch * config.samples_per_update)
    total = (config.epochs - done) * (evaluator.steps_per_epoch + config.updates_per_epoch)
    with reporter.progress("search", total) as advance:
        for epoch in range(done, config.epochs):
            reporter.record("search", epoch, evaluator.prepare(searcher, epoch, advance), config.epochs)
            if config.updates_per_epoch:
                metrics = improve(searcher, evaluator, config, seed, epoch, advance)
                reporter.record("controller", epoch, metrics, config.epochs)
            for name, probabilities in searcher.op_probabilities(seed_for(seed, "report", epoch)).items():
                reporter.histogram("controller", f"operations/{name}", as_counts(probabilities), epoch)
            checkpoints.save(epoch + 1)


def as_counts(probabilities: tf.Tensor, num: int = 1000) -> np.ndarray:
    """Operation indices as `num` draws would hold them, so that a histogram of them shows the probabilities."""
    return np.repeat(np.arange(len(probabilities)), np.round(num * probabilities.numpy()).astype(int))


def improve(searcher, evaluator, config: SearchConfig, seed: int, epoch: int, advance=lambda: None) -> dict[str, float]:
    """The searcher's phase of an epoch: propose, reward, update. Returns the means of what the updates said."""
    begin, history = time.perf_counter(), []
    for update in range(config.updates_per_epoch):
        update_seed = seed_for(seed, "rewarded_proposals", epoch, update)
        tokens = searcher.propose(tf.constant(config.samples_per_update), update_seed)
        history.append(searcher.update(tokens, evaluator.evaluate(tokens)))
        advance()
    means = {name: float(tf.reduce_mean([metrics[name] for metrics in history])) for name in history[0]}
    seconds = time.perf_counter() - begin
    return {**means, "rewards_per_second": config.updates_per_epoch * config.samples_per_update / seconds}
