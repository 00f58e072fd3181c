"""The parts of the pictures of all spaces: a white canvas in CSS pixels, words, boxes, arcs, arrow heads, shades.

Matplotlib is used through its objects alone (no pyplot, no current figure), and imported by the first picture.
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


def blank(width: float, height: float) -> "Axes":
    """Return white axes over a whole figure of its own, in pixels, y downwards."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI, facecolor="white")
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(height, 0))
    axes.set_axis_off()
    return axes


def write(axes: "Axes", x: float, y: float, text: str, pixels: float = 12, **style: Any) -> None:
    """Write `text` with its middle at a point, in a size of `pixels`."""
    style = {"ha": "center", "va": "center_baseline", "color": INK, "family": FONTS, "zorder": 6} | style
    axes.text(x, y, text, fontsize=pixels * 72 / DPI, **style)


def write_head(axes: "Axes", x: float, title: str, hint: str) -> None:
    """Write a heading with its middle at `x`, and below it a line that says how to read the picture."""
    write(axes, x, 22, title, 14, weight="bold")
    if hint:
        write(axes, x, 41, hint, 11, color=GREY)


def fill(axes: "Axes", left: float, y: float, width: float, height: float, **style: Any) -> None:
    """Draw a box, given its left edge, the height of its middle, and its sizes."""
    from matplotlib.patches import Rectangle

    axes.add_patch(Rectangle((left, y - height / 2), width, height, **style))


def draw_arc(axes: "Axes", x: float, start: float, end: float, bow: float, **style: Any) -> None:
    """Draw a curve between the heights `start` and `end` of the vertical line at `x`, at most `bow` away from it."""
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path as Curve

    # A cubic curve reaches three quarters of the way to its two inner points.
    inner = x + bow * 4 / 3
    points = [(x, start), (inner, start), (inner, end), (x, end)]
    curve = Curve(points, [Curve.MOVETO, Curve.CURVE4, Curve.CURVE4, Curve.CURVE4])
    axes.add_patch(PathPatch(curve, facecolor="none", **style))


def draw_point(axes: "Axes", tip: tuple[float, float], back: tuple[float, float], width: float, **style: Any) -> None:
    """Draw an arrow head, given its tip, the vector from the tip to the middle of its back, and the back's width."""
    from matplotlib.patches import Polygon

    (x, y), (dx, dy) = tip, back
    sideways = np.array((-dy, dx)) * width / 2 / np.hypot(dx, dy)
    middle = np.array((x + dx, y + dy))
    axes.add_patch(Polygon([middle + sideways, middle - sideways, (x, y)], **style))


def tint(colour: str) -> tuple[float, ...]:
    """Return a shade of `colour` to write on."""
    from matplotlib.colors import to_rgb

    return tuple(0.82 + 0.18 * channel for channel in to_rgb(colour))


def ink_on(colour: str) -> str:
    """Return white or the colour of ink, whichever is easier to read on `colour`."""
    from matplotlib.colors import to_rgb

    return "white" if np.dot(to_rgb(colour), (0.299, 0.587, 0.114)) < 0.5 else INK


def count(number: int, noun: str) -> str:
    """Return the number and the noun, in the plural unless there is one."""
    return f"{number} {noun}{'' if number == 1 else 's'}"
