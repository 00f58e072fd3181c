"""The picture of a recurrent architecture: the tree of its nodes, from the inputs down to the mean that is the output.

Every node but the first reads one other, so a child hangs below its parent and no lines cross. Leaves have a column of
their own with nothing below them: straight lines lead from there to the mean. Lines from inner nodes would run through
others, so a dot marks those that are part of the mean.
"""

import dataclasses
from typing import TYPE_CHECKING

from enas_tf.ops.activations import ACTIVATIONS
from enas_tf.pictures.canvas import GREY, INK, PALE, blank, count, draw_point, fill, ink_on, tint, write, write_head
from enas_tf.pictures.drawing import DRAWINGS
from enas_tf.spaces.recurrent import LstmBaseline, RecurrentArchitecture

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: The box of a node, the tab with its number, the distance of two columns: twelve nodes fit 1000 pixels.
BOX_WIDTH, BOX_HEIGHT, TAB_WIDTH, COLUMN = 76, 26, 20, 84
#: The room between two rows; the part of an edge's way sideways that adds to it; the most: flat edges run together.
ROOM, SLOPE, MAX_ROOM = 34, 0.12, 80
#: How far apart the edges leave a node; what they keep from its corners; how far from its middle the inputs arrive.
PORT, CORNER, INPUT_PORT = 14, 10, 16
#: Room around the drawing; above the inputs, for two lines; below the mean, for the legend.
MARGIN, HEAD, LEGEND, MIN_WIDTH = 24, 62, 22, 360
#: From the lowest node to the line that gathers the leaves, and from there to the mean.
RAIL, DROP = 20, 24
DOT = 4.5

Point = tuple[float, float]


@dataclasses.dataclass(frozen=True)
class Tree:
    """The places of the boxes: the middles of all nodes, the children of each, the mean, and the whole size."""

    points: list[Point]
    children: list[list[int]]
    mean: Point
    width: float
    height: float


@DRAWINGS.register("recurrent")
def draw_recurrent(architecture: RecurrentArchitecture | LstmBaseline) -> "Figure":
    """Draw one box per node, in a row for each distance from the inputs."""
    if isinstance(architecture, LstmBaseline):
        return _draw_baseline(architecture)
    tree = _grow(architecture)
    axes = blank(tree.width, tree.height)
    title = f"recurrent cell, {count(architecture.num_nodes, 'node')}"
    write_head(axes, tree.width / 2, title, "an arrow leads to the node that reads its source")
    _draw_inputs(axes, tree.points[0])
    _draw_mean(axes, tree, architecture)
    for number, node in enumerate(architecture.nodes):
        for child, x in _ports(tree, number).items():
            _draw_edge(axes, (x, tree.points[number][1] + BOX_HEIGHT / 2), tree.points[child], f"edge_{number}_{child}")
        _draw_node(axes, tree.points[number], number, node.activation)
    _draw_dots(axes, tree, _dotted(architecture))
    return axes.figure


def place_nodes(architecture: RecurrentArchitecture) -> tuple[list[float], list[int]]:
    """Return the column of each node, counted from the left, and its distance from node 0.

    Leaves take the columns in the order of a walk through the tree, a parent stands over the middle of its children.
    """
    children = _children(architecture)
    columns, depths = [0.0] * architecture.num_nodes, [0] * architecture.num_nodes
    leaves, stack = 0, [0]
    while stack:
        number = stack.pop()
        for child in reversed(children[number]):
            depths[child] = depths[number] + 1
            stack.append(child)
        if not children[number]:
            columns[number], leaves = float(leaves), leaves + 1
    for number in reversed(range(architecture.num_nodes)):  # Children have higher numbers than their parent.
        if children[number]:
            columns[number] = (columns[children[number][0]] + columns[children[number][-1]]) / 2
    return columns, depths


def _children(architecture: RecurrentArchitecture) -> list[list[int]]:
    children: list[list[int]] = [[] for _ in architecture.nodes]
    for number, node in enumerate(architecture.nodes):
        if node.previous is not None:
            children[node.previous].append(number)
    return children


def _grow(architecture: RecurrentArchitecture) -> Tree:
    columns, depths = place_nodes(architecture)
    # A lone column is not as wide as the two inputs over it.
    content = max(max(columns), 1) * COLUMN + BOX_WIDTH
    width = max(content + 2 * MARGIN, MIN_WIDTH)
    left = (width - max(columns) * COLUMN) / 2
    rows = _rows(architecture, columns, depths)
    points = [(left + column * COLUMN, rows[depth]) for column, depth in zip(columns, depths, strict=True)]
    mean = (width / 2, rows[-1] + BOX_HEIGHT + RAIL + DROP)
    legend = LEGEND if _dotted(architecture) else 0
    return Tree(points, _children(architecture), mean, width, mean[1] + BOX_HEIGHT / 2 + legend + MARGIN)


def _rows(architecture: RecurrentArchitecture, columns: list[float], depths: list[int]) -> list[float]:
    """Return the heights of the nodes at each distance from node 0."""
    rooms = [0.0] * (max(depths) + 1)
    for number, node in enumerate(architecture.nodes):
        if node.previous is not None:
            reach = abs(columns[number] - columns[node.previous]) * COLUMN
            rooms[depths[number]] = max(rooms[depths[number]], min(ROOM + SLOPE * reach, MAX_ROOM))
    rows = [HEAD + BOX_HEIGHT + ROOM + BOX_HEIGHT / 2]
    for room in rooms[1:]:
        rows.append(rows[-1] + BOX_HEIGHT + room)
    return rows


def _dotted(architecture: RecurrentArchitecture) -> list[int]:
    """Return the nodes of the mean that others read."""
    return sorted(set(architecture.averaged) - set(architecture.loose_ends))


def _ports(tree: Tree, number: int) -> dict[int, float]:
    """Return where the edges to the children of a node leave its lower side; in this order they do not cross."""
    children = tree.children[number]
    step = min(PORT, (BOX_WIDTH - 2 * CORNER) / max(len(children) - 1, 1))
    first = tree.points[number][0] - step * (len(children) - 1) / 2
    return {child: first + step * place for place, child in enumerate(children)}


def _draw_inputs(axes: "Axes", node: Point) -> None:
    """Draw the two boxes over node 0."""
    x, y = node[0], HEAD + BOX_HEIGHT / 2
    for side, name in ((-1, "x_t"), (1, "h_(t-1)")):
        middle = x + side * COLUMN / 2
        _draw_end(axes, (middle, y), BOX_WIDTH, name, name[0])
        _draw_edge(axes, (middle, y + BOX_HEIGHT / 2), (x + side * INPUT_PORT, node[1]), f"input_{name[0]}")


def _draw_mean(axes: "Axes", tree: Tree, architecture: RecurrentArchitecture) -> None:
    """Draw the output, and the lines to it from all leaves."""
    x, top = tree.mean[0], tree.mean[1] - BOX_HEIGHT / 2
    rail, style = top - DROP, {"color": GREY, "linewidth": 1.2, "zorder": 1}
    for leaf in architecture.loose_ends:
        its_x, its_y = tree.points[leaf]
        axes.plot((its_x, its_x), (its_y + BOX_HEIGHT / 2, rail), gid=f"mean_{leaf}", **style)
    xs = [tree.points[leaf][0] for leaf in architecture.loose_ends]
    axes.plot((min(xs), max(xs)), (rail, rail), solid_capstyle="projecting", **style)
    axes.plot((x, x), (rail, top - 4), **style)
    draw_point(axes, (x, top), (0, -7), 8, facecolor=GREY, zorder=3)
    _draw_end(axes, tree.mean, COLUMN + BOX_WIDTH, "mean = h_t", "mean")


def _draw_dots(axes: "Axes", tree: Tree, dotted: list[int]) -> None:
    """Mark the nodes of the mean that are no leaves, and say what the marks mean."""
    from matplotlib.patches import Circle

    for number in dotted:
        corner = (tree.points[number][0] + BOX_WIDTH / 2, tree.points[number][1] - BOX_HEIGHT / 2)
        axes.add_patch(Circle(corner, DOT, facecolor=INK, edgecolor="white", zorder=7, gid=f"mean_{number}"))
    if dotted:
        write(axes, tree.mean[0], tree.height - MARGIN - 6, "dot: part of the mean, too", 11, color=GREY)


def _draw_edge(axes: "Axes", start: Point, node: Point, gid: str) -> None:
    """Draw a curve with an arrow head from a point to the upper side of the box around `node`."""
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path as Curve

    (x, y), (to_x, to_y) = start, (node[0], node[1] - BOX_HEIGHT / 2)
    middle = (y + to_y) / 2
    curve = Curve([(x, y), (x, middle), (to_x, middle), (to_x, to_y - 4)], [Curve.MOVETO] + 3 * [Curve.CURVE4])
    axes.add_patch(PathPatch(curve, facecolor="none", edgecolor=INK, linewidth=1.3, zorder=2, gid=gid))
    draw_point(axes, (to_x, to_y), (0, -7), 8, facecolor=INK, zorder=3)


def _draw_end(axes: "Axes", point: Point, width: float, text: str, gid: str) -> None:
    """Draw a box that is no node."""
    style = {"facecolor": PALE, "edgecolor": GREY, "linewidth": 1.2, "zorder": 4, "gid": f"box_{gid}"}
    fill(axes, point[0] - width / 2, point[1], width, BOX_HEIGHT, **style)
    write(axes, *point, text)


def _draw_node(axes: "Axes", point: Point, number: int, activation: str) -> None:
    colour, left, y = ACTIVATIONS[activation].colour, point[0] - BOX_WIDTH / 2, point[1]
    fill(axes, left, y, BOX_WIDTH, BOX_HEIGHT, facecolor=tint(colour), edgecolor="none", zorder=4)
    fill(axes, left, y, TAB_WIDTH, BOX_HEIGHT, facecolor=colour, edgecolor="none", zorder=4)
    style = {"facecolor": "none", "edgecolor": colour, "linewidth": 1.2, "zorder": 5, "gid": f"node_{number}"}
    fill(axes, left, y, BOX_WIDTH, BOX_HEIGHT, **style)
    write(axes, left + TAB_WIDTH / 2, y, str(number), 11, weight="bold", color=ink_on(colour))
    write(axes, left + (TAB_WIDTH + BOX_WIDTH) / 2, y, activation, 11)


def _draw_baseline(baseline: LstmBaseline) -> "Figure":
    axes, middle = blank(MIN_WIDTH + 2 * MARGIN, HEAD + BOX_HEIGHT / 2 + MARGIN), MIN_WIDTH / 2 + MARGIN
    write_head(axes, middle, "baseline", "")
    text = f"LSTM with as many parameters as a cell of {count(baseline.nodes, 'node')}"
    _draw_end(axes, (middle, HEAD - 4), MIN_WIDTH, text, "lstm")
    return axes.figure
