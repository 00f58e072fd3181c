"""What runners of trials are told, and what they return."""

import dataclasses
from typing import Any, Protocol

import numpy as np

from enas_tf.models.networks import Networks
from enas_tf.options import Config
from enas_tf.spaces.space import Space
from enas_tf.tasks.task import Task
from enas_tf.training.optimizers import SgdConfig

#: Ways to train a trial.
MODELS = ("auto", "supernet", "keras")


class Diverged(Exception):
    """The loss, a gradient or the metric of a training is not a number; the message says where."""


@dataclasses.dataclass(frozen=True)
class Training:
    """How a trial is trained.

    Attributes:
      batch_size: images (rows of text) of a step.
      sgd: how the weights move. Its learning rate falls to zero within each cycle, unless it has none.
      num_measured: how many of the last epochs are measured; the best of them counts.
      model: one of `MODELS`.
      is_tested: whether the test part is measured too, at the end.
    """

    batch_size: int
    sgd: SgdConfig
    num_measured: int = 1
    model: str = "auto"
    is_tested: bool = False


class TrialRun(Protocol):
    """What a runner of trials is built from.

    Attributes:
      config: the options of the run.
      seed: the seed of all that is random.
      space: what is searched.
      networks: the networks of the space.
      task: what the networks are for.
      data: what the task has loaded.
      shape: what networks are told of the data.
      precision: the Keras policy of networks in training.
    """

    @property
    def config(self) -> Config: ...

    @property
    def seed(self) -> int: ...

    @property
    def space(self) -> Space: ...

    @property
    def networks(self) -> Networks: ...

    @property
    def task(self) -> Task: ...

    @property
    def data(self) -> Any: ...

    @property
    def shape(self) -> Any: ...

    @property
    def precision(self) -> str: ...


@dataclasses.dataclass(frozen=True)
class Trained:
    """What a training from scratch has come to.

    Attributes:
      value: the best metric of the epochs that were measured.
      loss: the mean training loss of the last epoch, in nats.
      curve: the metric after each epoch that was measured.
      seconds: how long it took.
      state: the weights and the optimizer, where they were asked for.
      test: the metric on the test part, where it was asked for.
      starting: those of the seconds until its first steps were taken; a trace is among them.
      validating: those of the seconds in which the metric was measured.
    """

    value: float
    loss: float
    curve: tuple[float, ...]
    seconds: float
    state: list[np.ndarray] | None
    test: float | None = None
    starting: float = 0.0
    validating: float = 0.0
