"""Pictures of architectures: one drawing, as SVG for pages, as a PNG file, and as pixels for TensorBoard.

Every module here that draws a space registers its drawing.
"""

from enas_tf.pictures.drawing import DRAWINGS, draw, render, to_pixels, to_png, to_svg
from enas_tf.registry import import_all

__all__ = ["DRAWINGS", "draw", "render", "to_pixels", "to_png", "to_svg"]

import_all(__name__, __path__)
