"""What a training loop needs of a task: `Problem` and `Judge`.

A `Problem` is a model, its loss and its batches. A `Judge` gives rewards and scores by shared weights.

A task makes two problems: one of a supernet, one of a child. One training step (`training/step.py`) solves them all.
"""

import abc
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple, Protocol

import keras
import numpy as np
import tensorflow as tf

from enas_tf.spaces.space import Space

#: Purpose and counters -> int32 [2], a seed of stateless random ops: `runtime.seeds.seed_for` of a run's seed.
Seeds = Callable[..., tf.Tensor]


class Stream(Protocol):
    """The training batches, epoch by epoch. They are a function of the epoch and a seed.

    Attributes:
      unit: what `count_units` counts, in the plural.
      steps_per_epoch: the number of steps of an epoch, or about that where epochs differ.
    """

    unit: str
    steps_per_epoch: int

    def num_steps(self, epoch: int, seed: int) -> int:
        """Return the number of steps of `epoch`."""

    def batches(self, epoch: int, first_step: int, seed: int) -> Iterator[tuple[tf.Tensor, ...]]:
        """Yield the batches of `epoch` from its step `first_step` to its end."""

    def count_units(self, epoch: int, first_step: int, seed: int) -> int:
        """Return the number of units in the steps of `epoch` from `first_step` on."""


class Supernet(Protocol):
    """A Keras layer with shared weights for every architecture of a space."""

    @property
    def space(self) -> Space: ...

    @property
    def trainable_variables(self) -> list: ...

    def __call__(self, *inputs: tf.Tensor) -> tuple[Any, tf.Tensor]:
        """Compute one child.

        Args:
          inputs: the data, tokens int32 [num_tokens], and perhaps a seed int32 [2] of dropout.

        Returns:
          The result of the child, and the sum of squares of the weights that it is made of.
        """


class StepInputs(NamedTuple):
    """The inputs of a forward pass beside the batch.

    Attributes:
      seed: int32 [2], decides all that is random in this step.
      progress: float32 scalar in (0, 1], the share of the training that is done with this step; 0 in a search.
      tokens: int32 [num_tokens], a child of a supernet; None where the model is one child.
    """

    seed: tf.Tensor
    progress: tf.Tensor
    tokens: tf.Tensor | None = None


class Loss(NamedTuple):
    """The results of a forward pass in training mode.

    Attributes:
      objective: float32 scalar, what is minimised, without the L2 term.
      cross_entropy: float32 scalar, the mean in nats that is reported.
      squares: float32 scalar, the sum of squares of the weights that take part: the L2 term without its coefficient.
      sums: metric -> float32 scalar, a sum over the examples of the batch, such as the number of correct ones.
      state: float32 [rows, size], what the next step begins with; None where steps do not depend on each other.
    """

    objective: tf.Tensor
    cross_entropy: tf.Tensor
    squares: tf.Tensor
    sums: dict[str, tf.Tensor]
    state: tf.Tensor | None = None


class Problem(abc.ABC):
    """A model, its loss, and the batches that it is trained on.

    Attributes:
      variables: the weights that an optimizer moves.
      stream: the batches.
      tracked: what a checkpoint holds of the model.
      num_tokens: the number of tokens that choose a child of a supernet; None where the model is one child.
      children_per_step: how many children of a supernet share a batch; 1 where a state is carried.
      has_batch_statistics: whether a child of a supernet normalises by statistics of its batch, which replicas that
        compute it together may share.
      metrics: the names of `Loss.sums`.
      state_shape: rows and size of the state that is carried from step to step and begins each epoch with zeros; None
        without one.
      signature: the specs of a batch's tensors where their shapes differ from step to step; None where they do not.
      layers_in_training: all layers of a child that `forward` runs through.
    """

    variables: list
    stream: Stream
    tracked: dict[str, object]
    num_tokens: int | None = None
    children_per_step: int = 1
    has_batch_statistics: bool = False
    metrics: tuple[str, ...] = ()
    state_shape: tuple[int, int] | None = None
    signature: list[tf.TensorSpec] | None = None
    layers_in_training: Iterable[keras.layers.Layer] = ()

    @abc.abstractmethod
    def forward(self, batch: list[tf.Tensor], inputs: StepInputs) -> Loss:
        """Compute the loss of a batch; where a state is carried, its rows are the last of the batch's tensors."""

    @abc.abstractmethod
    def step_seed(self, seeds: Seeds, epoch: int, step: int) -> tf.Tensor:
        """Return the seed, int32 [2], of a step of an epoch. The seeds of its children are this one plus 0, 1, ..."""

    def rate_scale(self, batch: list[tf.Tensor]) -> tf.Tensor | None:
        """Return the factor of the learning rate for this batch; None for 1."""
        return None

    def summarize(self, means: dict[str, float]) -> dict[str, float]:
        """Return the means of an epoch with what follows from them."""
        return means


class Judge(abc.ABC):
    """Rewards and scores proposals by shared weights.

    Attributes:
      metric: the name of what `score` returns.
      is_higher_better: whether more of it is better.
    """

    metric: str
    is_higher_better: bool

    @abc.abstractmethod
    def start(self, first_batch: int) -> None:
        """Set the validation batches to where a run stands after `first_batch` of them since its beginning."""

    @abc.abstractmethod
    def reward(self, tokens: tf.Tensor, num_batches: int = 1) -> tf.Tensor:
        """Return the rewards float32 [n] of proposals `tokens` int32 [n, num_tokens]; more is better.

        All are judged on the next `num_batches` validation batches, so that only the proposals differ: the luck of a
        batch would be taken for their merit.
        """

    @abc.abstractmethod
    def score(self, tokens: np.ndarray, num_batches: int = 0) -> float:
        """Return the metric of one proposal, int32 [num_tokens], on the validation part.

        With `num_batches`, on that many batches of it.
        """
