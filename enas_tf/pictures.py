"""Pictures of architectures, as SVG for pages and as pixels for TensorBoard, from one drawing.

`draw` looks the space up in `DRAWINGS`; a drawing is a function from an architecture to a figure whose axes count
CSS pixels from the top left corner. Matplotlib is used through its objects alone (no pyplot, no current figure), and
imported by the first picture: a run that draws none does not wait for it.
"""

import io
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from enas_tf.errors import InputError
from enas_tf.spaces.decisions import Architecture
from enas_tf.spaces.macro import MacroArchitecture, reduction_places
from enas_tf.training.files import write_bytes, write_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: CSS pixels in an inch: a length below is what a browser shows, when it shows the SVG in its own size.
DPI = 96
#: PNG files have twice as many pixels, for the screens that have them.
PNG_DPI = 2 * DPI
#: The first family comes with Matplotlib and is wider than what browsers put in its place: what fits here fits there.
FONTS = ["DejaVu Sans", "sans-serif"]
INK, GREY = "#1f2933", "#6b7580"
#: The colours of Okabe and Ito, which colour-blind people tell apart: blue convolves, orange convolves separably, the
#: darker shade has the larger kernel.
OP_COLOURS = {
    "conv_3x3": "#56b4e9",
    "conv_5x5": "#0072b2",
    "sep_conv_3x3": "#e69f00",
    "sep_conv_5x5": "#d55e00",
    "avg_pool_3x3": "#009e73",
    "max_pool_3x3": "#cc79a7",
}

#: The macro drawing: the distance of two rows, what a reduction adds to it, the box of a node, its tab with the number.
ROW, REDUCTION_ROOM, BOX_WIDTH, BOX_HEIGHT, TAB_WIDTH = 38, 12, 160, 26, 30
#: A skip leaves a box this far below its middle and enters one as far above it.
PORT = 5
#: Room around the drawing; on its left, for the signs of reductions; above the middle of the stem, for two lines.
MARGIN, GUTTER, HEAD, MIN_WIDTH = 24, 26, 76, 320
#: How far the arc of a skip over one row bows out; what every further row adds; the most that the longest one may:
#: 24 layers fit the 800 pixels of a page.
FIRST_BOW, NEXT_BOW, MAX_BOW = 26, 23, 556


def draw(architecture: Architecture) -> "Figure":
    """The picture of `architecture`; raises `InputError` for a space without one."""
    if architecture.space_name not in DRAWINGS:
        known = ", ".join(DRAWINGS)
        raise InputError(f"there is no picture of the space {architecture.space_name!r}: expected one of {known}.")
    return DRAWINGS[architecture.space_name](architecture)


def to_svg(figure: "Figure") -> str:
    """The figure as SVG text, the same for the same picture; words in it stay text."""
    import matplotlib

    buffer = io.StringIO()
    # savefig has no arguments for these two. Without a salt the ids are random.
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "enas_tf"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": "enas_tf"})
    return buffer.getvalue()


def to_pixels(figure: "Figure") -> np.ndarray:
    """The figure as uint8 [height, width, 3]."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.array(canvas.buffer_rgba())[..., :3].copy()


def save(figure: "Figure", path: Path) -> None:
    """Writes the figure to `path`, in the format that its suffix names."""
    if path.suffix not in (".svg", ".png"):
        raise InputError(f"the picture {path} has the suffix {path.suffix!r}: expected .svg or .png.")
    if not path.parent.is_dir():
        raise InputError(f"the picture {path} cannot be written: {path.parent} is not a directory. Create it first.")
    try:
        if path.suffix == ".svg":
            write_text(path, to_svg(figure))
        else:
            buffer = io.BytesIO()
            figure.savefig(buffer, format="png", dpi=PNG_DPI, metadata={"Software": None})
            write_bytes(path, buffer.getvalue())
    except OSError as error:
        raise InputError(f"the picture {path} cannot be written: {error.strerror}. Choose another place.") from error


def draw_macro(architecture: MacroArchitecture) -> "Figure":
    """One row per node from the stem down; a skip is an arc on the right, into the layer that concatenates it."""
    depth = architecture.num_layers
    skips = [(source, target) for target, layer in enumerate(architecture.layers, 1) for source in layer.skips]
    reductions = reduction_places(depth) if depth % 3 == 0 else ()
    rows = [HEAD + ROW * node + REDUCTION_ROOM * sum(node > place for place in reductions) for node in range(depth + 2)]
    bows = {(source, target): _bow(target - source, depth) for source, target in skips}
    reach = max(bows.values(), default=0)
    gutter = GUTTER if reductions else 0
    content = gutter + BOX_WIDTH + reach
    width = max(content, MIN_WIDTH) + 2 * MARGIN
    left = (width - content) / 2 + gutter
    right = left + BOX_WIDTH
    axes = _blank(width, rows[-1] + BOX_HEIGHT / 2 + MARGIN)

    _draw_head(axes, width / 2, depth, len(skips))
    for place in reductions:
        _draw_reduction(axes, left, right + max(reach, GUTTER), (rows[place] + rows[place + 1]) / 2)
    # The long arcs first: short ones lie on top of them. Many arcs are thinner and fainter than few.
    alpha, linewidth = (0.75, 1.4) if len(skips) < 40 else (0.6, 1.1)
    for source, target in sorted(skips, key=lambda skip: skip[0] - skip[1]):
        colour = OP_COLOURS[architecture.layers[source - 1].op] if source else GREY
        style = {"edgecolor": colour, "alpha": alpha, "linewidth": linewidth, "gid": f"skip_{source}_{target}"}
        _draw_skip(axes, right, rows[source] + PORT, rows[target] - PORT, bows[source, target], **style)
    for target in sorted({target for _, target in skips}):
        _draw_join(axes, right, rows[target] - PORT)
    for above, below in itertools.pairwise(rows):
        _draw_step(axes, left + BOX_WIDTH / 2, above + BOX_HEIGHT / 2, below - BOX_HEIGHT / 2)
    _draw_end(axes, left, rows[0], "stem")
    for number, layer in enumerate(architecture.layers, 1):
        _draw_layer(axes, left, rows[number], number, layer.op)
    _draw_end(axes, left, rows[-1], "pooling, classifier")
    return axes.figure


DRAWINGS: dict[str, Callable[..., "Figure"]] = {"macro": draw_macro}


def _blank(width: float, height: float) -> "Axes":
    """White axes over a whole figure of its own, in pixels, y downwards."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI, facecolor="white")
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(height, 0))
    axes.set_axis_off()
    return axes


def _write(axes: "Axes", x: float, y: float, text: str, pixels: float = 12, **style: Any) -> None:
    style = {"ha": "center", "va": "center_baseline", "color": INK, "family": FONTS, "zorder": 6} | style
    axes.text(x, y, text, fontsize=pixels * 72 / DPI, **style)


def _fill(axes: "Axes", left: float, y: float, width: float, **style: Any) -> None:
    """A box of a row: its left edge, its middle, its width."""
    from matplotlib.patches import Rectangle

    axes.add_patch(Rectangle((left, y - BOX_HEIGHT / 2), width, BOX_HEIGHT, **style))


def _draw_head(axes: "Axes", x: float, depth: int, num_skips: int) -> None:
    _write(axes, x, 22, f"{_count(depth, 'layer')}, {_count(num_skips, 'skip connection')}", 14, weight="bold")
    if num_skips:
        _write(axes, x, 41, "an arc leads to the layer that concatenates its source", 11, color=GREY)


def _draw_layer(axes: "Axes", left: float, y: float, number: int, op: str) -> None:
    from matplotlib.colors import to_rgb

    colour = OP_COLOURS[op]
    tint = tuple(0.82 + 0.18 * channel for channel in to_rgb(colour))
    _fill(axes, left, y, BOX_WIDTH, facecolor=tint, edgecolor="none", zorder=4)
    _fill(axes, left, y, TAB_WIDTH, facecolor=colour, edgecolor="none", zorder=4)
    _fill(axes, left, y, BOX_WIDTH, facecolor="none", edgecolor=colour, linewidth=1.2, zorder=5)
    is_dark = np.dot(to_rgb(colour), (0.299, 0.587, 0.114)) < 0.5
    _write(axes, left + TAB_WIDTH / 2, y, str(number), weight="bold", color="white" if is_dark else INK)
    _write(axes, left + (TAB_WIDTH + BOX_WIDTH) / 2, y, op)


def _draw_end(axes: "Axes", left: float, y: float, text: str) -> None:
    _fill(axes, left, y, BOX_WIDTH, facecolor="#eef0f2", edgecolor=GREY, linewidth=1.2, zorder=4)
    _write(axes, left + BOX_WIDTH / 2, y, text)


def _draw_step(axes: "Axes", x: float, top: float, bottom: float) -> None:
    """The arrow of the chain."""
    from matplotlib.patches import Polygon

    axes.plot((x, x), (top, bottom - 4), color=INK, linewidth=1.2, zorder=3)
    axes.add_patch(Polygon([(x - 4, bottom - 6), (x + 4, bottom - 6), (x, bottom)], facecolor=INK, zorder=3))


def _draw_reduction(axes: "Axes", left: float, right: float, y: float) -> None:
    axes.plot((left, right), (y, y), color=GREY, linewidth=0.9, linestyle=(0, (4, 3)), zorder=1)
    _write(axes, left - 6, y, "/2", color=GREY, ha="right")


def _draw_skip(axes: "Axes", x: float, start: float, end: float, bow: float, **style: Any) -> None:
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path as Curve

    # A cubic curve reaches three quarters of the way to its two inner points.
    inner = x + bow * 4 / 3
    points = [(x, start), (inner, start), (inner, end), (x, end)]
    curve = Curve(points, [Curve.MOVETO, Curve.CURVE4, Curve.CURVE4, Curve.CURVE4])
    axes.add_patch(PathPatch(curve, facecolor="none", zorder=2, **style))


def _draw_join(axes: "Axes", x: float, y: float) -> None:
    """The arrow head that all skips into a layer share."""
    from matplotlib.patches import Polygon

    axes.add_patch(Polygon([(x + 7, y - 3.5), (x + 7, y + 3.5), (x + 1, y)], facecolor=INK, zorder=3))


def _bow(distance: int, depth: int) -> float:
    return FIRST_BOW + min(NEXT_BOW, (MAX_BOW - FIRST_BOW) / depth) * (distance - 1)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
