"""Laws of the macro drawing: every layer and every skip of an architecture is in it."""

import re

import pytest

from enas_tf.pictures import draw, to_pixels, to_svg
from enas_tf.spaces.architectures import read_architecture
from enas_tf.spaces.macro import MACRO_OPS, MacroArchitecture, MacroLayer

#: Every operation; skips from a layer to the next, over some and over all.
SKIPS = ((), (1,), (), (2, 3), (4,), (1, 5))
ARCHITECTURES = {
    "six": MacroArchitecture(tuple(MacroLayer(op, skips) for op, skips in zip(MACRO_OPS, SKIPS, strict=True))),
    "no_skips": MacroArchitecture((MacroLayer("conv_3x3"),) * 4),
    "reference": MacroArchitecture((MacroLayer("conv_5x5"), MacroLayer("conv_3x3", (0,))), "reference"),
    "enas_macro": read_architecture("enas_macro"),
}


@pytest.fixture(params=ARCHITECTURES.values(), ids=ARCHITECTURES.keys(), scope="module")
def architecture(request):
    return request.param


@pytest.fixture(scope="module")
def svg(architecture):
    return to_svg(draw(architecture))


def test_every_layer_is_written_with_its_number_and_operation_from_the_top_down(architecture, svg, texts):
    rows = [text for number, layer in enumerate(architecture.layers, 1) for text in (str(number), layer.op)]
    assert [text for text in texts(svg) if text in MACRO_OPS or text.isdigit()] == rows


def test_every_skip_is_one_arc(architecture, svg):
    skips = {(source, k) for k, layer in enumerate(architecture.layers, 1) for source in layer.skips}
    arcs = [(int(source), int(target)) for source, target in re.findall(r'id="skip_(\d+)_(\d+)"', svg)]
    assert len(arcs) == len(skips)
    assert set(arcs) == skips


@pytest.mark.parametrize(("depth", "num_marks"), [(1, 0), (3, 2), (4, 0), (12, 2)])
def test_the_two_reductions_are_marked_where_the_depth_has_thirds(depth, num_marks, texts):
    svg = to_svg(draw(MacroArchitecture((MacroLayer("conv_3x3"),) * depth)))
    assert texts(svg).count("/2") == svg.count("stroke-dasharray") == num_marks


def test_the_published_network_fits_a_page():
    assert to_pixels(draw(ARCHITECTURES["enas_macro"])).shape[1] <= 800
