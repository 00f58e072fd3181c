"""Laws of the nas_conv drawing: every layer, every map that is read and every pooling is in it."""

import re

import pytest

from enas_tf.pictures import draw, to_pixels, to_svg
from enas_tf.spaces.nas_conv import NasConvArchitecture

ARCHITECTURES = {
    "all": "3x5x24 7x1x36/2x1 1 pool 1x1x64 0 0 3x3x48 1 0 1",
    "one": "3x3x24",
    "deep": " ".join(f"3x3x24{' 1' * number}" for number in range(39)),
}


@pytest.fixture(params=ARCHITECTURES.values(), ids=ARCHITECTURES.keys(), scope="module")
def architecture(request):
    return NasConvArchitecture.from_arc(request.param)


@pytest.fixture(scope="module")
def svg(architecture):
    return to_svg(draw(architecture))


def test_every_layer_is_written_with_its_number_and_shape_from_the_top_down(architecture, svg, texts):
    written = [text for text in texts(svg) if text.isdigit() or " of " in text]
    layers = enumerate(architecture.layers, 1)
    shapes = [(str(number), f"{layer.filters} of {layer.height}x{layer.width}") for number, layer in layers]
    assert [text.partition(" /")[0] for text in written] == [text for pair in shapes for text in pair]


def test_every_map_that_is_read_is_one_arc(architecture, svg):
    arcs = [(int(source), int(target)) for source, target in re.findall(r'id="edge_(\d+)_(\d+)"', svg)]
    expected = {(source, k) for k, layer in enumerate(architecture.layers, 1) for source in layer.inputs or (0,)}
    expected |= {(source, architecture.num_layers + 1) for source in architecture.loose_ends}
    assert len(arcs) == len(expected)
    assert set(arcs) == expected


def test_strides_and_poolings_are_marked(texts):
    written = texts(to_svg(draw(NasConvArchitecture.from_arc(ARCHITECTURES["all"]))))
    assert "36 of 7x1 /2x1" in written
    assert written.count("/2") == 1


def test_a_deep_network_fits_a_page(architecture):
    assert to_pixels(draw(architecture)).shape[1] <= 800
