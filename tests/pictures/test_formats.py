"""Laws of all pictures: the same architecture gives the same picture, in every format, and nothing else changes."""

import ast
import dataclasses
from pathlib import Path

import numpy as np
import pytest

from enas_tf import pictures
from enas_tf.errors import InputError
from enas_tf.pictures import DRAWINGS, draw, render, to_pixels, to_png, to_svg
from enas_tf.spaces.architectures import read_architecture
from enas_tf.spaces.macro import MacroArchitecture, MacroLayer
from enas_tf.spaces.published import PUBLISHED
from enas_tf.spaces.space import BASELINES, SPACES

CHAIN = MacroArchitecture((MacroLayer("conv_3x3"),) * 4)
ARCHITECTURES = {"chain": CHAIN} | {name: read_architecture(name) for name in PUBLISHED}


@pytest.fixture(params=ARCHITECTURES.values(), ids=ARCHITECTURES.keys(), scope="module")
def architecture(request):
    return request.param


def test_every_space_has_a_picture():
    assert sorted(DRAWINGS) == sorted(SPACES)


@pytest.mark.parametrize("name", BASELINES)
def test_every_baseline_has_a_picture(name):
    for space in SPACES.entries():
        assert to_svg(draw(BASELINES[name].beside(space.component())))


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


def test_a_file_holds_what_its_suffix_says(architecture):
    figure = draw(architecture)
    assert render(figure, ".svg").decode() == to_svg(figure)
    assert render(figure, ".png") == to_png(figure)
    assert to_png(figure).startswith(b"\x89PNG")


@pytest.mark.parametrize("suffix", [".pdf", "", "svg"])
def test_another_suffix_is_refused(suffix):
    with pytest.raises(InputError, match=rf"{suffix!r}.*\.svg or \.png"):
        render(draw(CHAIN), suffix)


def test_a_space_without_a_drawing_is_shown_in_words(texts):
    class Unknown(MacroArchitecture):
        space_name = "unknown"

    assert texts(to_svg(draw(Unknown(CHAIN.layers)))) == ["unknown", *CHAIN.in_words()]


def test_no_module_imports_matplotlib_before_the_first_picture_or_uses_pyplot():
    modules = list(Path(pictures.__file__).parent.glob("*.py"))
    assert modules
    for path in modules:
        tree = ast.parse(path.read_text())
        names = [node.module for node in tree.body if isinstance(node, ast.ImportFrom)]
        names += [alias.name for node in tree.body if isinstance(node, ast.Import) for alias in node.names]
        assert not any(name.startswith("matplotlib") for name in names), path
        assert "pyplot" not in "".join(ast.unparse(node) for node in tree.body[1:]), path


def test_a_picture_leaves_the_global_state_of_matplotlib_alone(architecture):
    # Keras imports pyplot.
    import matplotlib.pyplot

    before = matplotlib.rcParams.copy()
    figure = draw(architecture)
    to_svg(figure), to_png(figure), to_pixels(figure)
    assert matplotlib.rcParams.copy() == before
    assert matplotlib.pyplot.get_fignums() == []
