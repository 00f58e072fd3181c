"""Convolutions: ReLU, a convolution without bias, batch normalisation."""

import tensorflow as tf

from enas_tf.layers import functions
from enas_tf.layers.stock import set_weights
from enas_tf.ops.bank import Bank
from enas_tf.ops.costs import Cost
from enas_tf.ops.op import Op, register


class ConvolutionBank(Bank):
    """Convolutions from `inputs` channels, by default as many as they make.

    Stacks: kernel [places, size, size, inputs, channels], gamma and beta [places, channels].
    """

    def __init__(self, num_places: int, channels: int, size: int, inputs: int | None = None, **kwargs):
        super().__init__(num_places, channels, **kwargs)
        inputs = inputs or channels
        self.add_stack("kernel", (size, size, inputs, channels), functions.he_normal(size * size * inputs))
        self.add_normalization()

    def compute(self, x, rows, strides=1):
        kernel, gamma, beta = rows
        return functions.batch_normalize(functions.convolve(tf.nn.relu(x), kernel, strides), gamma, beta)


class Convolution(Op):
    """A size x size convolution."""

    reads_any_width = True

    def __init__(self, name: str, size: int, colour: str):
        self.name, self.size, self.colour = name, size, colour

    def build_bank(self, num_places, channels, inputs=None):
        return ConvolutionBank(num_places, channels, self.size, inputs, name=self.name)

    def apply(self, layers, x, channels, name, strides=1):
        return layers.relu_convolve_normalize(x, channels, self.size, name, strides)

    def count(self, channels, pixels, strides=1, inputs=None):
        return Cost.convolution(self.size, inputs or channels, channels, pixels)

    def copy_weights(self, child, name, rows):
        kernel, gamma, beta = rows
        set_weights(child, name, [kernel], gamma, beta)


register(Convolution("conv_1x1", 1, "#9aa5ee"), ["cell"])
register(Convolution("conv_3x3", 3, "#56b4e9"))
register(Convolution("conv_5x5", 5, "#0072b2"), ["layer"])
