"""The picture of an architecture of cells: its cells beside each other, each from its inputs down to its output.

Every node is a box with its number in the lower half. The upper half of a block names its two operations. Each
operation has an arc in its colour from the node that it reads: the arc of the first is on the left of the boxes, that
of the second on the right, so that two arcs of one node into one block never lie on each other, and no name is on an
arc.
"""

import dataclasses
from typing import TYPE_CHECKING

from enas_tf.ops.op import CELL_OPS
from enas_tf.pictures.canvas import (
    GREY,
    INK,
    PALE,
    blank,
    draw_arc,
    draw_point,
    fill,
    tint,
    write,
    write_head,
)
from enas_tf.pictures.drawing import DRAWINGS
from enas_tf.spaces.cells import NUM_INPUTS, Block, Cell, CellArchitecture

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: The box of an operation, the room for a plus between two of them, the lower half of a node, the tab with its number.
OP_WIDTH, OP_HEIGHT, PLUS_WIDTH, BASE_HEIGHT, TAB_WIDTH = 112, 22, 28, 18, 30
BOX_WIDTH = 2 * OP_WIDTH + PLUS_WIDTH
#: Arcs leave a node this far above the middle of its lower half, the line to the output as far below it.
PORT = 3
#: The distance of two rows.
ROW = OP_HEIGHT + BASE_HEIGHT + 20
#: Room around the drawing; above the first input, for two lines; between the arcs of the two cells.
MARGIN, HEAD, AISLE = 22, 62, 26
#: How far an arc of the innermost lane bows out; what every further lane adds; the most that the outermost one may:
#: cells of any size fit 1000 pixels.
FIRST_BOW, NEXT_BOW, MAX_BOW = 24, 13, 104
#: The line that gathers the nodes of the output: right of the boxes, left of all arcs' bows.
RAIL = 13
HEADINGS = {
    "normal": ("normal cell", "an arc leads to the operation that reads its source"),
    "reduction": ("reduction cell, halves the image", "/2: with stride 2"),
    "cell": ("cell, with and without stride", "an arc leads to the operation that reads its source"),
}
#: The sign between the operations of a block, by what it does with their results.
SIGNS = {"add": "+", "concat": "++"}
SIDES = ("left", "right")

#: The two nodes of an arc.
Edge = tuple[int, int]


@dataclasses.dataclass(frozen=True)
class Place:
    """A cell in the picture: its name, the left edge of its boxes, and what every further lane adds to an arc's bow."""

    name: str
    left: float
    next_bow: float

    @property
    def right(self) -> float:
        return self.left + BOX_WIDTH

    @property
    def middle(self) -> float:
        return self.left + BOX_WIDTH / 2

    def upper(self, node: int) -> float:
        """Return the middle of a node's upper half, where arcs arrive."""
        return HEAD + ROW * node + OP_HEIGHT / 2

    def lower(self, node: int) -> float:
        """Return the middle of a node's lower half, near which arcs leave."""
        return HEAD + ROW * node + OP_HEIGHT + BASE_HEIGHT / 2

    def is_halved(self, source: int) -> bool:
        return self.name == "reduction" and source < NUM_INPUTS


@DRAWINGS.register("micro")
@DRAWINGS.register("nasnet")
@DRAWINGS.register("pnas")
def draw_cells(architecture: CellArchitecture) -> "Figure":
    """Draw the normal cell on the left, the reduction cell on the right; a cell that is both stands alone."""
    lanes = [lane for cell in architecture.cells.values() for side in range(2) for lane in _lanes(cell, side).values()]
    next_bow = min(NEXT_BOW, (MAX_BOW - FIRST_BOW) / max(*lanes, 1))
    reach = FIRST_BOW + next_bow * max(lanes)
    num_rows, num_cells = NUM_INPUTS + architecture.num_blocks + 1, len(architecture.kinds)
    width = 2 * MARGIN + num_cells * (reach + BOX_WIDTH + reach) + (num_cells - 1) * AISLE
    axes = blank(width, HEAD + ROW * (num_rows - 1) + OP_HEIGHT + MARGIN)
    lefts = (MARGIN + reach, width - MARGIN - reach - BOX_WIDTH)
    for left, name in zip(lefts, architecture.kinds, strict=False):
        _draw_cell(axes, Place(name, left, next_bow), architecture)
    return axes.figure


def _lanes(cell: Cell, side: int) -> dict[Edge, int]:
    """Return the arcs on a side and their lanes, counted outwards; the longest arc first, for short ones to lie on top.

    A longer arc is further out than the shorter ones that it passes. Two arcs of one length that overlap get different
    lanes; in one lane they would lie on each other.
    """
    edges = sorted(_edges(cell, side), key=lambda edge: (edge[1] - edge[0], edge))
    lanes: dict[Edge, int] = {}
    for source, node in edges:
        passed = [lane for (other, end), lane in lanes.items() if other < node and source < end]
        lanes[source, node] = max([node - source - 1, *(lane + 1 for lane in passed)])
    return dict(reversed(lanes.items()))


def _edges(cell: Cell, side: int) -> list[Edge]:
    return [(block.inputs[side], node) for node, block in enumerate(cell.blocks, NUM_INPUTS)]


def _draw_cell(axes: "Axes", place: Place, architecture: CellArchitecture) -> None:
    cell, (heading, legend) = architecture.cells[place.name], HEADINGS[place.name]
    if place.name == "reduction" and any(
        block.combine != "add" for other in architecture.cells.values() for block in other.blocks
    ):
        legend += ", ++: joins channels"
    write_head(axes, place.middle, heading, legend)
    _draw_joins(axes, place, architecture.joined(place.name), cell.num_nodes)
    for side in range(2):
        _draw_arcs(axes, place, cell, side)
    for node in range(NUM_INPUTS):
        _draw_lower(axes, place, node)
        _draw_upper(axes, place, node, "cell k-1" if node == architecture.last_input else "cell k-2")
    for node, block in enumerate(cell.blocks, NUM_INPUTS):
        _draw_lower(axes, place, node)
        _draw_block(axes, place, node, block)
    _draw_upper(axes, place, cell.num_nodes, "concat, 1x1" if architecture.narrows else "concat")


def _draw_joins(axes: "Axes", place: Place, joined: tuple[int, ...], output: int) -> None:
    """Draw the rail into the output, and a line to it from each node that the output joins."""
    x, end, style = place.right + RAIL, place.upper(output), {"color": INK, "linewidth": 1.2, "solid_capstyle": "butt"}
    axes.plot((x, x, place.right + 4), (place.lower(joined[0]) + PORT, end, end), zorder=1, **style)
    draw_point(axes, (place.right + 1, end), (7, 0), 8, facecolor=INK, zorder=3)
    for node in joined:
        y = place.lower(node) + PORT
        axes.plot((place.right, x), (y, y), zorder=3, gid=f"join_{place.name}_{node}", **style)
        axes.plot(x, y, "o", color=INK, markersize=3.4, zorder=3)
        if place.is_halved(node):
            write(axes, place.right - 5, place.lower(node), "/2", 11, ha="right")


def _draw_arcs(axes: "Axes", place: Place, cell: Cell, side: int) -> None:
    """Draw the arcs on a side, those of a later node over those of an earlier one."""
    x, outwards = (place.right, 1) if side else (place.left, -1)
    lanes = _lanes(cell, side)
    for source in range(cell.num_nodes):
        bows = {node: FIRST_BOW + place.next_bow * lane for (start, node), lane in lanes.items() if start == source}
        ends = {node: (place.lower(source) - PORT, place.upper(node), outwards * bow) for node, bow in bows.items()}
        # White rims say which arc is which where two cross. Arcs of one node are open to each other: it is their stem.
        for end in ends.values():
            draw_arc(axes, x, *end, edgecolor="white", linewidth=4.2, zorder=2)
        for node, end in ends.items():
            colour = CELL_OPS[cell.blocks[node - NUM_INPUTS].ops[side]].colour
            gid = f"edge_{place.name}_{source}_{node}_{SIDES[side]}"
            draw_arc(axes, x, *end, edgecolor=colour, linewidth=1.6, zorder=2, gid=gid)
            draw_point(axes, (x + outwards, end[1]), (outwards * 8, 0), 8, facecolor=colour, zorder=3)


def _draw_upper(axes: "Axes", place: Place, node: int, text: str) -> None:
    """Draw the upper half of a node, which is all of the output."""
    y = place.upper(node)
    fill(axes, place.left, y, BOX_WIDTH, OP_HEIGHT, facecolor=PALE, edgecolor=GREY, linewidth=1.2, zorder=5)
    write(axes, place.middle, y, text)


def _draw_lower(axes: "Axes", place: Place, node: int) -> None:
    """Draw the lower half of a node."""
    y = place.lower(node)
    fill(axes, place.left, y, BOX_WIDTH, BASE_HEIGHT, facecolor=PALE, edgecolor=GREY, linewidth=1.2, zorder=4)
    fill(axes, place.middle - TAB_WIDTH / 2, y, TAB_WIDTH, BASE_HEIGHT, facecolor=GREY, edgecolor="none", zorder=4)
    write(axes, place.middle, y, str(node), weight="bold", color="white")


def _draw_block(axes: "Axes", place: Place, node: int, block: Block) -> None:
    """Draw the upper half of a block."""
    y = place.upper(node)
    _draw_upper(axes, place, node, SIGNS[block.combine])
    lefts = (place.left, place.right - OP_WIDTH)
    for left, side, source, op in zip(lefts, SIDES, block.inputs, block.ops, strict=True):
        colour = CELL_OPS[op].colour
        style = {"facecolor": tint(colour), "edgecolor": colour, "linewidth": 1.2, "zorder": 5}
        fill(axes, left, y, OP_WIDTH, OP_HEIGHT, gid=f"op_{place.name}_{node}_{side}", **style)
        write(axes, left + OP_WIDTH / 2, y, f"{op} /2" if place.is_halved(source) else op, 11)
