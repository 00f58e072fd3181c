"""The vector of an edge holds the weights of its operation alone, and only they get a gradient."""

import numpy as np
import tensorflow as tf

from enas_tf.models.edge_weights import gather_edges, size_of, unpack_edge
from enas_tf.ops.op import CELL_OPS

CHANNELS = 2
#: A large operation, one without weights, a small one that no edge reads, and another large one.
BANKS = [
    CELL_OPS[name].build_bank(3, CHANNELS) for name in ("sep_conv_3x3", "max_pool_3x3", "identity", "sep_conv_5x5")
]
NUMBERS, ROWS = [3, 1, 0, 3], [2, 0, 1, 0]


def test_each_edge_has_the_weights_of_its_operation_and_zeros():
    vectors = gather_edges(BANKS, tf.constant(NUMBERS), tf.constant(ROWS))
    assert vectors.shape == (4, max(map(size_of, BANKS)))
    for number, row, vector in zip(NUMBERS, ROWS, vectors, strict=True):
        bank = BANKS[number]
        for found, expected in zip(unpack_edge(bank, vector), bank.rows(row), strict=True):
            np.testing.assert_array_equal(found, expected)
        assert not np.any(vector[size_of(bank) :])


def test_only_the_rows_of_the_edges_have_a_gradient():
    stacks = [(number, stack) for number, bank in enumerate(BANKS) for stack in bank.stacks]
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(gather_edges(BANKS, tf.constant(NUMBERS), tf.constant(ROWS)) ** 2)
    gradients = tape.gradient(loss, [stack.value for _, stack in stacks])
    for (number, stack), gradient in zip(stacks, gradients, strict=True):
        used = [row for n, row in zip(NUMBERS, ROWS, strict=True) if n == number]
        expected = np.zeros(stack.shape)
        expected[used] = 2 * stack.numpy()[used]
        np.testing.assert_allclose(tf.convert_to_tensor(gradient), expected, rtol=1e-6)
