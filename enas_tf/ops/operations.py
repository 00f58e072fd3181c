"""Operations on stacked weight banks: one Keras layer per kind of operation, one row of its banks per place.

A place is anywhere the operation may stand. `rows(place)` gathers the weights of one place, `compute(x, rows)` applies
them. The two are apart because a branch that gathers for itself turns its gradient into sparse slices, which costs
time and tracing: callers gather outside the branch and compute inside.
"""

import math

import keras
import tensorflow as tf

from enas_tf.layers import functions


class Operation(keras.layers.Layer):
    """An operation to `channels` channels at any of `num_places` places.

    From as many channels, unless a subclass takes `inputs`. The result has one pixel per stride.
    """

    def __init__(self, num_places: int, channels: int, size: int, **kwargs):
        super().__init__(**kwargs)
        self.num_places, self.channels, self.size = num_places, channels, size
        self.banks: list[keras.Variable] = []

    def add_bank(self, name: str, row_shape: tuple[int, ...], initializer) -> None:
        shape = (self.num_places, *row_shape)
        self.banks.append(self.add_weight(name=name, shape=shape, initializer=initializer))

    def add_normalization(self, *repeats: int) -> None:
        self.add_bank("gamma", (*repeats, self.channels), "ones")
        self.add_bank("beta", (*repeats, self.channels), "zeros")

    def rows(self, places: tf.Tensor) -> list[tf.Tensor]:
        """The weights of `places` (int32, any shape), one tensor [*places, ...] per bank."""
        return [tf.gather(bank, places) for bank in self.banks]

    def unpack(self, vector: tf.Tensor) -> list[tf.Tensor]:
        """The weights of one place out of a vector of all of them, one bank's behind the other's."""
        shapes = [bank.shape[1:] for bank in self.banks]
        parts = tf.split(vector, [math.prod(shape) for shape in shapes])
        return [tf.reshape(part, shape) for part, shape in zip(parts, shapes, strict=True)]

    def compute(self, x: tf.Tensor, rows: list[tf.Tensor], strides: int = 1) -> tf.Tensor:
        """`x` [batch, height, width, inputs] with the weights `rows` of one place: [batch, h / s, w / s, channels]."""
        raise NotImplementedError

    def call(self, x: tf.Tensor, place: tf.Tensor, strides: int = 1) -> tf.Tensor:
        return self.compute(x, self.rows(place), strides)


class Convolution(Operation):
    """ReLU, size x size convolution, batch normalisation. Kernel bank [places, size, size, inputs, channels]."""

    def __init__(self, num_places: int, channels: int, size: int, inputs: int | None = None, **kwargs):
        super().__init__(num_places, channels, size, **kwargs)
        inputs = inputs or channels
        self.add_bank("kernel", (size, size, inputs, channels), functions.he_normal(size * size * inputs))
        self.add_normalization()

    def compute(self, x, rows, strides=1):
        kernel, gamma, beta = rows
        return functions.batch_normalize(functions.convolve(tf.nn.relu(x), kernel, strides), gamma, beta)


class SeparableConvolution(Operation):
    """ReLU, depthwise size x size and pointwise convolution, batch normalisation.

    Banks: depthwise [places, size, size, channels, 1], pointwise [places, 1, 1, channels, channels].
    """

    def __init__(self, num_places: int, channels: int, size: int, **kwargs):
        super().__init__(num_places, channels, size, **kwargs)
        self.add_bank("depthwise", (size, size, channels, 1), functions.he_normal(size * size))
        self.add_bank("pointwise", (1, 1, channels, channels), functions.he_normal(channels))
        self.add_normalization()

    def compute(self, x, rows, strides=1):
        depthwise, pointwise, gamma, beta = rows
        x = functions.convolve(functions.convolve_depthwise(tf.nn.relu(x), depthwise, strides), pointwise)
        return functions.batch_normalize(x, gamma, beta)


class TwiceSeparableConvolution(Operation):
    """Two separable convolutions, one after the other, as cells have them; the first takes the stride.

    Banks like those of `SeparableConvolution`, with an axis of 2 behind the places.
    """

    def __init__(self, num_places: int, channels: int, size: int, **kwargs):
        super().__init__(num_places, channels, size, **kwargs)
        self.add_bank("depthwise", (2, size, size, channels, 1), functions.he_normal(size * size))
        self.add_bank("pointwise", (2, 1, 1, channels, channels), functions.he_normal(channels))
        self.add_normalization(2)

    def compute(self, x, rows, strides=1):
        parts = zip(*(tf.unstack(row) for row in rows), strict=True)
        for (depthwise, pointwise, gamma, beta), step in zip(parts, (strides, 1), strict=True):
            x = functions.convolve(functions.convolve_depthwise(tf.nn.relu(x), depthwise, step), pointwise)
            x = functions.batch_normalize(x, gamma, beta)
        return x


class AveragePooling(Operation):
    """Mean over size x size windows; no weights."""

    def compute(self, x, rows, strides=1):
        return functions.average_pool(x, self.size, strides)


class MaxPooling(Operation):
    """Maximum over size x size windows; no weights."""

    def compute(self, x, rows, strides=1):
        return functions.max_pool(x, self.size, strides)


class Identity(Operation):
    """`x` itself; no weights. With a stride a `FactorizedReduction` stands in its place."""

    def compute(self, x, rows, strides=1):
        if strides != 1:
            raise ValueError("an identity has no stride")
        return tf.identity(x)


class FactorizedReduction(Operation):
    """Halves height and width: two 1x1 convolutions of every second pixel, the second shifted by one, joined; BN.

    Source: general_child.py, `_factorized_reduction`. No ReLU. Kernel bank [places, 2, 1, 1, inputs, channels / 2].
    """

    def __init__(self, num_places: int, channels: int, inputs: int | None = None, **kwargs):
        super().__init__(num_places, channels, size=2, **kwargs)
        inputs = inputs or channels
        self.add_bank("kernel", (2, 1, 1, inputs, channels // 2), functions.he_normal(inputs))
        self.add_normalization()

    def compute(self, x, rows, strides=2):
        """`x` [batch, height, width, inputs] to [batch, height / 2, width / 2, channels].

        One 2x2 convolution: its upper left corner makes the first half of the channels, its lower right the second.
        """
        kernels, gamma, beta = rows
        half = self.channels // 2
        first = tf.pad(kernels[0], [[0, 1], [0, 1], [0, 0], [0, half]])
        second = tf.pad(kernels[1], [[1, 0], [1, 0], [0, 0], [half, 0]])
        x = tf.nn.conv2d(x, tf.cast(first + second, x.dtype), strides=2, padding="VALID")
        return functions.batch_normalize(x, gamma, beta)


#: Operations of a layer of the macro space.
OPERATIONS = {
    "conv_3x3": (Convolution, 3),
    "sep_conv_3x3": (SeparableConvolution, 3),
    "conv_5x5": (Convolution, 5),
    "sep_conv_5x5": (SeparableConvolution, 5),
    "avg_pool_3x3": (AveragePooling, 3),
    "max_pool_3x3": (MaxPooling, 3),
}
#: Operations of a cell: separable convolutions are applied twice (micro_child.py, `_enas_conv`).
CELL_OPERATIONS = {
    "sep_conv_3x3": (TwiceSeparableConvolution, 3),
    "sep_conv_5x5": (TwiceSeparableConvolution, 5),
    "avg_pool_3x3": (AveragePooling, 3),
    "max_pool_3x3": (MaxPooling, 3),
    "identity": (Identity, 1),
    "sep_conv_7x7": (TwiceSeparableConvolution, 7),
    "conv_1x1": (Convolution, 1),
    "conv_3x3": (Convolution, 3),
    "max_pool_5x5": (MaxPooling, 5),
    "max_pool_7x7": (MaxPooling, 7),
}


def build_operation(name: str, num_places: int, channels: int, table: dict = OPERATIONS) -> Operation:
    """The operation called `name` in `table` with rows for `num_places` places."""
    kind, size = table[name]
    return kind(num_places, channels, size, name=name)
