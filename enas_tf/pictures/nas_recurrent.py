"""The picture of a nas_recurrent architecture: its tree from the leaves down to the root, which is the output.

Each node is a box with its number, its combination and its activation. The memory comes in below the box of a node, and
leaves above one, before its activation.
"""

from typing import TYPE_CHECKING

from enas_tf.ops.activations import ACTIVATIONS
from enas_tf.pictures.canvas import GREY, INK, PALE, blank, draw_point, fill, ink_on, tint, write, write_head
from enas_tf.pictures.drawing import DRAWINGS
from enas_tf.spaces.nas_recurrent import COMBINATIONS, NasRecurrentArchitecture, TreeNode

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: The box of a node, the tab with its number, the box of the injection below it, the distances of columns and rows:
#: eight leaves fit 1000 pixels.
BOX_WIDTH, BOX_HEIGHT, TAB_WIDTH, INJECT_HEIGHT, COLUMN, ROW = 92, 26, 22, 20, 100, 88
#: How far from the middle of a node the two that it reads arrive; how far above its box the sign of the memory stands.
PORT, SIGN = 24, 11
#: Room around the drawing; above the leaves, for two lines and a sign.
MARGIN, HEAD, MIN_WIDTH = 24, 92, 400

Point = tuple[float, float]


@DRAWINGS.register("nas_recurrent")
def draw_nas_recurrent(architecture: NasRecurrentArchitecture) -> "Figure":
    """Draw one row of boxes for the leaves and one for each row of nodes that read two each."""
    points, width, bottom = place_nodes(architecture)
    axes = blank(width, bottom + MARGIN)
    write_head(axes, width / 2, f"recurrent cell, base {architecture.base}", "each leaf reads x_t and h_(t-1)")
    for number, node in enumerate(architecture.nodes):
        for side, child in zip((-1, 1), architecture.children(number), strict=False):
            _draw_edge(axes, points[child], _end(architecture, child), points[number], side, f"edge_{child}_{number}")
        _draw_node(axes, points[number], number, node)
    x, y = points[architecture.inject_at]
    _draw_pale(axes, (x, y + (BOX_HEIGHT + INJECT_HEIGHT) / 2), INJECT_HEIGHT, inject_text(architecture), "inject")
    x, y = points[architecture.memory]
    write(axes, x, y - BOX_HEIGHT / 2 - SIGN, "c_t", 11, weight="bold", color=GREY)
    (x, y), root = points[-1], len(points) - 1
    _draw_edge(axes, points[-1], _end(architecture, root), (x, y + ROW), 0, "output")
    _draw_pale(axes, (x, y + ROW), BOX_HEIGHT, "h_t", "output")
    return axes.figure


def inject_text(architecture: NasRecurrentArchitecture) -> str:
    """Return how the memory comes in."""
    return f"{COMBINATIONS[architecture.inject.combination]} c, {architecture.inject.activation}"


def place_nodes(architecture: NasRecurrentArchitecture) -> tuple[list[Point], float, float]:
    """Return the middle of each node, the width of the picture, and the lower edge of the output."""
    base = architecture.base
    width = max((base - 1) * COLUMN + BOX_WIDTH + 2 * MARGIN, MIN_WIDTH)
    left = (width - (base - 1) * COLUMN) / 2
    points: list[Point] = []
    for number in range(len(architecture.nodes)):
        read = [points[child] for child in architecture.children(number)]
        points.append(
            (sum(x for x, _ in read) / 2, read[0][1] + ROW) if read else (left + number * COLUMN, HEAD + BOX_HEIGHT / 2)
        )
    return points, width, points[-1][1] + ROW + BOX_HEIGHT / 2


def _end(architecture: NasRecurrentArchitecture, number: int) -> float:
    """Return how far below the middle of a node its edge leaves."""
    return BOX_HEIGHT / 2 + (INJECT_HEIGHT if number == architecture.inject_at else 0)


def _draw_edge(axes: "Axes", start: Point, below: float, node: Point, side: int, gid: str) -> None:
    """Draw a curve with an arrow head to the upper side of the box around `node`."""
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path as Curve

    x, y, to_x, to_y = start[0], start[1] + below, node[0] + side * PORT, node[1] - BOX_HEIGHT / 2
    middle = (y + to_y) / 2
    curve = Curve([(x, y), (x, middle), (to_x, middle), (to_x, to_y - 4)], [Curve.MOVETO] + 3 * [Curve.CURVE4])
    axes.add_patch(PathPatch(curve, facecolor="none", edgecolor=INK, linewidth=1.3, zorder=2, gid=gid))
    draw_point(axes, (to_x, to_y), (0, -7), 8, facecolor=INK, zorder=3)


def _draw_pale(axes: "Axes", point: Point, height: float, text: str, gid: str) -> None:
    style = {"facecolor": PALE, "edgecolor": GREY, "linewidth": 1.2, "zorder": 4, "gid": f"box_{gid}"}
    fill(axes, point[0] - BOX_WIDTH / 2, point[1], BOX_WIDTH, height, **style)
    write(axes, *point, text, 11)


def _draw_node(axes: "Axes", point: Point, number: int, node: TreeNode) -> None:
    colour, left, y = ACTIVATIONS[node.activation].colour, point[0] - BOX_WIDTH / 2, point[1]
    fill(axes, left, y, BOX_WIDTH, BOX_HEIGHT, facecolor=tint(colour), edgecolor="none", zorder=4)
    fill(axes, left, y, TAB_WIDTH, BOX_HEIGHT, facecolor=colour, edgecolor="none", zorder=4)
    style = {"facecolor": "none", "edgecolor": colour, "linewidth": 1.2, "zorder": 5, "gid": f"node_{number}"}
    fill(axes, left, y, BOX_WIDTH, BOX_HEIGHT, **style)
    write(axes, left + TAB_WIDTH / 2, y, str(number), 11, weight="bold", color=ink_on(colour))
    write(axes, left + (TAB_WIDTH + BOX_WIDTH) / 2, y, node_text(node), 11)


def node_text(node: TreeNode) -> str:
    """Return what a node does, such as "+ tanh"."""
    return f"{COMBINATIONS[node.combination]} {node.activation}"
