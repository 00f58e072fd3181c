"""The operation of docs/extending.md, section An operation: a squeeze-and-excite block."""

import keras
import tensorflow as tf

from enas_tf.layers.functions import he_normal
from enas_tf.ops.bank import Bank
from enas_tf.ops.costs import Cost
from enas_tf.ops.op import Op, register
from enas_tf.ops.reduction import FactorizedReduction

PARTS = {"squeeze": "relu", "excite": "sigmoid"}


class SqueezeExciteBank(Bank):
    """Gates at all places."""

    def __init__(self, num_places, channels, **kwargs):
        super().__init__(num_places, channels, **kwargs)
        for part in PARTS:
            self.add_stack(part, (channels, channels), he_normal(channels))

    def compute(self, x, rows, strides=1):
        squeeze, excite = (tf.cast(row, x.dtype) for row in rows)
        means = tf.reduce_mean(x, axis=[1, 2], keepdims=True)
        return x * tf.sigmoid(tf.nn.relu(means @ squeeze) @ excite)


class SqueezeExcite(Op):
    """Each channel times its gate."""

    name, colour = "squeeze_excite", "#f0e442"

    def with_strides(self, strides):
        """Return what stands in its place where a cell has a stride: it has none of its own."""
        return self if strides == 1 else FactorizedReduction("squeeze_excite_halved")

    def build_bank(self, num_places, channels):
        return SqueezeExciteBank(num_places, channels, name=self.name)

    def apply(self, layers, x, channels, name, strides=1):
        gate = layers.get(keras.layers.GlobalAveragePooling2D, f"{name}_mean", keepdims=True)(x)
        for part, activation in PARTS.items():
            options = {"units": channels, "activation": activation, "use_bias": False}
            gate = layers.get(keras.layers.Dense, f"{name}_{part}", **options)(gate)
        return layers.get(keras.layers.Multiply, f"{name}_gate")([x, gate])

    def count(self, channels, pixels, strides=1):
        return 2 * Cost.dense(channels, channels)

    def copy_weights(self, child, name, rows):
        for part, row in zip(PARTS, rows, strict=True):
            child.get_layer(f"{name}_{part}").set_weights([row])


register(SqueezeExcite())
