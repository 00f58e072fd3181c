"""What tests of operations share: all operations with their kind, and banks whose places differ."""

import numpy as np
import tensorflow as tf

from enas_tf.ops.op import CELL_OPS, LAYER_OPS
from enas_tf.ops.reduction import REDUCTION

CHANNELS = 6
#: Every operation of every kind, and the reduction, which networks use without asking for it by name.
OPS = {f"{kind} {name}": ops[name] for kind, ops in (("layer", LAYER_OPS), ("cell", CELL_OPS)) for name in ops}
STRIDED = {f"{name} /2": op.with_strides(2) for name, op in OPS.items()} | {"reduction /2": REDUCTION}


def draw(*shape, seed=0):
    return tf.constant(np.random.default_rng(seed).normal(size=shape), tf.float32)


def randomize(bank):
    """Move every weight off its initial value, so that no place equals another."""
    for seed, stack in enumerate(bank.stacks):
        stack.assign(draw(*stack.shape, seed=10 + seed))
    return bank
