"""Poolings: the mean or the maximum over windows. They have no weights."""

from collections.abc import Callable

import keras

from enas_tf.layers import functions
from enas_tf.ops.bank import Bank
from enas_tf.ops.costs import Cost
from enas_tf.ops.op import Op, register


class PoolingBank(Bank):
    """`pool(x, size, strides)` at every place; there are no stacks."""

    def __init__(self, num_places: int, channels: int, size: int, pool: Callable, **kwargs):
        super().__init__(num_places, channels, **kwargs)
        self.size, self.pool = size, pool

    def compute(self, x, rows, strides=1):
        return self.pool(x, self.size, strides)


class Pooling(Op):
    """A pooling over size x size windows; positions outside the image do not count.

    Args:
      pool: the function (x, size, strides) that a supernet computes.
      layer: the Keras layer that a child has.
    """

    def __init__(self, name: str, size: int, colour: str, pool: Callable, layer: type[keras.layers.Layer]):
        self.name, self.size, self.colour = name, size, colour
        self.pool, self.layer = pool, layer

    def build_bank(self, num_places, channels):
        return PoolingBank(num_places, channels, self.size, self.pool, name=self.name)

    def apply(self, layers, x, channels, name, strides=1):
        return layers.get(self.layer, name, pool_size=self.size, strides=strides, padding="same")(x)

    def count(self, channels, pixels, strides=1):
        return Cost.pooling(self.size, channels, pixels)

    def copy_weights(self, child, name, rows):
        """Copy nothing."""


register(Pooling("avg_pool_3x3", 3, "#009e73", functions.average_pool, keras.layers.AveragePooling2D))
register(Pooling("max_pool_3x3", 3, "#cc79a7", functions.max_pool, keras.layers.MaxPooling2D))
register(Pooling("max_pool_5x5", 5, "#a2427a", functions.max_pool, keras.layers.MaxPooling2D), ["cell"])
register(Pooling("max_pool_7x7", 7, "#6a1b4d", functions.max_pool, keras.layers.MaxPooling2D), ["cell"])
