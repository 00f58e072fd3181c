"""The picture of a nas_conv architecture: one row per layer between image and classifier, one arc per map that is read.

Arcs into neighbouring rows are short, so that a chain looks like one. A layer is the darker the larger its filters are.
"""

from typing import TYPE_CHECKING

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
from enas_tf.spaces.nas_conv import NasConvArchitecture, NasConvLayer

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: The box of a layer, the tab with its number, the distance of two rows, how much more there is around a pooling.
BOX_WIDTH, BOX_HEIGHT, TAB_WIDTH, ROW, POOL_ROOM = 168, 26, 30, 42, 10
#: Arcs leave and arrive this far from the middle of a row.
PORT = 6
#: Room around the drawing; on its left, for the signs of poolings; above the middle of the image, for two lines.
MARGIN, GUTTER, HEAD, MIN_WIDTH = 24, 26, 76, 320
#: How far an arc to the next row bows out; what every further row adds; the most that the longest one may.
FIRST_BOW, NEXT_BOW, MAX_BOW = 16, 20, 500
#: Blue of the smallest and of the largest filters.
LIGHT, DARK, LARGEST = (0x56, 0xB4, 0xE9), (0x00, 0x43, 0x6B), 7


@DRAWINGS.register("nas_conv")
def draw_nas_conv(architecture: NasConvArchitecture) -> "Figure":
    """Draw the layers from the image down; an arc leads to the layer that reads its source."""
    depth, edges = architecture.num_layers, edges_of(architecture)
    rows = [HEAD + ROW * node + POOL_ROOM * sum(node > place for place in architecture.pools) for node in
            range(depth + 2)]  # fmt: skip
    reach = max(_bow(target - source, depth) for source, target in edges)
    gutter = GUTTER if architecture.pools else 0
    content = gutter + BOX_WIDTH + reach
    width = max(content, MIN_WIDTH) + 2 * MARGIN
    left = (width - content) / 2 + gutter
    axes = blank(width, rows[-1] + BOX_HEIGHT / 2 + MARGIN)

    write_head(axes, width / 2, count(depth, "layer"), "an arc leads to the layer that reads its source")
    for place in architecture.pools:
        y = (rows[place] + rows[place + 1]) / 2
        axes.plot((left, left + BOX_WIDTH + reach), (y, y), color=GREY, linewidth=0.9, linestyle=(0, (4, 3)), zorder=1)
        write(axes, left - 6, y, "/2", color=GREY, ha="right")
    _draw_edges(axes, left + BOX_WIDTH, rows, architecture, edges)
    _draw_end(axes, left, rows[0], "image")
    for number, layer in enumerate(architecture.layers, 1):
        _draw_layer(axes, left, rows[number], number, layer)
    _draw_end(axes, left, rows[-1], "pooling, classifier")
    return axes.figure


def edges_of(architecture: NasConvArchitecture) -> list[tuple[int, int]]:
    """Return source and target of each map that is read: 0 is the image, the number behind the last the classifier."""
    edges = [(node, number) for number, layer in enumerate(architecture.layers, 1) for node in layer.inputs or (0,)]
    return [*edges, *((node, architecture.num_layers + 1) for node in architecture.loose_ends)]


def _draw_edges(
    axes: "Axes", x: float, rows: list[float], architecture: NasConvArchitecture, edges: list[tuple[int, int]]
) -> None:
    """Draw arcs in the colours of their sources, and the arrow head that all arcs into a row share."""
    # The long arcs first: short ones lie on top of them. Many arcs are thinner and fainter than few.
    alpha, linewidth = (0.75, 1.4) if len(edges) < 60 else (0.6, 1.1)
    for source, target in sorted(edges, key=lambda edge: edge[0] - edge[1]):
        colour = colour_of(architecture.layers[source - 1]) if source else GREY
        style = {"edgecolor": colour, "alpha": alpha, "linewidth": linewidth, "gid": f"edge_{source}_{target}"}
        bow = _bow(target - source, architecture.num_layers)
        draw_arc(axes, x, rows[source] + PORT, rows[target] - PORT, bow, zorder=2, **style)
    for target in sorted({target for _, target in edges}):
        draw_point(axes, (x + 1, rows[target] - PORT), (6, 0), 7, facecolor=INK, zorder=3)


def _draw_layer(axes: "Axes", left: float, y: float, number: int, layer: NasConvLayer) -> None:
    colour = colour_of(layer)
    fill(axes, left, y, BOX_WIDTH, BOX_HEIGHT, facecolor=tint(colour), edgecolor="none", zorder=4)
    fill(axes, left, y, TAB_WIDTH, BOX_HEIGHT, facecolor=colour, edgecolor="none", zorder=4)
    fill(axes, left, y, BOX_WIDTH, BOX_HEIGHT, facecolor="none", edgecolor=colour, linewidth=1.2, zorder=5)
    write(axes, left + TAB_WIDTH / 2, y, str(number), weight="bold", color=ink_on(colour))
    strides = "" if layer.strides == (1, 1) else " /{}x{}".format(*layer.strides)
    write(axes, left + (TAB_WIDTH + BOX_WIDTH) / 2, y, f"{layer.filters} of {layer.height}x{layer.width}{strides}")


def colour_of(layer: NasConvLayer) -> str:
    """Return the blue of a layer, as #rrggbb."""
    share = min(1.0, ((layer.height * layer.width) ** 0.5 - 1) / (LARGEST - 1))
    return "#" + "".join(f"{round(a + share * (b - a)):02x}" for a, b in zip(LIGHT, DARK, strict=True))


def _draw_end(axes: "Axes", left: float, y: float, text: str) -> None:
    fill(axes, left, y, BOX_WIDTH, BOX_HEIGHT, facecolor=PALE, edgecolor=GREY, linewidth=1.2, zorder=4)
    write(axes, left + BOX_WIDTH / 2, y, text)


def _bow(distance: int, depth: int) -> float:
    return FIRST_BOW + min(NEXT_BOW, (MAX_BOW - FIRST_BOW) / (depth + 1)) * (distance - 1)
