"""The identity of a cell, and its replacement under a stride."""

import tensorflow as tf

from enas_tf.ops.bank import Bank
from enas_tf.ops.convolution import Convolution
from enas_tf.ops.costs import Cost
from enas_tf.ops.op import NEUTRAL, Op, register
from enas_tf.ops.reduction import FactorizedReduction


class IdentityBank(Bank):
    """`x` itself at every place; there are no stacks."""

    def compute(self, x, rows, strides=1):
        if strides != 1:
            raise ValueError("an identity has no stride")
        return tf.identity(x)


class Identity(Op):
    """The input itself. With a stride a factorized reduction is computed in its place (micro_child.py)."""

    name, colour, drops_path = "identity", NEUTRAL, False
    _halved = FactorizedReduction("identity_halved")

    def with_strides(self, strides):
        return self if strides == 1 else self._halved

    def build_bank(self, num_places, channels):
        return IdentityBank(num_places, channels, name=self.name)

    def apply(self, layers, x, channels, name, strides=1):
        return x

    def count(self, channels, pixels, strides=1):
        return Cost()

    def copy_weights(self, child, name, rows):
        """Copy nothing."""


register(Identity(), ["cell"])

#: What networks of NASNet's family compute in place of an identity under a stride (slim, nasnet_utils.py: `none`).
STRIDED_IDENTITY = Convolution("identity_projected", 1, NEUTRAL)
