"""Laws of the recurrent drawing: a tree whose lines cross neither each other nor boxes, every node named once."""

import itertools
import re

import numpy as np
import pytest

from enas_tf.pictures import draw, to_pixels, to_svg
from enas_tf.pictures.recurrent import place_nodes
from enas_tf.spaces.recurrent import OUTPUTS, LstmBaseline, RecurrentArchitecture, RecurrentSpace
from enas_tf.spaces.vocabulary import ACTIVATIONS


def sample(nodes: int, seed: int, output: str = "loose_ends") -> RecurrentArchitecture:
    space = RecurrentSpace(nodes=nodes, output=output)
    return space.decode(space.random_tokens(1, np.random.default_rng(seed))[0])


STAR = RecurrentArchitecture.from_arc("0 " + "0 1 " * 11)
ARCHITECTURES = {
    "enas_ptb": RecurrentArchitecture.from_arc("0 0 0 1 1 2 1 2 0 2 0 5 1 1 0 6 1 8 1 8 1 8 1"),
    "enas_lm": RecurrentArchitecture.from_arc("enas_lm: 0 2 1 0 2 1 2 2 4 0 5 0 3 2 6 2"),
    "darts_ptb": RecurrentArchitecture.from_arc("enas_lm: 0 2 1 1 1 1 1 3 2 0 5 2 3 0 5 1"),
    "star": STAR,
    "chain": RecurrentArchitecture.from_arc("0 0 1 1 2 2 3 3 0"),
    "one": RecurrentArchitecture.from_arc("3"),
    "one_whole": RecurrentArchitecture.from_arc("all_but_first: 3"),
} | {
    f"random_{nodes}_{output}": sample(nodes, seed, output)
    for seed, (nodes, output) in enumerate(itertools.product((2, 5, 8, 12, 20), OUTPUTS))
}


@pytest.fixture(params=ARCHITECTURES.values(), ids=ARCHITECTURES.keys(), scope="module")
def architecture(request):
    return request.param


@pytest.fixture(scope="module")
def svg(architecture):
    return to_svg(draw(architecture))


@pytest.fixture(scope="module")
def axes(architecture):
    figure = draw(architecture)
    to_pixels(figure)  # Texts have an extent once they were drawn.
    return figure.axes[0]


@pytest.fixture(scope="module")
def parts(axes) -> dict:
    """The artists that have a name, by it."""
    return {artist.get_gid(): artist for artist in axes.get_children() if artist.get_gid()}


@pytest.fixture(scope="module")
def boxes(parts) -> dict[str, np.ndarray]:
    """All boxes, [[left, top], [right, bottom]]."""
    named = {gid: part for gid, part in parts.items() if gid.startswith(("node_", "box_"))}
    return {gid: np.array(part.get_bbox().get_points()) for gid, part in named.items()}


@pytest.fixture(scope="module")
def edges(architecture, parts) -> dict[tuple[int, int], np.ndarray]:
    """The points of the curves, by parent and child."""
    pairs = [(node.previous, number) for number, node in enumerate(architecture.nodes) if number]
    return {(parent, child): points_of(parts[f"edge_{parent}_{child}"]) for parent, child in pairs}


def points_of(curve) -> np.ndarray:
    start, one, other, end = curve.get_path().vertices
    t = np.linspace(0, 1, 101)[:, None]
    return (1 - t) ** 3 * start + 3 * (1 - t) ** 2 * t * one + 3 * (1 - t) * t**2 * other + t**3 * end


def overlap(one: np.ndarray, other: np.ndarray) -> bool:
    return bool((np.maximum(one[0], other[0]) < np.minimum(one[1], other[1])).all())


def is_in(points: np.ndarray, box: np.ndarray) -> bool:
    return bool(((box[0] < points) & (points < box[1])).all(axis=1).any())


def test_every_node_is_written_with_its_number_and_activation(architecture, svg, texts):
    rows = sorted((str(number), node.activation) for number, node in enumerate(architecture.nodes))
    written = [text for text in texts(svg) if text in ACTIVATIONS or text.isdigit()]
    assert sorted(zip(written[::2], written[1::2], strict=True)) == rows
    assert {"x_t", "h_(t-1)", "mean = h_t"} <= set(texts(svg))


def test_every_node_edge_and_part_of_the_mean_is_there_once(architecture, svg):
    nodes = [f"node_{number}" for number in range(architecture.num_nodes)]
    edges = [f"edge_{node.previous}_{number}" for number, node in enumerate(architecture.nodes) if number]
    means = [f"mean_{number}" for number in architecture.averaged]
    assert sorted(re.findall(r'id="((?:node|edge|mean)_[0-9_]+)"', svg)) == sorted(nodes + edges + means)


def test_dots_are_explained_where_there_are_some(architecture, svg, texts):
    has_dots = bool(set(architecture.averaged) - set(architecture.loose_ends))
    assert ("dot: part of the mean, too" in texts(svg)) == has_dots


def test_no_two_boxes_overlap(boxes):
    for (name, box), (other, its_box) in itertools.combinations(boxes.items(), 2):
        assert not overlap(box, its_box), f"{name} and {other}"


def test_words_are_within_boxes_or_outside_all(axes, boxes):
    back = axes.transData.inverted()
    for text in axes.texts:
        extent = np.sort(back.transform(text.get_window_extent()), axis=0)
        for name, box in boxes.items():
            is_within = (box[0] <= extent[0]).all() and (extent[1] <= box[1]).all()
            assert is_within or not overlap(extent, box), f"{text.get_text()} on {name}"


def test_edges_lead_down_from_the_parent_to_the_child(edges, boxes):
    for (parent, child), points in edges.items():
        above, below = boxes[f"node_{parent}"], boxes[f"node_{child}"]
        assert (np.diff(points[:, 1]) > 0).all()
        assert above[0, 0] < points[0, 0] < above[1, 0]
        assert points[0, 1] == pytest.approx(above[1, 1])
        assert points[-1, 0] == pytest.approx(below[:, 0].mean())
        assert 0 < below[0, 1] - points[-1, 1] < 8  # The arrow head.


def test_edges_run_through_no_box_and_do_not_cross(edges, boxes):
    for edge, points in edges.items():
        assert not any(is_in(points, box) for box in boxes.values()), f"{edge}"
    for (one, points), (other, its_points) in itertools.combinations(edges.items(), 2):
        if np.isclose(points[[0, -1], 1], its_points[[0, -1], 1]).all():  # In one row, so as high at each step.
            sides = np.sign(points[:, 0] - its_points[:, 0])
            assert abs(sides.sum()) == len(sides), f"{one} and {other}"


def test_lines_to_the_mean_run_through_no_box_and_no_edge(architecture, parts, boxes, edges):
    for leaf in architecture.loose_ends:
        (x, _), (top, bottom) = parts[f"mean_{leaf}"].get_data()
        line = np.array([(x - 2, top + 0.01), (x + 2, bottom)])
        assert bottom < boxes["box_mean"][0, 1]
        assert not any(overlap(line, box) for box in boxes.values())
        assert not any(is_in(points, line) for points in edges.values())


@pytest.mark.parametrize("architecture", [STAR, *(sample(12, seed) for seed in range(4))])
def test_twelve_nodes_fit_a_screen(architecture):
    assert draw(architecture).bbox.width <= 1000


def test_children_are_a_row_below_and_neighbours_a_column_apart(architecture):
    columns, depths = place_nodes(architecture)
    for number, node in enumerate(architecture.nodes):
        assert number == 0 or depths[number] == depths[node.previous] + 1
    for depth in set(depths):
        row = sorted(column for column, its in zip(columns, depths, strict=True) if its == depth)
        assert all(right - left >= 1 for left, right in itertools.pairwise(row))


def test_the_same_architecture_gives_the_same_bytes(architecture, svg):
    assert to_svg(draw(RecurrentArchitecture(architecture.nodes, architecture.output))) == svg


@pytest.mark.parametrize(("nodes", "words"), [(1, "a cell of 1 node"), (8, "a cell of 8 nodes")])
def test_the_baseline_is_one_box_that_says_what_it_is(nodes, words, texts):
    figure = draw(LstmBaseline(nodes))
    assert (to_pixels(figure)[:8] == 255).all()
    assert f"LSTM with as many parameters as {words}" in texts(to_svg(figure))
