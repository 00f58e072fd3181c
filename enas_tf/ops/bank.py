"""Banks: the weights of an operation at many places, stacked, and what it computes with those of one place.

A place is anywhere the operation may stand. `rows(place)` gathers the weights of one place, `compute(x, rows)` applies
them. The two are apart because a branch that gathers for itself turns its gradient into sparse slices, which cost time
and tracing: callers gather outside the branch and compute inside.
"""

import math

import keras
import tensorflow as tf


class Bank(keras.layers.Layer):
    """An operation with `channels` channels at any of `num_places` places.

    It reads as many channels as it makes, unless a subclass says otherwise.

    Attributes:
      stacks: one variable [num_places, ...] for each weight of the operation.
    """

    def __init__(self, num_places: int, channels: int, **kwargs):
        super().__init__(**kwargs)
        self.num_places, self.channels = num_places, channels
        self.stacks: list[keras.Variable] = []

    def add_stack(self, name: str, row_shape: tuple[int, ...], initializer) -> None:
        """Add a weight that has the shape `row_shape` at each place."""
        shape = (self.num_places, *row_shape)
        self.stacks.append(self.add_weight(name=name, shape=shape, initializer=initializer))

    def add_normalization(self, *repeats: int) -> None:
        """Add scale and offset of a batch normalisation, or of `repeats` of them."""
        self.add_stack("gamma", (*repeats, self.channels), "ones")
        self.add_stack("beta", (*repeats, self.channels), "zeros")

    def rows(self, places) -> list[tf.Tensor]:
        """Return the weights of `places` (int32, any shape), one tensor [*places, ...] for each stack."""
        return [tf.gather(stack, places) for stack in self.stacks]

    def unpack(self, vector: tf.Tensor) -> list[tf.Tensor]:
        """Return the weights of one place that `vector` holds one after the other, in the order of the stacks."""
        shapes = [stack.shape[1:] for stack in self.stacks]
        parts = tf.split(vector, [math.prod(shape) for shape in shapes])
        return [tf.reshape(part, shape) for part, shape in zip(parts, shapes, strict=True)]

    def compute(self, x: tf.Tensor, rows: list[tf.Tensor], strides: int = 1) -> tf.Tensor:
        """Apply the operation with the weights `rows` of one place.

        Args:
          x: [batch, height, width, inputs]; height and width are known when the graph is traced.
          rows: what `rows` returns for a single place.
          strides: 1 or 2.

        Returns:
          [batch, height / strides, width / strides, channels], in the type of `x`.
        """
        raise NotImplementedError

    def call(self, x: tf.Tensor, place: tf.Tensor, strides: int = 1) -> tf.Tensor:
        """Apply the operation with the weights of `place` (int32 scalar)."""
        return self.compute(x, self.rows(place), strides)
