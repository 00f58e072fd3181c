"""Searchers: who proposes architectures, and what is learned from their rewards. Every module registers its own."""

from enas_tf.registry import import_all

import_all(__name__, __path__)
