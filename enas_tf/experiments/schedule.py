"""How long a stage is, in words; and a learning rate whose schedule does not end with the stage."""

import math

from enas_tf.errors import count_of, ref
from enas_tf.experiments.config import RunOptions
from enas_tf.options import Group
from enas_tf.runtime.console import in_words
from enas_tf.search.config import SEARCH, SearchConfig
from enas_tf.search.estimate import Estimate, TrialTimes
from enas_tf.training.child import RETRAIN
from enas_tf.training.optimizers import RETRAIN_SGD, SGD, SgdConfig

#: A learning rate above this share of the largest one is not near its end.
_NEAR = 0.1


def epochs_in_words(config: SearchConfig, num_steps: int) -> str:
    """Return the epochs of a search and what each is made of; `num_steps` is 0 where the evaluator trains nothing."""
    parts = [count_of(num_steps, "step")] if num_steps else []
    if config.updates_per_epoch:
        updates, proposals = count_of(config.updates_per_epoch, "update"), config.samples_per_update
        parts.append(f"{updates} of {count_of(proposals, 'proposal')}")
    return f"{config.epochs} of {' and '.join(parts)}" if parts else f"{config.epochs} in which nothing is trained"


def times_in_words(measured: Estimate, num_steps: int, config: SearchConfig) -> dict[str, str]:
    """Return the rows about the times of a search whose epochs have `num_steps` steps."""
    epoch, steps = measured.epoch(num_steps, config), {}
    words = in_words(epoch, 1)
    if num_steps:
        steps = {"first step": f"{measured.first_step:.1f} s", "a step": f"{measured.step:.3f} s"}
        words += f": {in_words(num_steps * measured.step, 1)} of steps, the rest updates"
    return {
        **steps,
        "a reward": f"{measured.reward:.3f} s",
        "an epoch": words,
        "the search": f"{in_words(epoch * config.epochs, 1)}, without derive",
    }


def trial_times_in_words(timed: TrialTimes, seconds: float, parallel: int, is_traced_anew: bool) -> dict[str, str]:
    """Return rows about the time of a search by trials, which is `seconds` of training."""
    words = f"{in_words(seconds, 1)} of training"
    if parallel > 1:
        words += f", at best {in_words(seconds / parallel, 1)} with {parallel} at once"
    return {
        "first step": f"{timed.first_step:.1f} s, traced {'anew for each trial' if is_traced_anew else 'once'}",
        "an epoch": f"{timed.epoch:.3g} s, and {timed.measuring:.3g} s for its validation",
        "the search": words,
    }


def last_rate(config: SgdConfig, num_epochs: int) -> float:
    """Return the learning rate at the end of `num_epochs` of cosine cycles; the first one, where there are none."""
    if not config.has_cycles:
        return float(config.learning_rate)
    length = end = config.restart_epochs
    while end < num_epochs:
        length *= config.restart_factor
        end += length
    share = (1 + math.cos(math.pi * (1 - (end - num_epochs) / length))) / 2
    return config.min_learning_rate + share * (config.learning_rate - config.min_learning_rate)


def unended_schedule(options: RunOptions, stage: str) -> dict[str, str]:
    """Return the row about a learning rate of `stage` that does not come down by its end; empty where it does.

    The number of epochs and the length of the cycles are options of their own: who shortens the one may forget the
    other.
    """
    group: Group = SGD if stage == "search" else RETRAIN_SGD
    num_epochs = options[SEARCH].epochs if stage == "search" else options[RETRAIN].epochs
    config: SgdConfig = options[group]
    rate = last_rate(config, num_epochs)
    if group not in options.values or not config.has_cycles or rate <= _NEAR * config.learning_rate:
        return {}
    restart, epochs = ref(f"{group.prefix}restart_epochs"), ref(f"{group.prefix}epochs")
    words = (
        f"warning: it ends at {rate:.3g} instead of {config.min_learning_rate:.3g}, since no cosine cycle, the first "
        f"of {restart}={config.restart_epochs}, ends with {epochs}={num_epochs}; {restart}={num_epochs} lets "
        "one end there"
    )
    return {"learning rate": words}
