"""Drawings by the name of the space whose architectures they show, and the formats of a picture."""

import io
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from enas_tf.errors import InputError
from enas_tf.pictures.canvas import DPI
from enas_tf.pictures.words import draw_words
from enas_tf.registry import Registry
from enas_tf.spaces.space import Buildable

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: A drawing is a function of an architecture or a baseline to a figure whose axes count CSS pixels from the top left.
DRAWINGS: Registry[Callable[[Any], "Figure"]] = Registry("picture of the space")
#: PNG files have twice as many pixels, for the screens that have them.
PNG_DPI = 2 * DPI


def draw(architecture: Buildable) -> "Figure":
    """Return the picture of an architecture or a baseline; its words where its space has no drawing."""
    name = architecture.space_name
    return DRAWINGS[name](architecture) if name in DRAWINGS else draw_words(architecture)


def to_svg(figure: "Figure") -> str:
    """Return the figure as SVG, the same text for the same picture; words in it stay text."""
    import matplotlib

    buffer = io.StringIO()
    # savefig has no arguments for these two. Without a salt the ids are random.
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "enas_tf"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": "enas_tf"})
    return buffer.getvalue()


def to_png(figure: "Figure") -> bytes:
    """Return the figure as a PNG file."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=PNG_DPI, metadata={"Software": None})
    return buffer.getvalue()


def to_pixels(figure: "Figure") -> np.ndarray:
    """Return the figure as uint8 [height, width, 3]."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.array(canvas.buffer_rgba())[..., :3].copy()


def render(figure: "Figure", suffix: str) -> bytes:
    """Return the bytes of a file of the figure whose name ends with `suffix`.

    Raises:
      InputError: the suffix is neither .svg nor .png.
    """
    match suffix:
        case ".svg":
            return to_svg(figure).encode()
        case ".png":
            return to_png(figure)
    raise InputError(f"a picture with the suffix {suffix!r} cannot be written: expected .svg or .png.")
