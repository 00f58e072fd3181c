"""Operations on stacked weight banks: one Keras layer per kind of operation, one row of its banks per place.

A place is anywhere the operation may stand. `rows(place)` gathers the weights of one place, `compute(x, rows)` applies
them. The two are apart because a branch that gathers for itself turns its gradient into sparse slices, which costs
time and tracing: callers gather outside the branch and compute inside.
"""

import keras
import tensorflow as tf

from enas_tf.layers import functions


class Operation(keras.layers.Layer):
    """An operation from `channels` to `channels` channels at any of `num_places` places, stride 1."""

    def __init__(self, num_places: int, channels: int, size: int, **kwargs):
        super().__init__(**kwargs)
        self.num_places, self.channels, self.size = num_places, channels, size
        self.banks: list[keras.Variable] = []

    def add_bank(self, name: str, row_shape: tuple[int, ...], initializer) -> None:
        shape = (self.num_places, *row_shape)
        self.banks.append(self.add_weight(name=name, shape=shape, initializer=initializer))

    def add_normalization(self) -> None:
        self.add_bank("gamma", (self.channels,), "ones")
        self.add_bank("beta", (self.channels,), "zeros")

    def rows(self, place: tf.Tensor) -> list[tf.Tensor]:
        """The weights of place `place` (int32 scalar), one tensor per bank."""
        return [tf.gather(bank, place) for bank in self.banks]

    def compute(self, x: tf.Tensor, rows: list[tf.Tensor]) -> tf.Tensor:
        """`x` [batch, height, width, channels] through the operation with the weights `rows`; same shape."""
        raise NotImplementedError

    def call(self, x: tf.Tensor, place: tf.Tensor) -> tf.Tensor:
        return self.compute(x, self.rows(place))


class Convolution(Operation):
    """ReLU, size x size convolution, batch normalisation. Kernel bank [places, size, size, channels, channels]."""

    def __init__(self, num_places: int, channels: int, size: int, **kwargs):
        super().__init__(num_places, channels, size, **kwargs)
        self.add_bank("kernel", (size, size, channels, channels), functions.he_normal(size * size * channels))
        self.add_normalization()

    def compute(self, x, rows):
        kernel, gamma, beta = rows
        return functions.batch_normalize(functions.convolve(tf.nn.relu(x), kernel), gamma, beta)


class SeparableConvolution(Operation):
    """ReLU, depthwise size x size and pointwise convolution, batch normalisation.

    Banks: depthwise [places, size, size, channels, 1], pointwise [places, 1, 1, channels, channels].
    """

    def __init__(self, num_places: int, channels: int, size: int, **kwargs):
        super().__init__(num_places, channels, size, **kwargs)
        self.add_bank("depthwise", (size, size, channels, 1), functions.he_normal(size * size))
        self.add_bank("pointwise", (1, 1, channels, channels), functions.he_normal(channels))
        self.add_normalization()

    def compute(self, x, rows):
        depthwise, pointwise, gamma, beta = rows
        x = functions.convolve(functions.convolve_depthwise(tf.nn.relu(x), depthwise), pointwise)
        return functions.batch_normalize(x, gamma, beta)


class AveragePooling(Operation):
    """Mean over size x size windows; no weights."""

    def compute(self, x, rows):
        return functions.average_pool(x, self.size)


class MaxPooling(Operation):
    """Maximum over size x size windows; no weights."""

    def compute(self, x, rows):
        return functions.max_pool(x, self.size)


class FactorizedReduction(Operation):
    """Halves height and width: two 1x1 convolutions of every second pixel, the second shifted by one, joined; BN.

    Source: general_child.py, `_factorized_reduction`. No ReLU. Kernel bank [places, 2, 1, 1, channels, channels / 2].
    """

    def __init__(self, num_places: int, channels: int, **kwargs):
        super().__init__(num_places, channels, size=2, **kwargs)
        self.add_bank("kernel", (2, 1, 1, channels, channels // 2), functions.he_normal(channels))
        self.add_normalization()

    def compute(self, x, rows):
        """`x` [batch, height, width, channels] to [batch, height / 2, width / 2, channels].

        One 2x2 convolution: its upper left corner makes the first half of the channels, its lower right the second.
        """
        kernels, gamma, beta = rows
        half = self.channels // 2
        first = tf.pad(kernels[0], [[0, 1], [0, 1], [0, 0], [0, half]])
        second = tf.pad(kernels[1], [[1, 0], [1, 0], [0, 0], [half, 0]])
        x = tf.nn.conv2d(x, first + second, strides=2, padding="VALID")
        return functions.batch_normalize(x, gamma, beta)


OPERATIONS = {
    "conv_3x3": (Convolution, 3),
    "sep_conv_3x3": (SeparableConvolution, 3),
    "conv_5x5": (Convolution, 5),
    "sep_conv_5x5": (SeparableConvolution, 5),
    "avg_pool_3x3": (AveragePooling, 3),
    "max_pool_3x3": (MaxPooling, 3),
}


def build_operation(name: str, num_places: int, channels: int) -> Operation:
    """The operation called `name` (a key of `OPERATIONS`) with rows for `num_places` places."""
    kind, size = OPERATIONS[name]
    return kind(num_places, channels, size, name=name)
