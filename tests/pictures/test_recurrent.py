"""Pictures of recurrent cells: a tree without crossing lines, every node named once."""

import itertools

import numpy as np
import pytest

from enas_tf.pictures import draw, to_svg
from enas_tf.pictures.recurrent import place_nodes
from enas_tf.spaces.architectures import read_architecture
from enas_tf.spaces.recurrent import ACTIVATIONS, LstmBaseline, RecurrentArchitecture, RecurrentSpace


def random_cells(nodes, num=8):
    space = RecurrentSpace(nodes=nodes)
    return [space.decode(tokens) for tokens in space.random_tokens(num, np.random.default_rng(nodes))]


@pytest.mark.parametrize("name", ["enas_ptb", "enas_lm", "darts_ptb"])
def test_every_node_edge_and_dot_is_there(name):
    cell = read_architecture(name)
    svg = to_svg(draw(cell))
    for activation in ACTIVATIONS:
        assert svg.count(f">{activation}<") == sum(node.activation == activation for node in cell.nodes)
    for number, node in enumerate(cell.nodes):
        assert svg.count(f'id="node_{number}"') == 1
        assert svg.count(f'id="edge_{node.previous}_{number}"') == (number > 0)
        assert svg.count(f'id="mean_{number}"') == (number in cell.averaged)


@pytest.mark.parametrize("nodes", [1, 2, 8, 20])
def test_boxes_do_not_overlap_and_children_hang_below(nodes):
    for cell in random_cells(nodes):
        columns, depths = place_nodes(cell)
        for number, node in enumerate(cell.nodes):
            assert number == 0 or depths[number] == depths[node.previous] + 1
        for depth in set(depths):
            row = sorted(column for column, its in zip(columns, depths, strict=True) if its == depth)
            assert all(right - left >= 1 for left, right in itertools.pairwise(row))


def test_a_star_of_twelve_nodes_fits_the_page():
    star = RecurrentArchitecture.from_arc("0 " + "0 1 " * 11)
    assert draw(star).bbox.width <= 1000


def test_the_same_cell_gives_the_same_picture():
    cell = random_cells(8)[0]
    assert to_svg(draw(cell)) == to_svg(draw(cell))


def test_the_baseline_is_named():
    assert "as many parameters as a cell of 8 nodes" in to_svg(draw(LstmBaseline(8)))
