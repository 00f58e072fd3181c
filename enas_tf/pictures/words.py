"""The picture of an architecture whose space has no drawing of its own: its words, a line each."""

from typing import TYPE_CHECKING

from enas_tf.pictures.canvas import GREY, blank, write
from enas_tf.spaces.space import Buildable

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: The height of a line, the width of a letter, and the room around them, in CSS pixels.
LINE, LETTER, MARGIN = 20, 7.5, 24


def draw_words(architecture: Buildable) -> "Figure":
    """Return a picture of the lines that describe an architecture or a baseline."""
    lines = architecture.in_words()
    width = 2 * MARGIN + LETTER * max(map(len, lines))
    axes = blank(width, 2 * MARGIN + LINE * (len(lines) + 1))
    write(axes, MARGIN, MARGIN, architecture.space_name, ha="left", weight="bold", color=GREY)
    for number, line in enumerate(lines, start=1):
        write(axes, MARGIN, MARGIN + LINE * number, line, ha="left")
    return axes.figure
