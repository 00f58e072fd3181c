"""Laws of the nas_recurrent drawing: every node, every edge of the tree, and the ways of the memory are in it."""

import re

import numpy as np
import pytest

from enas_tf.pictures import draw, to_pixels, to_svg
from enas_tf.pictures.nas_recurrent import BOX_WIDTH, inject_text, node_text, place_nodes
from enas_tf.spaces.architectures import read_architecture
from enas_tf.spaces.nas_recurrent import NasRecurrentSpace

ARCHITECTURES = {
    "published": read_architecture("nas_cell"),
    "worked_example": read_architecture("0 0 1 1 1 3 0 1 1 0", "nas_recurrent"),
    "one": NasRecurrentSpace(base=1).decode([0] * 6),
}


@pytest.fixture(params=ARCHITECTURES.values(), ids=ARCHITECTURES.keys(), scope="module")
def architecture(request):
    return request.param


@pytest.fixture(scope="module")
def svg(architecture):
    return to_svg(draw(architecture))


def test_every_node_is_written_with_its_number(architecture, svg, texts):
    expected = [text for number, node in enumerate(architecture.nodes) for text in (str(number), node_text(node))]
    assert [text for text in texts(svg) if text in expected] == expected
    assert {inject_text(architecture), "c_t", "h_t"} <= set(texts(svg))


def test_every_edge_of_the_tree_is_drawn(architecture, svg):
    edges = {(int(child), int(node)) for child, node in re.findall(r'id="edge_(\d+)_(\d+)"', svg)}
    nodes = range(len(architecture.nodes))
    assert edges == {(child, node) for node in nodes for child in architecture.children(node)}
    assert svg.count('id="box_inject"') == 1


def test_boxes_do_not_touch(architecture):
    points, width, _ = place_nodes(architecture)
    for number, (x, y) in enumerate(points):
        assert BOX_WIDTH / 2 < x < width - BOX_WIDTH / 2
        assert all(abs(x - other) > BOX_WIDTH for other, its_y in points[:number] if its_y == y)


def test_the_published_cell_fits_a_screen():
    assert to_pixels(draw(ARCHITECTURES["published"])).shape[1] <= 1000
    assert np.ptp(to_pixels(draw(ARCHITECTURES["one"]))) > 0
