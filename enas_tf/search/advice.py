"""Which design suits a budget: weights that all proposals share, or short trainings of each proposal with halving.

On small networks of the macro space, replayed trainings with halving stand at the 84th percentile of random networks at
a cost of eight whole trainings, and whole trainings at the 75th; ten real searches at the 76th at a cost of ten. Shared
weights with finalists stand at the 63rd, at nine and a half (`benchmarks/README.md`, "Which design at which budget").
Where the line lies was not measured: the two numbers below are a choice.
"""

import dataclasses
import itertools
from typing import Any

from enas_tf.errors import count_of, ref
from enas_tf.search.halving import budgets_of

#: One in so many trials goes on.
_FACTOR = 3
#: The longest trial is this part of a retraining.
_SHARE = 3
#: From so many architectures on that the budget trains shortly, that is taken as the better design.
_ENOUGH = 27
#: Halving begins with an epoch, which is taken to tell enough up to so many epochs of retraining.
_MOST_EPOCHS = 30


@dataclasses.dataclass(frozen=True)
class Advice:
    """A design.

    Attributes:
      evaluator: its name.
      options: of the evaluator, by name.
      reason: why, a sentence.
    """

    evaluator: str
    options: dict[str, Any]
    reason: str


def advise(epochs: int, retrain_epochs: int, has_supernet: bool) -> Advice:
    """Return the design for a search.

    Args:
      epochs: the budget: passes over the training part, as epochs of shared training are.
      retrain_epochs: the length of the training of what is found.
      has_supernet: whether the space can share weights.
    """
    longest = -(-retrain_epochs // _SHARE)
    trials = _trials_for(epochs, budgets_of(longest, _FACTOR))
    options = {"trials": trials, "trial_epochs": longest, "halving": _FACTOR}
    words = (
        f"{count_of(epochs, 'epoch')} of search buy short trainings of {count_of(trials, 'architecture')} with "
        f"halving, the longest of {count_of(longest, 'epoch')} ({ref('retrain_epochs')}={retrain_epochs})"
    )
    if not has_supernet:
        return Advice("scratch", options, f"this space shares no weights: {words}.")
    if retrain_epochs > _MOST_EPOCHS:
        short = f"an epoch is less than 1 / {_MOST_EPOCHS} of {ref('retrain_epochs')}={retrain_epochs}"
        return Advice("shared", {}, f"{short}, too short a trial to tell what comes of it.")
    if trials >= _ENOUGH:
        return Advice("scratch", options, f"{words}: from {_ENOUGH} on these are taken instead of shared weights.")
    return Advice("shared", {}, f"{words}: fewer than {_ENOUGH} tell too little.")


def _trials_for(epochs: int, budgets: tuple[int, ...]) -> int:
    """Return how many architectures can be trained with these budgets, at least one.

    One in `_FACTOR` of those of a budget goes on to the next.
    """
    num = 1
    while _cost(num + 1, budgets) <= epochs:
        num += 1
    return num


def _cost(num: int, budgets: tuple[int, ...]) -> int:
    """Return the epochs of `num` architectures with halving."""
    steps = [longer - shorter for shorter, longer in itertools.pairwise((0, *budgets))]
    return sum(num // _FACTOR**rung * step for rung, step in enumerate(steps))
