"""Averages of the weights of a child, which are validated, tested and kept: a mean that begins late, or a moving one.

Non-monotonically triggered averaging (NT-ASGD, Merity et al. 2018; enas_lm) starts after the first epoch whose
validation loss exceeds the minimum of all epochs before the last `patience`.

The moving average is that of slim's ImageNet models. There it holds the moving statistics of normalisation too; here
it holds what is trained.
"""

import abc
import contextlib
from collections.abc import Iterator
from typing import ClassVar

import numpy as np
import tensorflow as tf


class WeightAverage(abc.ABC):
    """An average of the weights of a child.

    Args:
      variables: the weights.
    """

    #: Whether the last weights are kept where they are better on the validation part.
    competes: ClassVar[bool] = False

    def __init__(self, variables: list):
        self.variables = variables

    @property
    @abc.abstractmethod
    def tracked(self) -> list[tf.Variable]:
        """What a checkpoint holds."""

    @property
    @abc.abstractmethod
    def is_on(self) -> bool:
        """Whether weights are being averaged."""

    @abc.abstractmethod
    def add(self) -> None:
        """Add the weights of a step. A traced step calls it at its end."""

    def decide(self, epoch: int, valid_loss: float) -> None:  # noqa: B027
        """Hear of the validation loss of `epoch`."""

    @abc.abstractmethod
    def weights(self) -> list[tf.Tensor] | None:
        """Return the average; None where no step has been added."""

    @contextlib.contextmanager
    def applied(self) -> Iterator[None]:
        """Give the model the average within the block, if weights are being averaged."""
        kept = [tf.identity(variable) for variable in self.variables]
        if self.is_on:
            self.finish()
        try:
            yield
        finally:
            self._assign(kept)

    def finish(self) -> None:
        """Leave the model with the average, if there is one."""
        if (average := self.weights()) is not None:
            self._assign(average)

    def _assign(self, weights: list[tf.Tensor]) -> None:
        for variable, weight in zip(self.variables, weights, strict=True):
            variable.assign(weight)


class LateMean(WeightAverage):
    """The mean of the weights of all steps since the validation loss stopped falling (NT-ASGD).

    It competes with the last weights: where the loss stands still for some epochs and falls again, the mean is of
    weights that were never good. (The paper keeps the mean in any case.)

    Args:
      variables: the weights.
      patience: the number of last epochs whose validation losses are left out of the minimum.
      num_epochs: epochs of the whole training.
    """

    competes = True

    def __init__(self, variables: list, patience: int, num_epochs: int):
        super().__init__(variables)
        self.patience = patience
        self._sums = [tf.Variable(tf.zeros(v.shape), trainable=False, name=f"sum_{v.name}") for v in variables]
        self._num_summed = tf.Variable(0.0, trainable=False, name="num_summed")
        self._is_on = tf.Variable(False, trainable=False, name="is_averaging")
        self._losses = tf.Variable(tf.fill([num_epochs], np.nan), trainable=False, name="valid_losses")

    @property
    def tracked(self):
        return [*self._sums, self._num_summed, self._is_on, self._losses]

    @property
    def is_on(self):
        return bool(self._is_on.numpy())

    def add(self):
        is_summed = tf.cast(self._is_on, tf.float32)
        for total, variable in zip(self._sums, self.variables, strict=True):
            total.assign_add(is_summed * variable.value)
        self._num_summed.assign_add(is_summed)

    def decide(self, epoch, valid_loss):
        """Start averaging if the validation loss of `epoch` exceeds the minimum before the last `patience` epochs."""
        earlier = self._losses.numpy()[: max(0, epoch - self.patience)]
        self._losses.assign(tf.tensor_scatter_nd_update(self._losses, [[epoch]], [valid_loss]))
        if not self.is_on and earlier.size and valid_loss > earlier.min():
            self._is_on.assign(True)

    def weights(self):
        return [total / self._num_summed for total in self._sums] if self._num_summed.numpy() else None


class MovingAverage(WeightAverage):
    """An exponential moving average of the weights from the first step on.

    The decay of step t is at most (1 + t) / (10 + t), so that the first weights are soon forgotten (as TensorFlow's
    ExponentialMovingAverage does it).

    Args:
      variables: the weights.
      decay: how much of the average is kept at a step.
    """

    def __init__(self, variables: list, decay: float):
        super().__init__(variables)
        self._decay = decay
        self._means = [tf.Variable(tf.identity(v.value), trainable=False, name=f"mean_{v.name}") for v in variables]
        self._num_added = tf.Variable(0.0, trainable=False, name="num_averaged")

    @property
    def tracked(self):
        return [*self._means, self._num_added]

    @property
    def is_on(self):
        return True

    def add(self):
        num = self._num_added.assign_add(1.0)
        decay = tf.minimum(self._decay, (1.0 + num) / (10.0 + num))
        for mean, variable in zip(self._means, self.variables, strict=True):
            mean.assign_sub((1.0 - decay) * (mean - variable.value))

    def weights(self):
        return [tf.identity(mean) for mean in self._means]
