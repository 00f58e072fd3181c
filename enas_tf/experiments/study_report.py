"""The tables and pictures of a study: study.csv, children.csv and one page, study.html, which needs no network."""

import itertools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from enas_tf.errors import count_of
from enas_tf.experiments.statistics import (
    best_by_stages,
    interval_of_mean,
    p_of_better,
    percentile_of,
    precision_at_top,
    rank_agreement,
)
from enas_tf.experiments.study import Child, Search
from enas_tf.experiments.study_designs import budget_rows, designs_of, replay, short_epochs_of
from enas_tf.experiments.tables import to_csv
from enas_tf.pictures.page import paragraph, picture, table, to_page
from enas_tf.pictures.plots import BLUE, PALE_GREY, label, new_figure, show_legend

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Costs in whole trainings at which designs are compared.
_COSTS = (2, 4, 8, 16, 32)
#: How far the curves go at least, as far as there are children.
_FARTHEST = 16.0
#: Draws of a mean best of several random children.
_DRAWS = 2000


class Summary:
    """What a study has found.

    Args:
      searches: all searches, of every kind and seed.
      children: random children and found architectures.
      num_random: the first so many of the children are random.
      is_higher_better: whether more of the metric is better.
      epochs: the length of a whole training.
    """

    def __init__(
        self,
        searches: Sequence[Search],
        children: Sequence[Child],
        num_random: int,
        is_higher_better: bool,
        epochs: int,
    ):
        self.searches, self.is_higher_better, self.epochs = list(searches), is_higher_better, epochs
        self.children, self.random = list(children), list(children[:num_random])
        self._sign = 1.0 if is_higher_better else -1.0
        self._by_tokens = {child.tokens: child for child in children}
        self.test = np.array([np.nanmean(child.test) for child in self.random])

    def found(self, search: Search) -> float:
        """Return the mean test metric of what a search has found."""
        return float(np.nanmean(self._by_tokens[search.tokens].test))

    def percentile(self, search: Search) -> float:
        """Return where it stands among the random children."""
        return percentile_of(self.found(search), self.test, self.is_higher_better)

    def by_luck(self, cost: float, seed: int, draws: int = _DRAWS) -> np.ndarray:
        """Return the test metric of the best of as many random children as `cost` buys.

        They are chosen by the validation part after one training; the test metric is that of others, if there are more.
        """
        chosen_by = self._sign * np.array([child.chosen_by for child in self.random])
        worth = [child.worth for child in self.random]
        return best_by_stages([max(1, math.floor(cost))], [chosen_by], worth, seed, draws)

    def rows(self) -> list[dict[str, Any]]:
        """Return a row for each search."""
        return [
            {
                "search": search.name,
                "seed": search.seed,
                "test": self.found(search),
                "percentile": self.percentile(search),
                "cost": search.cost,
                "luck": float(self.by_luck(search.cost, search.seed).mean()),
                **self._ranking(search),
                "arc": self._by_tokens[search.tokens].arc,
            }
            for search in self.searches
        ]

    def kinds(self) -> list[dict[str, Any]]:
        """Return a row for each kind of search: means over seeds, with an interval and a test against luck."""
        rows = []
        for name in dict.fromkeys(search.name for search in self.searches):
            mine = [search for search in self.searches if search.name == name]
            found = [self.found(search) for search in mine]
            percentiles = [self.percentile(search) for search in mine]
            low, high = interval_of_mean(percentiles)
            # A draw for each seed: what one has found is paired with what luck has found once.
            drawn = [float(self.by_luck(search.cost, search.seed, draws=1)[0]) for search in mine]
            lucky = [float(self.by_luck(search.cost, search.seed).mean()) for search in mine]
            rows.append(
                {
                    "search": name,
                    "seeds": len(mine),
                    "cost": float(np.mean([search.cost for search in mine])),
                    "test": float(np.mean(found)),
                    "luck": float(np.mean(lucky)),
                    "percentile": float(np.mean(percentiles)),
                    "low": low,
                    "high": high,
                    "p": p_of_better(self._sign * np.array(found), self._sign * np.array(drawn)),
                }
            )
        return rows

    def baselines(self) -> list[dict[str, Any]]:
        """Return how well sizes, and a second training, rank the random children."""
        truth, found = self._sign * self.test, {}
        for name in ("flops", "parameters"):
            found[name] = np.array([getattr(child, name) for child in self.random], float)
        rows = [self._row_of(name, values, truth) for name, values in found.items()]
        for epochs in short_epochs_of(self.random):
            short = self._sign * np.array([child.short[epochs] for child in self.random])
            rows.append(self._row_of(f"{count_of(epochs, 'epoch')} from scratch", short, truth))
        tests = np.array([child.test for child in self.random])
        if tests.shape[1] > 1:
            rows.append(self._row_of("a second training", self._sign * tests[:, 1], self._sign * tests[:, 0]))
        for key in dict.fromkeys(key for child in self.random for key in child.score):
            scores = self._sign * np.array([child.score.get(key, math.nan) for child in self.random])
            rows.append(self._row_of(f"shared weights of {key}", scores, truth))
        return rows

    def budgets(self) -> list[dict[str, Any]]:
        """Return what budgets buy without shared weights, replayed on the random children."""
        return budget_rows(self.random, self.epochs, self.is_higher_better, _COSTS)

    def _row_of(self, name: str, score: np.ndarray, truth: np.ndarray) -> dict[str, Any]:
        found = best_by_stages([max(1, len(truth) // 2)], [score], self.test, seed=0, draws=_DRAWS)
        best = float(np.mean([percentile_of(value, self.test, self.is_higher_better) for value in found]))
        agreement = {"tau": rank_agreement(score, truth), "top_tenth": precision_at_top(score, truth)}
        return {"score": name, **agreement, "best_of_half": best}

    def _ranking(self, search: Search) -> dict[str, float]:
        key = f"{search.name}, seed {search.seed}"
        if not any(key in child.score for child in self.random):
            return {}
        scores = self._sign * np.array([child.score.get(key, math.nan) for child in self.random])
        return {"tau": rank_agreement(scores, self._sign * self.test)}


def children_csv(children: Sequence[Child], num_random: int) -> str:
    """Return children.csv, which `study.read_truth` reads back; the first `num_random` are random."""
    origins = ["random"] * num_random + ["found"] * (len(children) - num_random)
    rows = [
        {"arc": child.arc, "origin": origin, "parameters": child.parameters, "flops": child.flops}
        | {f"valid_{seed}": value for seed, value in enumerate(child.valid)}
        | {f"test_{seed}": value for seed, value in enumerate(child.test)}
        | {f"short_{epochs}": value for epochs, value in child.short.items()}
        for child, origin in zip(children, origins, strict=True)
    ]
    return to_csv(rows)


def to_html(summary: Summary, title: str, metric: str, task: str) -> str:
    """Return the page of a study."""
    about = (
        f"test = mean test {metric} of the found architectures; luck = of the best of as many random children as "
        "the cost buys, chosen by the validation part; percentile = share of random children that are worse, with a "
        "bootstrap interval of 95 %; p = one-sided, paired over seeds; cost is in full trainings of a child, with that "
        "of the found architecture."
    )
    ranks = (
        "tau = Kendall's, with the test metric; top_tenth = how much of the best tenth by the score is in the best "
        "tenth by the test metric; best_of_half = mean percentile of the best by the score among half of the children."
    )
    budgets = (
        "Mean percentile of what is chosen among the random children at a cost in whole trainings, without shared "
        "weights; nothing where the design needs more architectures than there are. Each is replayed 2,000 times. "
        "The error is the standard error, by a bootstrap over the children."
    )
    parts = [
        paragraph(task),
        f"<h2>Searches</h2>{paragraph(about)}",
        table(summary.kinds()),
        picture(_strip(summary, metric), "found architectures among random ones", "places"),
        picture(_curve(summary, metric), "cost and quality", "costs"),
        f"<h2>How well scores rank random children</h2>{paragraph(ranks)}",
        table(summary.baselines()),
        f"<h2>What a budget buys</h2>{paragraph(budgets)}",
        table(summary.budgets()),
        "<h2>Every search</h2>",
        table(summary.rows()),
    ]
    return to_page(title, parts)


def _strip(summary: Summary, metric: str) -> "Figure":
    """Return a row of points for random children, and one for each kind of search."""
    names = list(dict.fromkeys(search.name for search in summary.searches))
    figure = new_figure(8, 1.2 + 0.4 * len(names))
    axes = figure.add_subplot()
    axes.plot(summary.test, np.zeros(len(summary.test)), "|", markersize=14, color=PALE_GREY)
    for row, name in enumerate(names, start=1):
        found = [summary.found(search) for search in summary.searches if search.name == name]
        axes.plot(found, np.full(len(found), row), "o", color=BLUE, alpha=0.7)
    axes.set_yticks(range(len(names) + 1), ["random children", *names])
    label(axes, f"test {metric}", "")
    return figure


def _curve(summary: Summary, metric: str) -> "Figure":
    """Return the quality of the best of so many random children, and of each search at its cost."""
    figure = new_figure(8, 4)
    axes = figure.add_subplot()
    most = max([*(search.cost for search in summary.searches), _FARTHEST])
    costs = np.unique(np.geomspace(1, max(2, min(most, len(summary.random))), 12).round(1))
    for design, style in zip(designs_of(summary.random, summary.epochs), itertools.cycle(("-", "--", ":", "-."))):
        found = [replay(design, summary.random, cost, summary.is_higher_better) for cost in costs]
        known = [(cost, values.mean()) for cost, values in zip(costs, found, strict=True) if len(values)]
        if known:
            axes.plot(*zip(*known, strict=True), style, color=PALE_GREY, label=f"random children, {design.name}")
    for name in dict.fromkeys(search.name for search in summary.searches):
        mine = [search for search in summary.searches if search.name == name]
        axes.plot([s.cost for s in mine], [summary.found(s) for s in mine], "o", label=name, alpha=0.8)
    axes.set_xscale("log")
    for axis_format in (axes.xaxis.set_major_formatter, axes.xaxis.set_minor_formatter):
        axis_format("{x:g}")
    label(axes, "cost, in full trainings", f"test {metric}")
    show_legend(axes)
    return figure
