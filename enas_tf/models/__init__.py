"""Networks: the supernet and the children of each space. Every module here registers its own."""

from enas_tf.registry import import_all

import_all(__name__, __path__)
