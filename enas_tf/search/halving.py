"""Asynchronous successive halving: many short trainings, of which the best third are prolonged, again and again.

Li et al. 2018, "A System for Massively Parallel Hyperparameter Tuning" (ASHA), algorithm 2.
"""

import dataclasses
import math
from collections.abc import Iterable

from enas_tf.search.ledger import Entry
from enas_tf.search.trials import Measurement, Trial


def budgets_of(most: int, factor: int) -> tuple[int, ...]:
    """Return the budgets in epochs, ascending: `most`, a `factor`-th of it, and so on down to 1, each rounded up.

    With a factor of 0 there is `most` alone.
    """
    found = [most]
    while factor and found[0] > 1:
        found.insert(0, -(-found[0] // factor))
    return tuple(found)


@dataclasses.dataclass(frozen=True)
class Halving:
    """Which trials are prolonged.

    Attributes:
      budgets: in epochs, ascending.
      factor: of the trials with one budget, one in so many is prolonged to the next; 0 for no halving.
      is_higher_better: whether more of the metric is better.
    """

    budgets: tuple[int, ...]
    factor: int
    is_higher_better: bool = True

    @property
    def first(self) -> tuple[int, ...]:
        """The budgets of a trial that begins."""
        return self.budgets[:1]

    def promote(self, entries: Iterable[Entry], known: int) -> Trial | None:
        """Return the trial that prolongs the best one that may be prolonged; None if there is none.

        Args:
          entries: all trials that were begun, in order.
          known: the results of so many of them may be looked at.
        """
        if not self.factor:
            return None
        entries = list(entries)
        begun = {entry.trial for entry in entries}
        for rung in range(len(self.budgets) - 1, 0, -1):
            of_rung = [entry for entry in entries[:known] if entry.trial.budgets == self.budgets[:rung]]
            for entry in sorted(of_rung, key=self._key)[: len(of_rung) // self.factor]:
                longer = dataclasses.replace(entry.trial, budgets=self.budgets[: rung + 1])
                if isinstance(entry.outcome, Measurement) and longer not in begun:
                    return longer
        return None

    def _key(self, entry: Entry) -> tuple[float, int]:
        if not isinstance(entry.outcome, Measurement):
            return math.inf, entry.number
        return -entry.outcome.value if self.is_higher_better else entry.outcome.value, entry.number


def expected_number(num: int, halving: Halving) -> int:
    """Return how many trainings `num` architectures take, with those that are prolonged, at most."""
    total, left = num, num
    for _ in halving.budgets[1:]:
        left //= halving.factor
        total += left
    return total


class Levels:
    """Makes the rewards of trials of different budgets comparable, for searchers that know no budgets.

    A longer training is worth more whatever the architecture. So its reward is lowered by the mean gain of all
    architectures that were prolonged as far, itself included: what is left says who gained more than others.
    """

    def __init__(self) -> None:
        self._levelled: dict[Trial, float] = {}
        self._gains: dict[tuple[int, ...], list[float]] = {}

    def level(self, trial: Trial, reward: float) -> float:
        """Return the reward of a trial as if it had the shortest budget; as it is where it, or that one, is no number.

        Args:
          trial: what was trained; the trial that it prolongs was levelled before.
          reward: what it is worth.
        """
        shorter = dataclasses.replace(trial, budgets=trial.budgets[:-1])
        before = self._levelled.get(shorter, math.nan)
        if math.isfinite(reward) and math.isfinite(before):
            gains = self._gains.setdefault(trial.budgets, [])
            gains.append(reward - before)
            reward -= sum(gains) / len(gains)
        self._levelled[trial] = reward
        return reward
