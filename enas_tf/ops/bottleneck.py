"""Convolutions of few channels between two 1x1 convolutions, as NASNet and its descendants have them.

Source: the authors' code of AmoebaNet (tensorflow/tpu, models/experimental/amoeba_net/network_utils.py). The papers do
not tell of the 1x1 convolutions.
"""

import math
from fractions import Fraction

import keras
import tensorflow as tf

from enas_tf.layers import functions
from enas_tf.layers.stock import set_weights
from enas_tf.ops.bank import Bank
from enas_tf.ops.costs import Cost
from enas_tf.ops.op import Op, register

Kernel = tuple[int, int]


class BottleneckBank(Bank):
    """Bottlenecks of `op`, from `inputs` channels, by default as many as they make.

    Stacks: narrow [places, 1, 1, inputs, n] with gamma and beta [places, n]; for each kernel of the operation
    [places, height, width, n, n], gamma and beta; widen [places, 1, 1, n, channels], gamma and beta [places, channels].
    """

    def __init__(self, num_places: int, channels: int, op: "Bottleneck", inputs: int | None = None, **kwargs):
        super().__init__(num_places, channels, **kwargs)
        self.op, num = op, op.narrowed(channels)
        first, last = ((1, 1), inputs or channels, num), ((1, 1), num, channels)
        sizes = [first, *((kernel, num, num) for kernel in op.kernels), last]
        for part, ((height, width), inputs, outputs) in zip(op.parts, sizes, strict=True):
            fan_in = height * width * inputs
            self.add_stack(part, (height, width, inputs, outputs), functions.he_normal(fan_in))
            self.add_stack(f"{part}_gamma", (outputs,), "ones")
            self.add_stack(f"{part}_beta", (outputs,), "zeros")

    def compute(self, x, rows, strides=1):
        weights = zip(rows[::3], rows[1::3], rows[2::3], strict=True)
        for (kernel, gamma, beta), (step, rate) in zip(weights, self.op.steps(strides), strict=True):
            x = tf.nn.relu(x)
            x = functions.convolve(x, kernel, step) if rate == 1 else functions.convolve_dilated(x, kernel, rate)
            x = functions.batch_normalize(x, gamma, beta)
        return x


class Bottleneck(Op):
    """A 1x1 convolution to few channels, convolutions of these, and a 1x1 convolution back to all.

    Each of them has a ReLU before it and batch normalisation behind it.

    Args:
      kernels: heights and widths of the convolutions in the middle.
      share: how many channels these have, of all.
      rate: their dilation: every `rate`-th pixel is read.
    """

    reads_any_width = True

    def __init__(self, name: str, kernels: tuple[Kernel, ...], colour: str, share: Fraction, rate: int = 1):
        self.name, self.kernels, self.colour, self.share, self.rate = name, kernels, colour, share, rate
        self.parts = ["narrow", *("x".join(map(str, kernel)) for kernel in kernels), "widen"]

    def narrowed(self, channels: int) -> int:
        """Return the number of channels in the middle."""
        return max(1, math.floor(channels * self.share))

    def steps(self, strides: int) -> list[tuple[int | Kernel, int]]:
        """Return the strides and the dilation of each convolution.

        Of a pair of flat kernels each has a stride along itself. With a stride a dilated convolution would read every
        second pixel only. So the first convolution computes just these, and the next one reads all of them.
        """
        middle: list[tuple[int | Kernel, int]]
        if self.rate == strides == 2:
            return [(strides, 1), *((1, 1) for _ in self.kernels), (1, 1)]
        middle = [((strides if h > 1 else 1, strides if w > 1 else 1), self.rate) for h, w in self.kernels]
        return [(1, 1), *middle, (1, 1)]

    def build_bank(self, num_places, channels, inputs=None):
        return BottleneckBank(num_places, channels, self, inputs, name=self.name)

    def apply(self, layers, x, channels, name, strides=1):
        num = self.narrowed(channels)
        shapes = [(num, 1), *((num, kernel) for kernel in self.kernels), (channels, 1)]
        for part, (outputs, size), (step, rate) in zip(self.parts, shapes, self.steps(strides), strict=True):
            x = layers.relu_convolve_normalize(x, outputs, size, f"{name}_{part}", step, rate=rate)
        return x

    def count(self, channels, pixels, strides=1, inputs=None):
        """Return the cost. Where a stride halves an odd height or width, that counts as if it had one pixel more."""
        num, cost = self.narrowed(channels), Cost()
        first, last = ((1, 1), inputs or channels, num), ((1, 1), num, channels)
        shapes = [first, *((kernel, num, num) for kernel in self.kernels), last]
        pixels *= strides**2
        for (size, ins, outs), (step, _) in zip(shapes, self.steps(strides), strict=True):
            pixels //= step**2 if isinstance(step, int) else math.prod(step)
            cost += Cost.convolution(size, ins, outs, pixels)
        return cost

    def copy_weights(self, child: keras.Model, name: str, rows: list) -> None:
        for part, kernel, gamma, beta in zip(self.parts, rows[::3], rows[1::3], rows[2::3], strict=True):
            set_weights(child, f"{name}_{part}", [kernel], gamma, beta)


_QUARTER = Fraction(1, 4)
register(Bottleneck("bottleneck_3x3", ((3, 3),), "#3d5bd9", _QUARTER), ["cell"])
register(Bottleneck("conv_1x7_7x1", ((1, 7), (7, 1)), "#1f2a80", _QUARTER), ["cell"])
register(Bottleneck("conv_1x3_3x1", ((1, 3), (3, 1)), "#6f7bc4", Fraction(3, 8)), ["cell"])
register(Bottleneck("dilated_3x3", ((3, 3),), "#2fd0d0", _QUARTER, rate=2), ["cell"])
