"""Tasks: what a network is for. Every module here registers its own task."""

from enas_tf.registry import import_all

import_all(__name__, __path__)
