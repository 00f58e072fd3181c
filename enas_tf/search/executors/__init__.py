"""Executors: where trials run. Every module here that defines a component registers it."""

from enas_tf.registry import import_all

import_all(__name__, __path__)
