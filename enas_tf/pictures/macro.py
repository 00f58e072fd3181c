"""The picture of a macro architecture: its layers from the stem down, its skip connections as arcs beside them."""

import itertools
from typing import TYPE_CHECKING

from enas_tf.ops.op import LAYER_OPS
from enas_tf.pictures.canvas import (
    GREY,
    INK,
    PALE,
    blank,
    count,
    draw_arc,
    draw_point,
    fill,
    ink_on,
    tint,
    write,
    write_head,
)
from enas_tf.pictures.drawing import DRAWINGS
from enas_tf.spaces.macro import MacroArchitecture, reduction_places

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: The distance of two rows, what a reduction adds to it, the box of a node, its tab with the number.
ROW, REDUCTION_ROOM, BOX_WIDTH, BOX_HEIGHT, TAB_WIDTH = 38, 12, 160, 26, 30
#: A skip leaves a box this far below its middle and enters one as far above it.
PORT = 5
#: Room around the drawing; on its left, for the signs of reductions; above the middle of the stem, for two lines.
MARGIN, GUTTER, HEAD, MIN_WIDTH = 24, 26, 76, 320
#: How far the arc of a skip over one row bows out; what every further row adds; the most that the longest one may:
#: 24 layers fit the 800 pixels of a page.
FIRST_BOW, NEXT_BOW, MAX_BOW = 26, 23, 556


@DRAWINGS.register("macro")
def draw_macro(architecture: MacroArchitecture) -> "Figure":
    """Draw one row per node from the stem down; a skip is an arc on the right, into the layer that concatenates it."""
    depth = architecture.num_layers
    skips = [(source, target) for target, layer in enumerate(architecture.layers, 1) for source in layer.skips]
    reductions = reduction_places(depth) if depth % 3 == 0 else ()
    rows = [HEAD + ROW * node + REDUCTION_ROOM * sum(node > place for place in reductions) for node in range(depth + 2)]
    reach = max((_bow(target - source, depth) for source, target in skips), default=0)
    gutter = GUTTER if reductions else 0
    content = gutter + BOX_WIDTH + reach
    width = max(content, MIN_WIDTH) + 2 * MARGIN
    left = (width - content) / 2 + gutter
    right = left + BOX_WIDTH
    axes = blank(width, rows[-1] + BOX_HEIGHT / 2 + MARGIN)

    hint = "an arc leads to the layer that concatenates its source" if skips else ""
    write_head(axes, width / 2, f"{count(depth, 'layer')}, {count(len(skips), 'skip connection')}", hint)
    for place in reductions:
        _draw_reduction(axes, left, right + max(reach, GUTTER), (rows[place] + rows[place + 1]) / 2)
    _draw_skips(axes, right, rows, architecture, skips)
    for above, below in itertools.pairwise(rows):
        _draw_step(axes, left + BOX_WIDTH / 2, above + BOX_HEIGHT / 2, below - BOX_HEIGHT / 2)
    _draw_end(axes, left, rows[0], "stem")
    for number, layer in enumerate(architecture.layers, 1):
        _draw_layer(axes, left, rows[number], number, layer.op)
    _draw_end(axes, left, rows[-1], "pooling, classifier")
    return axes.figure


def _draw_skips(
    axes: "Axes", x: float, rows: list[float], architecture: MacroArchitecture, skips: list[tuple[int, int]]
) -> None:
    """Draw arcs in the colours of their sources, and the arrow head that all skips into a layer share."""
    # The long arcs first: short ones lie on top of them. Many arcs are thinner and fainter than few.
    alpha, linewidth = (0.75, 1.4) if len(skips) < 40 else (0.6, 1.1)
    for source, target in sorted(skips, key=lambda skip: skip[0] - skip[1]):
        colour = LAYER_OPS[architecture.layers[source - 1].op].colour if source else GREY
        style = {"edgecolor": colour, "alpha": alpha, "linewidth": linewidth, "gid": f"skip_{source}_{target}"}
        bow = _bow(target - source, architecture.num_layers)
        draw_arc(axes, x, rows[source] + PORT, rows[target] - PORT, bow, zorder=2, **style)
    for target in sorted({target for _, target in skips}):
        draw_point(axes, (x + 1, rows[target] - PORT), (6, 0), 7, facecolor=INK, zorder=3)


def _draw_layer(axes: "Axes", left: float, y: float, number: int, op: str) -> None:
    colour = LAYER_OPS[op].colour
    fill(axes, left, y, BOX_WIDTH, BOX_HEIGHT, facecolor=tint(colour), edgecolor="none", zorder=4)
    fill(axes, left, y, TAB_WIDTH, BOX_HEIGHT, facecolor=colour, edgecolor="none", zorder=4)
    fill(axes, left, y, BOX_WIDTH, BOX_HEIGHT, facecolor="none", edgecolor=colour, linewidth=1.2, zorder=5)
    write(axes, left + TAB_WIDTH / 2, y, str(number), weight="bold", color=ink_on(colour))
    write(axes, left + (TAB_WIDTH + BOX_WIDTH) / 2, y, op)


def _draw_end(axes: "Axes", left: float, y: float, text: str) -> None:
    fill(axes, left, y, BOX_WIDTH, BOX_HEIGHT, facecolor=PALE, edgecolor=GREY, linewidth=1.2, zorder=4)
    write(axes, left + BOX_WIDTH / 2, y, text)


def _draw_step(axes: "Axes", x: float, top: float, bottom: float) -> None:
    """Draw an arrow of the chain."""
    axes.plot((x, x), (top, bottom - 4), color=INK, linewidth=1.2, zorder=3)
    draw_point(axes, (x, bottom), (0, -6), 8, facecolor=INK, zorder=3)


def _draw_reduction(axes: "Axes", left: float, right: float, y: float) -> None:
    axes.plot((left, right), (y, y), color=GREY, linewidth=0.9, linestyle=(0, (4, 3)), zorder=1)
    write(axes, left - 6, y, "/2", color=GREY, ha="right")


def _bow(distance: int, depth: int) -> float:
    return FIRST_BOW + min(NEXT_BOW, (MAX_BOW - FIRST_BOW) / depth) * (distance - 1)
