"""Search spaces: what can be built. Every module here registers its own space."""

from enas_tf.registry import import_all

import_all(__name__, __path__)
