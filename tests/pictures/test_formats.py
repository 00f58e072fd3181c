"""Laws of all pictures: the same architecture gives the same picture, in every format, and nothing else changes."""

import dataclasses
import itertools
import re
import subprocess
import sys

import numpy as np
import pytest

from enas_tf.errors import InputError
from enas_tf.pictures import DRAWINGS, draw, save, to_pixels, to_svg
from enas_tf.pictures.canvas import OP_COLOURS
from enas_tf.spaces.architectures import SPACES, read_architecture
from enas_tf.spaces.macro import MACRO_OPS, MacroArchitecture, MacroLayer
from enas_tf.spaces.micro import CELL_OPS
from enas_tf.spaces.published import PUBLISHED

CHAIN = MacroArchitecture((MacroLayer("conv_3x3"),) * 4)
ARCHITECTURES = {"chain": CHAIN} | {name: read_architecture(name) for name in PUBLISHED}


@pytest.fixture(params=ARCHITECTURES.values(), ids=ARCHITECTURES.keys(), scope="module")
def architecture(request):
    return request.param


def test_every_space_has_a_picture():
    assert sorted(DRAWINGS) == sorted(SPACES)


def test_operations_differ_in_colour():
    from matplotlib.colors import to_rgb

    assert set(OP_COLOURS) == {*MACRO_OPS, *CELL_OPS}
    for one, other in itertools.combinations(OP_COLOURS, 2):
        difference = np.subtract(to_rgb(OP_COLOURS[one]), to_rgb(OP_COLOURS[other]))
        assert np.linalg.norm(difference) > 0.2, f"{one} looks like {other}"


def test_equal_architectures_give_equal_svg(architecture):
    figure = draw(dataclasses.replace(architecture))
    to_pixels(figure)
    svg = to_svg(figure)
    assert svg == to_svg(draw(architecture))
    assert "date" not in svg


def test_pixels_are_an_image_with_a_white_rim_and_something_in_it(architecture):
    pixels = to_pixels(draw(architecture))
    assert pixels.dtype == np.uint8
    assert pixels.ndim == 3
    assert pixels.shape[2] == 3
    inked = np.argwhere((pixels < 255).any(axis=2))
    assert len(inked) > 1000
    assert inked.min() >= 8
    assert (inked.max(axis=0) < np.array(pixels.shape[:2]) - 8).all()


def test_files_hold_what_their_suffix_says_and_nothing_stays_beside_them(architecture, tmp_path):
    save(draw(architecture), tmp_path / "a.svg")
    save(draw(architecture), tmp_path / "a.png")
    assert (tmp_path / "a.svg").read_text() == to_svg(draw(architecture))
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "a.svg"]


@pytest.mark.parametrize("name", ["a.pdf", "a", "missing/a.svg"])
def test_a_path_that_cannot_be_written_is_named(tmp_path, name):
    with pytest.raises(InputError, match=re.escape(str(tmp_path / name))) as error:
        save(draw(CHAIN), tmp_path / name)
    assert "missing" in name or ".svg or .png" in str(error.value)
    assert list(tmp_path.iterdir()) == []


def test_a_space_without_a_picture_is_named():
    class Unknown(MacroArchitecture):
        space_name = "unknown"

    with pytest.raises(InputError, match=r"'unknown'.*macro, micro"):
        draw(Unknown(CHAIN.layers))


def test_the_package_imports_matplotlib_late_and_leaves_its_global_state_alone(architecture):
    code = f"""
import sys
from enas_tf.pictures import draw, to_pixels, to_svg
from enas_tf.spaces.architectures import read_architecture
assert not {{"matplotlib", "tensorflow"}} & set(sys.modules)
import matplotlib
before = matplotlib.rcParams.copy()
figure = draw(read_architecture({architecture.to_arc()!r}, {architecture.space_name!r}))
to_svg(figure), to_pixels(figure)
assert "matplotlib.pyplot" not in sys.modules
assert matplotlib.rcParams.copy() == before
"""
    subprocess.run([sys.executable, "-c", code], check=True)
