"""Laws of pictures: all of an architecture is in them, and the same architecture gives the same picture."""

import dataclasses
import re
import subprocess
import sys

import numpy as np
import pytest

from enas_tf.errors import InputError
from enas_tf.pictures import OP_COLOURS, draw, save, to_pixels, to_svg
from enas_tf.spaces.architectures import read_architecture
from enas_tf.spaces.macro import MACRO_OPS, MacroArchitecture, MacroLayer
from enas_tf.spaces.published import PUBLISHED

#: Every operation; skips from a layer to the next, over some and over all.
SKIPS = ((), (1,), (), (2, 3), (4,), (1, 5))
SIX = MacroArchitecture(tuple(MacroLayer(op, skips) for op, skips in zip(MACRO_OPS, SKIPS, strict=True)))
NO_SKIPS = MacroArchitecture((MacroLayer("conv_3x3"),) * 4)
REFERENCE = MacroArchitecture((MacroLayer("conv_5x5"), MacroLayer("conv_3x3", (0,))), "reference")
ARCHITECTURES = {"six": SIX, "no_skips": NO_SKIPS, "reference": REFERENCE} | {
    name: read_architecture(name) for name, (space, _) in PUBLISHED.items() if space == "macro"
}


@pytest.fixture(params=ARCHITECTURES.values(), ids=ARCHITECTURES.keys(), scope="module")
def architecture(request):
    return request.param


@pytest.fixture(scope="module")
def svg(architecture):
    return to_svg(draw(architecture))


def texts(svg: str) -> list[str]:
    return re.findall(r"<text[^>]*>([^<]*)</text>", svg)


class TestMacro:
    def test_every_layer_is_written_with_its_number_and_operation_from_the_top_down(self, architecture, svg):
        rows = [text for number, layer in enumerate(architecture.layers, 1) for text in (str(number), layer.op)]
        assert [text for text in texts(svg) if text in OP_COLOURS or text.isdigit()] == rows

    def test_every_skip_is_one_arc(self, architecture, svg):
        skips = {(source, k) for k, layer in enumerate(architecture.layers, 1) for source in layer.skips}
        arcs = [(int(source), int(target)) for source, target in re.findall(r'id="skip_(\d+)_(\d+)"', svg)]
        assert len(arcs) == len(skips)
        assert set(arcs) == skips

    @pytest.mark.parametrize(("depth", "num_marks"), [(1, 0), (3, 2), (4, 0), (12, 2)])
    def test_the_two_reductions_are_marked_where_the_depth_has_thirds(self, depth, num_marks):
        svg = to_svg(draw(MacroArchitecture((MacroLayer("conv_3x3"),) * depth)))
        assert texts(svg).count("/2") == svg.count("stroke-dasharray") == num_marks

    def test_operations_differ_in_colour(self):
        assert sorted(OP_COLOURS) == sorted(MACRO_OPS)
        assert len(set(OP_COLOURS.values())) == len(MACRO_OPS)

    def test_the_published_network_fits_a_page(self):
        assert to_pixels(draw(ARCHITECTURES["enas_macro"])).shape[1] <= 800


class TestFormats:
    def test_equal_architectures_give_equal_svg(self, architecture, svg):
        figure = draw(dataclasses.replace(architecture))
        to_pixels(figure)
        assert to_svg(figure) == svg
        assert "date" not in svg

    def test_pixels_are_an_image_with_a_white_rim_and_something_in_it(self):
        pixels = to_pixels(draw(SIX))
        assert pixels.dtype == np.uint8
        assert pixels.ndim == 3
        assert pixels.shape[2] == 3
        inked = np.argwhere((pixels < 255).any(axis=2))
        assert len(inked) > 1000
        assert inked.min() >= 8
        assert (inked.max(axis=0) < np.array(pixels.shape[:2]) - 8).all()

    def test_files_hold_what_their_suffix_says_and_nothing_stays_beside_them(self, tmp_path):
        save(draw(SIX), tmp_path / "a.svg")
        save(draw(SIX), tmp_path / "a.png")
        assert (tmp_path / "a.svg").read_text() == to_svg(draw(SIX))
        assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
        assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "a.svg"]

    @pytest.mark.parametrize("name", ["a.pdf", "a", "missing/a.svg"])
    def test_a_path_that_cannot_be_written_is_named(self, tmp_path, name):
        with pytest.raises(InputError, match=re.escape(str(tmp_path / name))) as error:
            save(draw(NO_SKIPS), tmp_path / name)
        assert "missing" in name or ".svg or .png" in str(error.value)
        assert list(tmp_path.iterdir()) == []

    def test_a_space_without_a_picture_is_named(self):
        class Unknown(MacroArchitecture):
            space_name = "unknown"

        with pytest.raises(InputError, match=r"'unknown'.*macro"):
            draw(Unknown(NO_SKIPS.layers))

    def test_the_module_imports_matplotlib_late_and_leaves_its_global_state_alone(self):
        code = f"""
import sys
from enas_tf.pictures import draw, to_pixels, to_svg
from enas_tf.spaces.macro import MacroArchitecture
assert not {{"matplotlib", "tensorflow"}} & set(sys.modules)
import matplotlib
before = matplotlib.rcParams.copy()
figure = draw(MacroArchitecture.from_arc({NO_SKIPS.to_arc()!r}))
to_svg(figure), to_pixels(figure)
assert "matplotlib.pyplot" not in sys.modules
assert matplotlib.rcParams.copy() == before
"""
        subprocess.run([sys.executable, "-c", code], check=True)
