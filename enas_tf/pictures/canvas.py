"""What the pictures of all spaces are made of: a white canvas in CSS pixels, words, boxes, arcs, arrow heads, colours.

Matplotlib is used through its objects alone (no pyplot, no current figure), and imported by the first picture: a run
that draws none does not wait for it.
"""

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: CSS pixels in an inch: a length below is what a browser shows, when it shows the SVG in its own size.
DPI = 96
#: The first family comes with Matplotlib and is wider than what browsers put in its place: what fits here fits there.
FONTS = ["DejaVu Sans", "sans-serif"]
INK, GREY, PALE = "#1f2933", "#6b7580", "#eef0f2"
#: The colours of Okabe and Ito, which colour-blind people tell apart, and shades of them: blue convolves, orange
#: convolves separably, pink takes the maximum, the darker shade has the larger kernel. What computes nothing is grey.
OP_COLOURS = {
    "conv_1x1": "#9aa5ee",
    "conv_3x3": "#56b4e9",
    "conv_5x5": "#0072b2",
    "sep_conv_3x3": "#e69f00",
    "sep_conv_5x5": "#d55e00",
    "sep_conv_7x7": "#8f3b00",
    "avg_pool_3x3": "#009e73",
    "max_pool_3x3": "#cc79a7",
    "max_pool_5x5": "#a2427a",
    "max_pool_7x7": "#6a1b4d",
    "identity": "#8a949e",
}


def blank(width: float, height: float) -> "Axes":
    """White axes over a whole figure of its own, in pixels, y downwards."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI, facecolor="white")
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(height, 0))
    axes.set_axis_off()
    return axes


def write(axes: "Axes", x: float, y: float, text: str, pixels: float = 12, **style: Any) -> None:
    style = {"ha": "center", "va": "center_baseline", "color": INK, "family": FONTS, "zorder": 6} | style
    axes.text(x, y, text, fontsize=pixels * 72 / DPI, **style)


def write_head(axes: "Axes", x: float, title: str, hint: str) -> None:
    """A heading in the middle of `x`, and the line below it that says how to read what it is over."""
    write(axes, x, 22, title, 14, weight="bold")
    if hint:
        write(axes, x, 41, hint, 11, color=GREY)


def fill(axes: "Axes", left: float, y: float, width: float, height: float, **style: Any) -> None:
    """A box: its left edge, its middle in height, its sizes."""
    from matplotlib.patches import Rectangle

    axes.add_patch(Rectangle((left, y - height / 2), width, height, **style))


def draw_arc(axes: "Axes", x: float, start: float, end: float, bow: float, **style: Any) -> None:
    """A curve from the height `start` to the height `end` of a vertical line, `bow` away from it at most."""
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path as Curve

    # A cubic curve reaches three quarters of the way to its two inner points.
    inner = x + bow * 4 / 3
    points = [(x, start), (inner, start), (inner, end), (x, end)]
    curve = Curve(points, [Curve.MOVETO, Curve.CURVE4, Curve.CURVE4, Curve.CURVE4])
    axes.add_patch(PathPatch(curve, facecolor="none", **style))


def draw_point(axes: "Axes", tip: tuple[float, float], back: tuple[float, float], width: float, **style: Any) -> None:
    """An arrow head: its tip, how far behind that its back is, and the width of the back."""
    from matplotlib.patches import Polygon

    (x, y), (dx, dy) = tip, back
    sideways = np.array((-dy, dx)) * width / 2 / np.hypot(dx, dy)
    middle = np.array((x + dx, y + dy))
    axes.add_patch(Polygon([middle + sideways, middle - sideways, (x, y)], **style))


def tint(colour: str) -> tuple[float, ...]:
    """A shade of `colour` to write on."""
    from matplotlib.colors import to_rgb

    return tuple(0.82 + 0.18 * channel for channel in to_rgb(colour))


def ink_on(colour: str) -> str:
    """White or ink, whichever reads better on `colour`."""
    from matplotlib.colors import to_rgb

    return "white" if np.dot(to_rgb(colour), (0.299, 0.587, 0.114)) < 0.5 else INK


def count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
