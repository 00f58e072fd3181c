"""Operations: all that the product knows of each, in one place. Every module here registers its own."""

from enas_tf.registry import import_all

import_all(__name__, __path__)
