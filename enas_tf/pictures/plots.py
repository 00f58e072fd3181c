"""Plots of numbers for pages: curves over epochs, points, and which of them no other one beats."""

import dataclasses
import itertools
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
COLOURS = (BLUE, ORANGE, GREEN, PURPLE, "#e69f00", "#56b4e9", GREY, INK)
#: Points of a curve up to which each is marked.
_FEW = 40
#: Room for labels at the left and at the bottom of axes, and at the other sides, in inches.
_LEFT, _BOTTOM, _REST = 0.75, 0.5, 0.12
#: The width of a letter of a label, in inches.
_LETTER = 0.07
#: How much of its row a band of shares fills.
_BAND = 0.8
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
    """Write what each curve and each kind of point of `axes` is."""
    from matplotlib.font_manager import FontProperties

    axes.legend(prop=FontProperties(family=FONTS, size=8), frameon=False)


def _new_grid(
    num: int, columns: int, width: float, height: float, margin: float = _LEFT
) -> tuple["Figure", list["Axes"]]:
    """Return a figure with `num` axes of that size in inches, labels included, with room on the left for a `margin`.

    The room for labels is fixed: to measure all of them would take longer than to draw them.
    """
    from matplotlib.figure import Figure

    rows = math.ceil(num / columns)
    figure = Figure(figsize=(width * columns, height * rows))
    found = []
    for place in range(num):
        row, column = divmod(place, columns)
        left, bottom = (width * column + margin, height * (rows - 1 - row) + _BOTTOM)
        sizes = (width - margin - _REST, height - _BOTTOM - _REST)
        horizontal, vertical = width * columns, height * rows
        box = (left / horizontal, bottom / vertical, sizes[0] / horizontal, sizes[1] / vertical)
        found.append(figure.add_axes(box))
    return figure, found


def draw_panels(panels: Sequence[Panel], columns: int = 2) -> "Figure":
    """Return panels of curves, `columns` in a row."""
    figure, grid = _new_grid(len(panels), columns, 4.6, 2.3)
    for axes, panel in zip(grid, panels, strict=True):
        for (name, (x, y)), colour in zip(panel.curves.items(), itertools.cycle(COLOURS), strict=False):
            marker = "." if len(x) <= _FEW else None
            axes.plot(x, y, color=colour, linewidth=1.4, marker=marker, markersize=5, label=name)
        label(axes, panel.x, panel.y)
        _count_in_whole_numbers(axes)
        if len(panel.curves) > 1:
            show_legend(axes)
    return figure


def _count_in_whole_numbers(axes: "Axes") -> None:
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=7))


def draw_progress(groups: Mapping[str, Points], best: Points, x: str, y: str) -> "Figure":
    """Return points by their group, and the steps of the best so far."""
    figure, (axes,) = _new_grid(1, 1, 9.2, 3)
    for (name, (places, values)), colour in zip(groups.items(), itertools.cycle(COLOURS), strict=False):
        axes.plot(places, values, "o", color=colour, markersize=4, alpha=0.6, label=name)
    axes.step(*best, where="post", color=INK, linewidth=1.4, label="best so far")
    label(axes, x, y)
    _count_in_whole_numbers(axes)
    show_legend(axes)
    return figure


def draw_agreement(groups: Mapping[str, Points], x: str, y: str) -> "Figure":
    """Return points of several groups, each with a marker of its own."""
    figure, (axes,) = _new_grid(1, 1, 5.5, 3.4)
    styles = zip(groups.items(), itertools.cycle("os^vDP"), itertools.cycle(COLOURS), strict=False)
    for (name, (places, values)), marker, colour in styles:
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
    from matplotlib.ticker import EngFormatter

    figure, grid = _new_grid(len(costs), len(costs), 4.6, 3.2)
    for axes, (name, cost) in zip(grid, costs.items(), strict=True):
        front = find_front(cost, values, best == "max")
        axes.plot(cost, values, "o", color=PALE_GREY, markersize=4, alpha=0.6, label="candidate")
        marked = [cost[i] for i in front], [values[i] for i in front]
        axes.plot(*marked, "o-", color=ORANGE, markersize=6, linewidth=1, label="no other is better and cheaper")
        if min(cost) > 0 and max(cost) > _WIDE * min(cost):
            axes.set_xscale("log")
        axes.xaxis.set_major_formatter(EngFormatter(sep=""))
        label(axes, name, y)
        show_legend(axes)
    return figure


def draw_shares(x: Sequence[float], bands: Mapping[str, Mapping[str, Sequence[float]]], name: str) -> "Figure":
    """Return a band for each of `bands`, whose colours are as wide as the shares of its choices.

    Args:
      x: where the shares are known.
      bands: name of a band -> choice -> its share at each x; the shares of a band sum to 1.
      name: label of the x-axis.
    """
    from matplotlib.collections import PolyCollection
    from matplotlib.patches import Patch

    margin = max(_LEFT, 0.2 + _LETTER * max(map(len, bands)))
    figure, (axes,) = _new_grid(1, 1, 9.2, 1.0 + 0.4 * len(bands), margin)
    choices = dict.fromkeys(choice for shares in bands.values() for choice in shares)
    colours = dict(zip(choices, itertools.cycle(COLOURS), strict=False))
    areas: dict[str, list[np.ndarray]] = {choice: [] for choice in choices}
    for row, shares in enumerate(bands.values()):
        lower = np.full(len(x), row + 0.0)
        for choice, values in shares.items():
            upper = lower + _BAND * np.asarray(values, float)
            areas[choice].append(np.stack([np.append(x, x[::-1]), np.append(lower, upper[::-1])], axis=1))
            lower = upper
    for choice, colour in colours.items():
        axes.add_collection(PolyCollection(areas[choice], facecolors=colour, linewidths=0))
    axes.set_yticks([row + _BAND / 2 for row in range(len(bands))], list(bands))
    axes.set(ylim=(len(bands), -0.5 * _BAND), xlim=(min(x), max(x)) if len(x) > 1 else None)
    label(axes, name, "")
    axes.grid(visible=False)
    axes.tick_params(axis="y", length=0)
    _count_in_whole_numbers(axes)
    figure.legend(handles=[Patch(color=colour, label=choice) for choice, colour in colours.items()], loc="upper center",
                  ncols=min(6, len(colours)), frameon=False, prop={"family": FONTS[0], "size": 8})  # fmt: skip
    return figure


def find_front(costs: Sequence[float], values: Sequence[float], is_higher_better: bool) -> list[int]:
    """Return the places of the points that no other one beats, cheapest first: as cheap and better, or cheaper."""
    signed = np.asarray(values, float) * (1 if is_higher_better else -1)
    front: list[int] = []
    for place in sorted(range(len(costs)), key=lambda i: (costs[i], -signed[i])):
        if np.isfinite(signed[place]) and (not front or signed[place] > signed[front[-1]]):
            front.append(place)
    return front
