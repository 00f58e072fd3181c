"""Averaged SGD, which begins when the validation loss stops falling.

Non-monotonically triggered averaging (NT-ASGD, Merity et al. 2018; enas_lm). Averaging starts after the first epoch
whose validation loss exceeds the minimum of all epochs before the last `patience`. From then on the mean of the weights
is validated, tested and kept.
"""

import contextlib
from collections.abc import Iterator

import numpy as np
import tensorflow as tf


class Averaging:
    """Sums of the weights of a child, and the validation losses that decide when averaging starts.

    Args:
      variables: the weights.
      patience: the number of last epochs whose validation losses are left out of the minimum.
      num_epochs: epochs of the whole training.
    """

    def __init__(self, variables: list, patience: int, num_epochs: int):
        self.variables, self.patience = variables, patience
        self._sums = [tf.Variable(tf.zeros(v.shape), trainable=False, name=f"sum_{v.name}") for v in variables]
        self._num_summed = tf.Variable(0.0, trainable=False, name="num_summed")
        self._is_on = tf.Variable(False, trainable=False, name="is_averaging")
        self._losses = tf.Variable(tf.fill([num_epochs], np.nan), trainable=False, name="valid_losses")

    @property
    def tracked(self) -> list[tf.Variable]:
        """What a checkpoint holds: the sums and the losses so far."""
        return [*self._sums, self._num_summed, self._is_on, self._losses]

    @property
    def is_on(self) -> bool:
        """Whether weights are being averaged."""
        return bool(self._is_on.numpy())

    def add(self) -> None:
        """Add the weights of a step to the sums, if averaging has started. A traced step calls it at its end."""
        is_summed = tf.cast(self._is_on, tf.float32)
        for total, variable in zip(self._sums, self.variables, strict=True):
            total.assign_add(is_summed * variable.value)
        self._num_summed.assign_add(is_summed)

    def decide(self, epoch: int, valid_loss: float) -> None:
        """Start averaging if the validation loss of `epoch` exceeds the minimum before the last `patience` epochs."""
        earlier = self._losses.numpy()[: max(0, epoch - self.patience)]
        self._losses.assign(tf.tensor_scatter_nd_update(self._losses, [[epoch]], [valid_loss]))
        if not self.is_on and earlier.size and valid_loss > earlier.min():
            self._is_on.assign(True)

    @contextlib.contextmanager
    def applied(self) -> Iterator[None]:
        """Give the model the mean weights within the block, if averaging has started."""
        kept = [tf.identity(variable) for variable in self.variables]
        if self.is_on:
            self._assign(self._mean_weights())
        try:
            yield
        finally:
            self._assign(kept)

    def finish(self) -> None:
        """Leave the model with the mean weights, if there are any."""
        if self._num_summed.numpy():
            self._assign(self._mean_weights())

    def _mean_weights(self) -> list[tf.Tensor]:
        return [total / self._num_summed for total in self._sums]

    def _assign(self, weights: list[tf.Tensor]) -> None:
        for variable, weight in zip(self.variables, weights, strict=True):
            variable.assign(weight)
