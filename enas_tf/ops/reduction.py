"""The factorized reduction: it halves height and width. Networks use it where nothing was searched."""

import keras
import tensorflow as tf

from enas_tf.layers import functions
from enas_tf.layers.stock import set_normalization
from enas_tf.ops.bank import Bank
from enas_tf.ops.costs import Cost
from enas_tf.ops.op import NEUTRAL, Op


class ReductionBank(Bank):
    """Factorized reductions from `inputs` channels, by default as many as they make.

    Stacks: kernel [places, 2, 1, 1, inputs, channels / 2], gamma and beta [places, channels].
    """

    def __init__(self, num_places: int, channels: int, inputs: int | None = None, **kwargs):
        super().__init__(num_places, channels, **kwargs)
        inputs = inputs or channels
        self.add_stack("kernel", (2, 1, 1, inputs, channels // 2), functions.he_normal(inputs))
        self.add_normalization()

    def compute(self, x, rows, strides=2):
        kernels, gamma, beta = rows
        return functions.batch_normalize(convolve_halves(x, kernels), gamma, beta)


def convolve_halves(x: tf.Tensor, kernels: tf.Tensor) -> tf.Tensor:
    """Apply the two convolutions of a factorized reduction as one of 2x2.

    Its upper left corner makes the first half of the channels, its lower right corner the second.

    Args:
      x: [batch, height, width, inputs], of even height and width.
      kernels: [2, 1, 1, inputs, channels / 2].

    Returns:
      [batch, height / 2, width / 2, channels].
    """
    half = kernels.shape[-1]
    first = tf.pad(kernels[0], [[0, 1], [0, 1], [0, 0], [0, half]])
    second = tf.pad(kernels[1], [[1, 0], [1, 0], [0, 0], [half, 0]])
    return tf.nn.conv2d(x, tf.cast(first + second, x.dtype), strides=2, padding="VALID")


class FactorizedReduction(Op):
    """Two 1x1 convolutions of every second pixel, the second one shifted by a pixel, joined; batch normalisation.

    There is no ReLU, and the stride is always 2. Where height or width is odd, the shifted image has a row or a column
    of zeros at its end. The bank is for an even height and width and an even number of channels.
    Source: general_child.py, `_factorized_reduction`; for odd sizes slim, nasnet_utils.py, `factorized_reduction`.
    """

    def __init__(self, name: str = "reduction", colour: str = NEUTRAL):
        self.name, self.colour = name, colour

    def build_bank(self, num_places, channels, inputs=None):
        return ReductionBank(num_places, channels, inputs, name=self.name)

    def apply(self, layers, x, channels, name, strides=2):
        # Where height and width are even, the shifted image needs no padding to have as many second pixels.
        ends = tuple((0, side % 2) for side in x.shape[1:3])
        padded = layers.get(keras.layers.ZeroPadding2D, f"{name}_pad", padding=ends)(x) if ends != ((0, 0),) * 2 else x
        shifted = layers.get(layers.cropping, f"{name}_crop", cropping=((1, 0), (1, 0)))(padded)
        half = channels // 2
        halves = [
            layers.convolve(x, half, 1, f"{name}_even", strides=2),
            layers.convolve(shifted, channels - half, 1, f"{name}_odd", strides=2),
        ]
        return layers.normalize(layers.concatenate(halves, name), name)

    def count(self, channels, pixels, strides=2, inputs=None):
        return Cost.convolution(1, inputs or channels, channels, pixels)

    def copy_weights(self, child: keras.Model, name: str, rows: list) -> None:
        kernels, gamma, beta = rows
        child.get_layer(f"{name}_even_conv").set_weights([kernels[0]])
        child.get_layer(f"{name}_odd_conv").set_weights([kernels[1]])
        set_normalization(child, name, gamma, beta)


REDUCTION = FactorizedReduction()
