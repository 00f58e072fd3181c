"""Laws of the drawing of cells: every operation is written where its arc arrives, and nothing lies on a word."""

import itertools
from typing import NamedTuple

import numpy as np
import pytest

from enas_tf.ops.op import CELL_OPS
from enas_tf.pictures import draw, to_pixels, to_svg
from enas_tf.spaces.architectures import read_architecture
from enas_tf.spaces.cells import Block, Cell
from enas_tf.spaces.micro import MicroArchitecture, MicroSpace
from enas_tf.spaces.nasnet import NasnetSpace


def sample(seed: int, **space) -> MicroArchitecture:
    space = MicroSpace(**space)
    return space.decode(space.random_tokens(1, np.random.default_rng(seed))[0])


NASNET = NasnetSpace(blocks=7)
#: Both arcs of every block from the node before it; all arcs of a cell from its first input.
CHAIN = Cell(tuple(Block((k + 1, k + 1), ("identity", "identity")) for k in range(4)))
FAN = Cell((Block((0, 0), ("max_pool_3x3", "sep_conv_5x5")),) * 4)
ARCHITECTURES = {
    "enas_micro": read_architecture("enas_micro"),
    "chain_fan": MicroArchitecture(CHAIN, FAN),
    "fan_chain_all": MicroArchitecture(FAN, CHAIN, "all"),
    "one_block": sample(0, blocks=1),
    "seven_blocks": sample(1, blocks=7, ops=tuple(CELL_OPS)),
    "seven_blocks_all": sample(2, blocks=7, ops=tuple(CELL_OPS), merge="all"),
    "twelve_blocks": sample(3, blocks=12),
    "nasnet_a": read_architecture("nasnet_a"),
    "amoebanet_a": read_architecture("amoebanet_a"),
    "pnasnet_5": read_architecture("pnasnet_5"),
    "nasnet_random": NASNET.decode(NASNET.random_tokens(1, np.random.default_rng(8))[0]),
} | {f"random_{seed}": sample(seed, ops=tuple(CELL_OPS)) for seed in range(4, 8)}


class Edge(NamedTuple):
    """An arc that must be there, and what must be written where it arrives."""

    cell: str
    source: int
    node: int
    side: str
    op: str

    @property
    def words(self) -> str:
        return f"{self.op} /2" if self.cell == "reduction" and self.source < 2 else self.op

    @property
    def gid(self) -> str:
        return f"edge_{self.cell}_{self.source}_{self.node}_{self.side}"


@pytest.fixture(params=ARCHITECTURES.values(), ids=ARCHITECTURES.keys(), scope="module")
def architecture(request):
    return request.param


@pytest.fixture(scope="module")
def edges(architecture) -> list[Edge]:
    return [
        Edge(name, source, node, side, op)
        for name, cell in architecture.cells.items()
        for node, block in enumerate(cell.blocks, 2)
        for side, source, op in zip(("left", "right"), block.inputs, block.ops, strict=True)
    ]


@pytest.fixture(scope="module")
def axes(architecture):
    figure = draw(architecture)
    to_pixels(figure)  # Texts have an extent once they were drawn.
    return figure.axes[0]


@pytest.fixture(scope="module")
def words(axes) -> list[tuple[str, np.ndarray]]:
    """Every text and its box, [[left, top], [right, bottom]] in the pixels of the axes."""
    back = axes.transData.inverted()
    return [(text.get_text(), np.sort(back.transform(text.get_window_extent()), axis=0)) for text in axes.texts]


@pytest.fixture(scope="module")
def parts(axes) -> dict:
    """The artists that have a name, by it."""
    return {artist.get_gid(): artist for artist in axes.get_children() if artist.get_gid()}


def box_of(patch) -> np.ndarray:
    return np.array(patch.get_bbox().get_points())


def overlap(one: np.ndarray, other: np.ndarray) -> bool:
    return bool((np.maximum(one[0], other[0]) < np.minimum(one[1], other[1])).all())


def xs_of(arc) -> np.ndarray:
    """Where an arc goes, from left to right."""
    (points,) = arc.get_path().to_polygons(closed_only=False)
    return points[:, 0]


def test_every_use_of_an_operation_is_written_once(architecture, edges, texts):
    written = [text for text in texts(to_svg(draw(architecture))) if text.split()[0] in CELL_OPS]
    assert sorted(written) == sorted(edge.words for edge in edges)


def test_every_operation_is_one_arc_in_its_colour(axes, edges, parts):
    from matplotlib.colors import to_hex

    arcs = [artist.get_gid() for artist in axes.get_children() if (artist.get_gid() or "").startswith("edge_")]
    assert sorted(arcs) == sorted(edge.gid for edge in edges)
    for edge in edges:
        assert to_hex(parts[edge.gid].get_edgecolor()) == CELL_OPS[edge.op].colour


def test_names_of_arcs_are_in_the_svg(architecture, edges):
    svg = to_svg(draw(architecture))
    assert all(svg.count(f'id="{edge.gid}"') == 1 for edge in edges)


def test_an_operation_is_written_within_the_box_at_which_its_arc_ends(edges, parts, words):
    for edge in edges:
        box = box_of(parts[f"op_{edge.cell}_{edge.node}_{edge.side}"])
        x, y = parts[edge.gid].get_path().vertices[-1]
        assert x == pytest.approx(box[0 if edge.side == "left" else 1, 0])
        assert box[0, 1] < y < box[1, 1]
        within = [text for text, extent in words if (box[0] < extent[0]).all() and (extent[1] < box[1]).all()]
        assert within == [edge.words]


def test_an_arc_starts_beside_the_number_of_its_source(architecture, edges, parts, words):
    numbers = [(int(text), extent) for text, extent in words if text.isdigit()]
    nodes = list(range(architecture.num_blocks + 2))
    assert [number for number, _ in numbers] == nodes * len(architecture.cells)
    for edge in edges:
        extent = numbers[edge.source][1]  # Both cells have their nodes at the same heights.
        assert extent[0, 1] < parts[edge.gid].get_path().vertices[0, 1] < extent[1, 1]


def test_the_output_joins_what_the_merge_rule_says(architecture, parts):
    joins = {f"join_{name}_{node}" for name in architecture.cells for node in architecture.joined(name)}
    assert {gid for gid in parts if gid.startswith("join_")} == joins


def test_inputs_that_the_output_of_a_reduction_joins_are_halved(architecture, words):
    num_joined = sum(node < 2 for node in architecture.joined("reduction")) if "reduction" in architecture.cells else 0
    assert [text for text, _ in words].count("/2") == num_joined


def test_no_word_lies_on_another(words):
    for (one, extent), (other, its_extent) in itertools.combinations(words, 2):
        assert not overlap(extent, its_extent), f"{one!r} and {other!r}"


def test_arcs_that_pass_each_other_bow_out_differently(edges, parts):
    for one, other in itertools.combinations(edges, 2):
        same_side = (one.cell, one.side) == (other.cell, other.side)
        if same_side and one.source < other.node and other.source < one.node:
            bows = [np.ptp(xs_of(parts[edge.gid])) for edge in (one, other)]
            assert abs(bows[0] - bows[1]) > 5, f"{one.gid} and {other.gid}"


def test_arcs_stay_in_their_half_of_a_picture_that_fits_a_screen(axes, edges, parts):
    width = axes.get_xlim()[1]
    assert width <= 1000
    for edge in edges:
        xs = xs_of(parts[edge.gid])
        left, right = {"normal": (0, width / 2), "reduction": (width / 2, width), "cell": (0, width)}[edge.cell]
        assert left < xs.min() <= xs.max() < right


def test_a_block_says_how_it_combines_and_inputs_which_cell_they_are(architecture, words):
    """Add is +, join is ++; the authors of ENAS count the inputs the other way round."""
    written = [text for text, _ in words]
    combines = [block.combine for cell in architecture.cells.values() for block in cell.blocks]
    assert (written.count("+"), written.count("++")) == (combines.count("add"), combines.count("concat"))
    inputs = [text for text in written if text.startswith("cell k-")]
    expected = ["cell k-2", "cell k-1"] if architecture.space_name == "micro" else ["cell k-1", "cell k-2"]
    assert inputs == expected * len(architecture.cells)
    assert written.count("concat, 1x1" if architecture.space_name == "micro" else "concat") == len(architecture.cells)
