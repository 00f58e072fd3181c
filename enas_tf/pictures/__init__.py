"""Pictures of architectures, as SVG for pages and as pixels for TensorBoard, from one drawing.

`draw` looks the space up in `DRAWINGS`; a drawing is a function from an architecture to a figure whose axes count
CSS pixels from the top left corner.
"""

import io
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from enas_tf.errors import InputError
from enas_tf.pictures.canvas import DPI
from enas_tf.pictures.macro import draw_macro
from enas_tf.pictures.micro import draw_micro
from enas_tf.pictures.recurrent import draw_recurrent
from enas_tf.runtime.files import write_bytes, write_text
from enas_tf.spaces.decisions import Architecture

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: PNG files have twice as many pixels, for the screens that have them.
PNG_DPI = 2 * DPI

DRAWINGS: dict[str, Callable[..., "Figure"]] = {
    "macro": draw_macro,
    "micro": draw_micro,
    "recurrent": draw_recurrent,
}


def draw(architecture: Architecture) -> "Figure":
    """The picture of `architecture`; raises `InputError` for a space without one."""
    if architecture.space_name not in DRAWINGS:
        known = ", ".join(DRAWINGS)
        raise InputError(f"there is no picture of the space {architecture.space_name!r}: expected one of {known}.")
    return DRAWINGS[architecture.space_name](architecture)


def to_svg(figure: "Figure") -> str:
    """The figure as SVG text, the same for the same picture; words in it stay text."""
    import matplotlib

    buffer = io.StringIO()
    # savefig has no arguments for these two. Without a salt the ids are random.
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "enas_tf"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": "enas_tf"})
    return buffer.getvalue()


def to_pixels(figure: "Figure") -> np.ndarray:
    """The figure as uint8 [height, width, 3]."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.array(canvas.buffer_rgba())[..., :3].copy()


def save(figure: "Figure", path: Path) -> None:
    """Writes the figure to `path`, in the format that its suffix names."""
    if path.suffix not in (".svg", ".png"):
        raise InputError(f"the picture {path} has the suffix {path.suffix!r}: expected .svg or .png.")
    if not path.parent.is_dir():
        raise InputError(f"the picture {path} cannot be written: {path.parent} is not a directory. Create it first.")
    try:
        if path.suffix == ".svg":
            write_text(path, to_svg(figure))
        else:
            buffer = io.BytesIO()
            figure.savefig(buffer, format="png", dpi=PNG_DPI, metadata={"Software": None})
            write_bytes(path, buffer.getvalue())
    except OSError as error:
        raise InputError(f"the picture {path} cannot be written: {error.strerror}. Choose another place.") from error
