"""The weights of the sampled edges of cells, each edge's in one vector."""

import math
from collections.abc import Sequence

import tensorflow as tf

from enas_tf.ops.bank import Bank


def gather_edges(banks: Sequence[Bank], numbers: tf.Tensor, rows: tf.Tensor) -> tf.Tensor:
    """Return the weights of each edge, one after the other, with zeros at the end.

    It has those of the sampled operation alone. One tensor for all operations keeps the graph small: each branch of a
    loop has a gradient, most often of zeros, for everything that any branch captures.

    Args:
      banks: those of all operations.
      numbers: int32 [n], which bank an edge reads.
      rows: int32 [n], which row of it.

    Returns:
      float32 [n, size], where size is that of the largest operation.
    """
    size = max(map(size_of, banks))
    places, vectors = [], []
    for number, bank in enumerate(banks):
        edges = tf.cast(tf.reshape(tf.where(numbers == number), [-1]), tf.int32)
        weights = bank.rows(tf.gather(rows, edges))
        parts = [tf.reshape(weight, [-1, math.prod(weight.shape[1:])]) for weight in weights]
        places.append(edges)
        vectors.append(tf.concat([*parts, tf.zeros([tf.size(edges), size - size_of(bank)])], axis=1))
    return tf.ensure_shape(tf.dynamic_stitch(places, vectors), [numbers.shape[0], size])


def unpack_edge(bank: Bank, vector: tf.Tensor) -> list[tf.Tensor]:
    """Return the weights of an edge that reads `bank`, of its `vector` float32 [size]."""
    return bank.unpack(vector[: size_of(bank)]) if bank.stacks else []


def size_of(bank: Bank) -> int:
    """Return the number of weights of a place."""
    return sum(math.prod(stack.shape[1:]) for stack in bank.stacks)
