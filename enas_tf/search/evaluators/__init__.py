"""Evaluators: what a proposal is worth. Every module here registers its own evaluator."""

from enas_tf.registry import import_all

import_all(__name__, __path__)
