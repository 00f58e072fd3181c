"""Separable convolutions: ReLU, a depthwise and a pointwise convolution without bias, batch normalisation."""

import keras
import tensorflow as tf

from enas_tf.layers import functions
from enas_tf.layers.stock import Layers, set_weights
from enas_tf.ops.bank import Bank
from enas_tf.ops.costs import Cost
from enas_tf.ops.op import Op, register


class SeparableBank(Bank):
    """Separable convolutions from `inputs` channels, by default as many as they make.

    Stacks: depthwise [places, size, size, inputs, 1], pointwise [places, 1, 1, inputs, channels], gamma and beta
    [places, channels].
    """

    def __init__(self, num_places: int, channels: int, size: int, inputs: int | None = None, **kwargs):
        super().__init__(num_places, channels, **kwargs)
        inputs = inputs or channels
        self.add_stack("depthwise", (size, size, inputs, 1), functions.he_normal(size * size))
        self.add_stack("pointwise", (1, 1, inputs, channels), functions.he_normal(inputs))
        self.add_normalization()

    def compute(self, x, rows, strides=1):
        return _separate(x, *rows, strides)


class TwiceSeparableBank(Bank):
    """Pairs of separable convolutions, one after the other, the first with the stride.

    Stacks like those of `SeparableBank`, with an axis of 2 after the places.
    """

    def __init__(self, num_places: int, channels: int, size: int, **kwargs):
        super().__init__(num_places, channels, **kwargs)
        self.add_stack("depthwise", (2, size, size, channels, 1), functions.he_normal(size * size))
        self.add_stack("pointwise", (2, 1, 1, channels, channels), functions.he_normal(channels))
        self.add_normalization(2)

    def compute(self, x, rows, strides=1):
        parts = zip(*(tf.unstack(row) for row in rows), strict=True)
        for part, step in zip(parts, (strides, 1), strict=True):
            x = _separate(x, *part, step)
        return x


class ChangedWidthBank(Bank):
    """Pairs of separable convolutions, of which the first one changes the width: the stacks of both, one by one."""

    def __init__(self, num_places: int, channels: int, size: int, inputs: int, **kwargs):
        super().__init__(num_places, channels, **kwargs)
        self.first = SeparableBank(num_places, channels, size, inputs, name="first")
        self.second = SeparableBank(num_places, channels, size, name="second")
        self.stacks = [*self.first.stacks, *self.second.stacks]

    def compute(self, x, rows, strides=1):
        num = len(self.first.stacks)
        return self.second.compute(self.first.compute(x, rows[:num], strides), rows[num:])


def _separate(x, depthwise, pointwise, gamma, beta, strides):
    x = functions.convolve(functions.convolve_depthwise(tf.nn.relu(x), depthwise, strides), pointwise)
    return functions.batch_normalize(x, gamma, beta)


def _apply(layers: Layers, x, channels: int, size: int, name: str, strides: int):
    """Apply ReLU, the two convolutions and batch normalisation by stock layers."""
    convolution = layers.get(
        keras.layers.SeparableConv2D,
        f"{name}_conv",
        filters=channels,
        kernel_size=size,
        strides=strides,
        padding="same",
        use_bias=False,
        depthwise_initializer=functions.he_normal(size * size),
        pointwise_initializer=functions.he_normal(x.shape[-1]),
    )
    return layers.normalize(convolution(layers.relu(x, name)), name)


class SeparableConvolution(Op):
    """A separable convolution with a size x size kernel."""

    reads_any_width = True

    def __init__(self, name: str, size: int, colour: str):
        self.name, self.size, self.colour = name, size, colour

    def build_bank(self, num_places, channels, inputs=None):
        return SeparableBank(num_places, channels, self.size, inputs, name=self.name)

    def apply(self, layers, x, channels, name, strides=1):
        return _apply(layers, x, channels, self.size, name, strides)

    def count(self, channels, pixels, strides=1, inputs=None):
        return Cost.separable(self.size, inputs or channels, channels, pixels)

    def copy_weights(self, child, name, rows):
        *kernels, gamma, beta = rows
        set_weights(child, name, kernels, gamma, beta)


class TwiceSeparableConvolution(SeparableConvolution):
    """Two separable convolutions, as cells have them (micro_child.py, `_enas_conv`); the first has the stride."""

    def build_bank(self, num_places, channels, inputs=None):
        if inputs not in (None, channels):
            return ChangedWidthBank(num_places, channels, self.size, inputs, name=self.name)
        return TwiceSeparableBank(num_places, channels, self.size, name=self.name)

    def apply(self, layers, x, channels, name, strides=1):
        x = _apply(layers, x, channels, self.size, f"{name}_first", strides)
        return _apply(layers, x, channels, self.size, f"{name}_second", 1)

    def count(self, channels, pixels, strides=1, inputs=None):
        second = Cost.separable(self.size, channels, channels, pixels)
        return super().count(channels, pixels, strides, inputs) + second

    def copy_weights(self, child, name, rows):
        # Four stacks hold both convolutions, unless the first one changes the width.
        pairs = [[row[i] for row in rows] for i in range(2)] if len(rows) == 4 else [rows[:4], rows[4:]]
        for word, (*kernels, gamma, beta) in zip(("first", "second"), pairs, strict=True):
            set_weights(child, f"{name}_{word}", kernels, gamma, beta)


register(SeparableConvolution("sep_conv_3x3", 3, "#e69f00"), ["layer"])
register(SeparableConvolution("sep_conv_5x5", 5, "#d55e00"), ["layer"])
register(TwiceSeparableConvolution("sep_conv_3x3", 3, "#e69f00"), ["cell"])
register(TwiceSeparableConvolution("sep_conv_5x5", 5, "#d55e00"), ["cell"])
register(TwiceSeparableConvolution("sep_conv_7x7", 7, "#8f3b00"), ["cell"])
