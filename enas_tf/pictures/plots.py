"""Plots of numbers for pages: curves over epochs, points, and which of them no other one beats."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from enas_tf.pictures.canvas import FONTS, GREY, INK

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Colours that people with any colour vision tell apart (Okabe and Ito), on white.
BLUE, ORANGE, GREEN, PURPLE, PALE_GREY = "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#8a949e"
COLOURS = (BLUE, ORANGE, GREEN, PURPLE, INK, "#e69f00", "#56b4e9", GREY)
#: From how many times the smallest value the largest one is drawn on a logarithmic axis.
_WIDE = 20

#: The x and the y of points.
Points = tuple[Sequence[float], Sequence[float]]


@dataclasses.dataclass(frozen=True)
class Panel:
    """A plot of curves beside others.

    Attributes:
      x: label of the axis.
      y: label of the axis, with the unit.
      curves: name -> points. A single curve needs no legend.
    """

    x: str
    y: str
    curves: Mapping[str, Points]


def new_figure(width: float, height: float) -> "Figure":
    """Return an empty figure of that size in inches, which makes room for its labels."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def label(axes: "Axes", x: str, y: str) -> None:
    """Write the names of both axes, and take away what carries no number."""
    style = {"family": FONTS, "fontsize": 9, "parse_math": False}
    axes.set_xlabel(x, **style)
    axes.set_ylabel(y, **style)
    axes.tick_params(labelsize=8, labelfontfamily=FONTS[0])
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.25, linewidth=0.6)


def show_legend(axes: "Axes") -> None:
    """Name the curves and the points of `axes`."""
    from matplotlib.font_manager import FontProperties

    axes.legend(prop=FontProperties(family=FONTS, size=8), frameon=False)


def draw_panels(panels: Sequence[Panel], columns: int = 2) -> "Figure":
    """Return panels of curves, `columns` in a row."""
    rows = math.ceil(len(panels) / columns)
    figure = new_figure(4.4 * columns, 2.3 * rows)
    for place, panel in enumerate(panels, start=1):
        axes = figure.add_subplot(rows, columns, place)
        for (name, (x, y)), colour in zip(panel.curves.items(), _repeated(len(panel.curves)), strict=True):
            marker = "." if len(x) <= 40 else None
            axes.plot(x, y, color=colour, linewidth=1.4, marker=marker, markersize=5, label=name)
        label(axes, panel.x, panel.y)
        _count_in_whole_numbers(axes)
        if len(panel.curves) > 1:
            show_legend(axes)
    return figure


def _repeated(num: int) -> list[str]:
    return [COLOURS[place % len(COLOURS)] for place in range(num)]


def _count_in_whole_numbers(axes: "Axes") -> None:
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8))


def draw_progress(groups: Mapping[str, Points], best: Points, x: str, y: str) -> "Figure":
    """Return points by their group, and the steps of the best so far."""
    figure = new_figure(8.8, 3)
    axes = figure.add_subplot()
    for (name, (places, values)), colour in zip(groups.items(), _repeated(len(groups)), strict=True):
        axes.plot(places, values, "o", color=colour, markersize=4, alpha=0.6, label=name)
    axes.step(*best, where="post", color=INK, linewidth=1.4, label="best so far")
    label(axes, x, y)
    _count_in_whole_numbers(axes)
    show_legend(axes)
    return figure


def draw_agreement(groups: Mapping[str, Points], x: str, y: str) -> "Figure":
    """Return points of several groups, each with a marker of its own."""
    figure = new_figure(5.5, 3.4)
    axes = figure.add_subplot()
    markers = zip(groups.items(), ("o", "s", "^", "v", "D", "P"), COLOURS, strict=False)
    for (name, (places, values)), marker, colour in markers:
        axes.plot(places, values, marker, color=colour, markersize=7, alpha=0.8, label=name)
    label(axes, x, y)
    if len(groups) > 1:
        show_legend(axes)
    return figure


def draw_fronts(costs: Mapping[str, Sequence[float]], values: Sequence[float], best: str, y: str) -> "Figure":
    """Return a panel for each cost: all points, and those that no other point beats in both.

    Args:
      costs: name of a cost with its unit -> its values; less is better.
      values: of the metric.
      best: "max" where more of the metric is better, else "min".
      y: name of the metric.
    """
    figure = new_figure(4.4 * len(costs), 3.2)
    for place, (name, cost) in enumerate(costs.items(), start=1):
        axes = figure.add_subplot(1, len(costs), place)
        front = find_front(cost, values, best == "max")
        axes.plot(cost, values, "o", color=PALE_GREY, markersize=4, alpha=0.6, label="candidate")
        marked = [cost[i] for i in front], [values[i] for i in front]
        axes.plot(*marked, "o-", color=ORANGE, markersize=6, linewidth=1, label="no other is better and cheaper")
        if min(cost) > 0 and max(cost) > _WIDE * min(cost):
            axes.set_xscale("log")
        label(axes, name, y)
        show_legend(axes)
    return figure


def find_front(costs: Sequence[float], values: Sequence[float], is_higher_better: bool) -> list[int]:
    """Return the places of the points that no other one beats, cheapest first: as cheap and better, or cheaper."""
    signed = np.asarray(values, float) * (1 if is_higher_better else -1)
    front: list[int] = []
    for place in sorted(range(len(costs)), key=lambda i: (costs[i], -signed[i])):
        if np.isfinite(signed[place]) and (not front or signed[place] > signed[front[-1]]):
            front.append(place)
    return front
