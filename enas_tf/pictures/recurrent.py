"""The picture of a recurrent architecture: the tree of its nodes, from the inputs down.

Every node but the first reads one other, so a child hangs below its parent and no lines cross. A dot marks the nodes
whose mean is the output: lines from all of them to one box would run through others.
"""

from typing import TYPE_CHECKING

from enas_tf.pictures.canvas import GREY, INK, PALE, blank, draw_point, fill, ink_on, tint, write, write_head
from enas_tf.spaces.recurrent import LstmBaseline, RecurrentArchitecture

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Of the colours of Okabe and Ito.
ACTIVATION_COLOURS = {"tanh": "#0072b2", "relu": "#d55e00", "identity": "#8a949e", "sigmoid": "#009e73"}
#: The box of a node and the tab with its number; what two neighbours are apart; twelve leaves fit 1000 pixels.
BOX_WIDTH, BOX_HEIGHT, TAB_WIDTH, GAP, ROW = 76, 26, 20, 8, 62
MARGIN, HEAD, MIN_WIDTH = 22, 74, 440
#: The dot of a node that is part of the output.
DOT = 4


def draw_recurrent(architecture: RecurrentArchitecture | LstmBaseline) -> "Figure":
    """One box per node, a row for each distance from the inputs."""
    if isinstance(architecture, LstmBaseline):
        return _draw_baseline(architecture)
    columns, depths = place_nodes(architecture)
    # The two inputs stand half a box to either side of node 0, perhaps beyond the leaves.
    left, right = min(0.0, columns[0] - 0.5), max(*columns, columns[0] + 0.5)
    content = (right - left) * (BOX_WIDTH + GAP) + BOX_WIDTH
    width = max(content, MIN_WIDTH - 2 * MARGIN) + 2 * MARGIN
    offset = (width - content + BOX_WIDTH) / 2
    points = [
        (offset + (column - left) * (BOX_WIDTH + GAP), HEAD + ROW * (depth + 1))
        for column, depth in zip(columns, depths, strict=True)
    ]
    axes = blank(width, HEAD + ROW * (max(depths) + 1) + BOX_HEIGHT / 2 + DOT + MARGIN)
    write_head(
        axes,
        width / 2,
        f"recurrent cell, {architecture.num_nodes} node{'s' * (architecture.num_nodes > 1)}",
        "each line is a weight of its own; the mean of the dotted nodes is h_t",
    )
    _draw_inputs(axes, *points[0])
    for number, node in enumerate(architecture.nodes):
        if node.previous is not None:
            _draw_edge(axes, points[node.previous], points[number], f"edge_{node.previous}_{number}")
        _draw_node(axes, *points[number], number, node.activation, number in architecture.averaged)
    return axes.figure


def place_nodes(architecture: RecurrentArchitecture) -> tuple[list[float], list[int]]:
    """The column of each node, in boxes from the left, and its distance from node 0.

    Leaves take the columns in the order of a walk through the tree, a parent stands over the middle of its children.
    """
    children = [[] for _ in architecture.nodes]
    depths = [0] * architecture.num_nodes
    for number, node in enumerate(architecture.nodes):
        if node.previous is not None:
            children[node.previous].append(number)
            depths[number] = depths[node.previous] + 1
    columns, num_leaves = [0.0] * architecture.num_nodes, 0

    def place(number: int) -> None:
        nonlocal num_leaves
        for child in children[number]:
            place(child)
        if children[number]:
            columns[number] = (columns[children[number][0]] + columns[children[number][-1]]) / 2
        else:
            columns[number], num_leaves = float(num_leaves), num_leaves + 1

    place(0)
    return columns, depths


def _draw_inputs(axes: "Axes", x: float, y: float) -> None:
    """The two boxes over node 0."""
    top = y - ROW
    for side, name in ((-1, "x_t"), (1, "h_(t-1)")):
        center = x + side * (BOX_WIDTH + GAP) / 2
        fill(axes, center - BOX_WIDTH / 2, top, BOX_WIDTH, BOX_HEIGHT, facecolor=PALE, edgecolor=GREY, linewidth=1.2)
        write(axes, center, top, name)
        _draw_edge(axes, (center, top), (x, y), f"input_{name}")


def _draw_edge(axes: "Axes", start: tuple[float, float], end: tuple[float, float], gid: str) -> None:
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path as Curve

    (x, y), (to_x, to_y) = (start[0], start[1] + BOX_HEIGHT / 2), (end[0], end[1] - BOX_HEIGHT / 2)
    middle = (y + to_y) / 2
    curve = Curve([(x, y), (x, middle), (to_x, middle), (to_x, to_y - 4)], [Curve.MOVETO] + 3 * [Curve.CURVE4])
    axes.add_patch(PathPatch(curve, facecolor="none", edgecolor=INK, linewidth=1.3, zorder=2, gid=gid))
    draw_point(axes, (to_x, to_y), (0, -6), 8, facecolor=INK, zorder=3)


def _draw_node(axes: "Axes", x: float, y: float, number: int, activation: str, is_averaged: bool) -> None:
    from matplotlib.patches import Circle

    colour, left = ACTIVATION_COLOURS[activation], x - BOX_WIDTH / 2
    fill(axes, left, y, BOX_WIDTH, BOX_HEIGHT, facecolor=tint(colour), edgecolor="none", zorder=4)
    fill(axes, left, y, TAB_WIDTH, BOX_HEIGHT, facecolor=colour, edgecolor="none", zorder=4)
    style = {"facecolor": "none", "edgecolor": colour, "linewidth": 1.2, "zorder": 5, "gid": f"node_{number}"}
    fill(axes, left, y, BOX_WIDTH, BOX_HEIGHT, **style)
    write(axes, left + TAB_WIDTH / 2, y, str(number), 11, weight="bold", color=ink_on(colour))
    write(axes, left + (TAB_WIDTH + BOX_WIDTH) / 2, y, activation, 11)
    if is_averaged:
        axes.add_patch(
            Circle((x, y + BOX_HEIGHT / 2), DOT, facecolor=INK, edgecolor="white", zorder=7, gid=f"mean_{number}")
        )


def _draw_baseline(baseline: LstmBaseline) -> "Figure":
    axes = blank(MIN_WIDTH, 120)
    write_head(axes, MIN_WIDTH / 2, "baseline", f"with as many parameters as a cell of {baseline.nodes} nodes")
    fill(axes, MIN_WIDTH / 2 - BOX_WIDTH, 82, 2 * BOX_WIDTH, BOX_HEIGHT, facecolor=PALE, edgecolor=GREY, linewidth=1.2)
    write(axes, MIN_WIDTH / 2, 82, "LSTM")
    return axes.figure
