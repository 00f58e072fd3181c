"""What a budget buys: designs of a search without shared weights, replayed on children that were trained already.

A design draws random architectures, trains them in stages, and keeps the best of each stage. All trainings are known
from a study, so that a design costs nothing, and is repeated thousands of times.
"""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from enas_tf.errors import count_of
from enas_tf.experiments.statistics import best_by_stages, percentile_of
from enas_tf.experiments.study import Child

#: One in so many is kept after each stage but the last.
_FACTOR = 3
#: Share of the cost of designs that train several of the best whole.
_SHARE = 0.5
#: Repetitions of a design, on all children and on each of so many bootstrap samples of them.
_DRAWS, _FEW_DRAWS, _RESAMPLED = 2000, 50, 100


@dataclasses.dataclass(frozen=True)
class Design:
    """A way to spend a budget.

    Attributes:
      epochs: of each stage, ascending; the last is a whole training, by whose validation metric the best is chosen.
      share: of the cost, for the whole trainings of a design of two stages; 0 = one whole training.
    """

    epochs: tuple[int, ...]
    share: float = 0.0

    @property
    def name(self) -> str:
        """Return what is done, in words."""
        if len(self.epochs) == 1:
            return "whole trainings"
        if len(self.epochs) == 2:
            best = f"{self.share:.0%} of the cost for the best ones" if self.share else "the best one"
            return f"{count_of(self.epochs[0], 'epoch')} each, {best} whole"
        return f"a third goes on after {', '.join(map(str, self.epochs[:-1]))} epochs"

    def nums_for(self, cost: float) -> tuple[int, ...]:
        """Return how many architectures each stage trains at a `cost` in whole trainings; all 0 for too little.

        What goes on is not trained again from its beginning. A design of two stages trains one architecture whole, or
        as many as its share of the cost buys.
        """
        if self.share:
            short, whole = self.epochs
            num = math.floor(cost * self.share * whole / (whole - short) + 1e-9)
            left = math.floor((cost - num * (whole - short) / whole) * whole / short + 1e-9)
            return (left, num) if num and left >= num else (0, 0)
        best: tuple[int, ...] = (0,) * len(self.epochs)
        for num in range(1, max(1, math.floor(cost * self.epochs[-1] / self.epochs[0])) + 1):
            nums = self._nums(num)
            if self._cost(nums) > cost + 1e-9:
                break
            best = nums
        return best

    def _nums(self, num: int) -> tuple[int, ...]:
        if len(self.epochs) == 2:
            return num, 1
        return tuple(max(1, num // _FACTOR**stage) for stage in range(len(self.epochs)))

    def _cost(self, nums: Sequence[int]) -> float:
        steps = np.diff([0, *self.epochs])
        return float(sum(num * step for num, step in zip(nums, steps, strict=True)) / self.epochs[-1])


def short_epochs_of(children: Sequence[Child]) -> list[int]:
    """Return for how many epochs all `children` have been trained shortly, ascending."""
    return sorted(set.intersection(*(set(child.short) for child in children))) if children else []


def designs_of(children: Sequence[Child], epochs: int) -> list[Design]:
    """Return the designs that can be replayed on `children`, whose whole training took `epochs`."""
    short = short_epochs_of(children)
    found = [Design((epochs,)), *(Design((few, epochs), share) for few in short for share in (0.0, _SHARE))]
    return [*found, Design((*short, epochs))] if len(short) > 1 else found


def replay(
    design: Design, children: Sequence[Child], cost: float, is_higher_better: bool, seed: int = 0, draws: int = _DRAWS
) -> np.ndarray:
    """Return the test metric of what a design chooses at a `cost`, float64 [draws]; empty where it cannot be replayed.

    It chooses by one whole training of each; the test metric is that of others (`Child.worth`). Architectures are drawn
    without repetition: a design that needs more of them than there are is not replayed.
    """
    sign = 1.0 if is_higher_better else -1.0
    nums = design.nums_for(cost)
    if not 0 < nums[0] <= len(children):
        return np.zeros(0)
    scores = [sign * np.array([child.short[few] for child in children]) for few in design.epochs[:-1]]
    scores.append(sign * np.array([child.chosen_by for child in children]))
    return best_by_stages(nums, scores, [child.worth for child in children], seed, draws)


def budget_rows(
    children: Sequence[Child], epochs: int, is_higher_better: bool, costs: Sequence[float]
) -> list[dict[str, float | str]]:
    """Return a row for each design: its mean percentile among all `children` at each cost, and the standard error.

    The error is a bootstrap over the children (Efron 1979): which architectures a study draws is chance, too, and a
    design that trains many shortly depends on the few that this puts first.
    """
    rng, num = np.random.default_rng(0), len(children)
    resampled = [[children[i] for i in rng.integers(num, size=num)] for _ in range(_RESAMPLED)]
    rows: list[dict[str, float | str]] = []
    for design in designs_of(children, epochs):
        row: dict[str, float | str] = {"design": design.name}
        for cost in costs:
            places = [_mean_percentile(design, some, cost, is_higher_better, _FEW_DRAWS) for some in resampled]
            row[f"at {cost:g}"] = _mean_percentile(design, children, cost, is_higher_better, _DRAWS)
            row[f"error at {cost:g}"] = float(np.std(places))
        rows.append(row)
    return rows


def _mean_percentile(
    design: Design, children: Sequence[Child], cost: float, is_higher_better: bool, draws: int
) -> float:
    """Return where what a design chooses stands among the children, on average; NaN where it cannot be replayed."""
    worths = np.array([child.worth for child in children])
    found, num = np.unique(replay(design, children, cost, is_higher_better, draws=draws), return_counts=True)
    places = [percentile_of(value, worths, is_higher_better) for value in found]
    return float(np.average(places, weights=num)) if places else math.nan
