"""Operations that are brought to another width: a 1x1 convolution stands behind them."""

from enas_tf.layers import functions
from enas_tf.layers.stock import set_weights
from enas_tf.ops.bank import Bank
from enas_tf.ops.costs import Cost
from enas_tf.ops.op import Op


class NarrowingBank(Bank):
    """1x1 convolutions from `inputs` channels, without a ReLU before them.

    Stacks: kernel [places, 1, 1, inputs, channels], gamma and beta [places, channels].
    """

    def __init__(self, num_places: int, channels: int, inputs: int, **kwargs):
        super().__init__(num_places, channels, **kwargs)
        self.add_stack("kernel", (1, 1, inputs, channels), functions.he_normal(inputs))
        self.add_normalization()

    def compute(self, x, rows, strides=1):
        kernel, gamma, beta = rows
        return functions.batch_normalize(functions.convolve(x, kernel), gamma, beta)


class NarrowedBank(Bank):
    """An operation with `inputs` channels and a narrowing behind it: the stacks of both."""

    def __init__(self, num_places: int, channels: int, inputs: int, op: Op, **kwargs):
        super().__init__(num_places, channels, **kwargs)
        self.bank = op.build_bank(num_places, inputs)
        self.narrowing = NarrowingBank(num_places, channels, inputs, name="narrowing")
        self.stacks = [*self.bank.stacks, *self.narrowing.stacks]

    def compute(self, x, rows, strides=1):
        num = len(self.bank.stacks)
        return self.narrowing.compute(self.bank.compute(x, rows[:num], strides), rows[num:])


class Narrowed(Op):
    """An operation that keeps the width, and a 1x1 convolution with batch normalisation behind it.

    Source: research/slim/nets/nasnet/nasnet_utils.py of tensorflow/models, `_apply_operation`.
    """

    reads_any_width = True

    def __init__(self, op: Op):
        self.op, self.name, self.colour, self.drops_path = op, op.name, op.colour, op.drops_path

    def with_strides(self, strides):
        return Narrowed(self.op.with_strides(strides))

    def build_bank(self, num_places, channels, inputs=None):
        return NarrowedBank(num_places, channels, inputs or channels, self.op, name=f"{self.name}_narrowed")

    def apply(self, layers, x, channels, name, strides=1):
        y = self.op.apply(layers, x, x.shape[-1], name, strides)
        return layers.normalize(layers.convolve(y, channels, 1, f"{name}_narrow"), f"{name}_narrow")

    def count(self, channels, pixels, strides=1, inputs=None):
        inputs = inputs or channels
        return self.op.count(inputs, pixels, strides) + Cost.convolution(1, inputs, channels, pixels)

    def copy_weights(self, child, name, rows):
        *rows, kernel, gamma, beta = rows
        self.op.copy_weights(child, name, rows)
        set_weights(child, f"{name}_narrow", [kernel], gamma, beta)
