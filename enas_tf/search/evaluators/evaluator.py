"""The interface of evaluators: what a proposal is worth. The loop, derive and the stages use nothing else of one."""

import abc
from collections.abc import Callable
from typing import Protocol

import numpy as np
import tensorflow as tf

from enas_tf.registry import Registry
from enas_tf.runtime.replicas import Replicas
from enas_tf.search.searchers.searcher import Searcher
from enas_tf.training.scratch import TrialRun


class EvaluatedRun(TrialRun, Protocol):
    """What an evaluator is built from: a run.

    Attributes:
      replicas: the devices that share the steps.
    """

    replicas: Replicas


class Evaluator(abc.ABC):
    """Rewards and scores proposals.

    One that needs no preparation implements `build`, `evaluate` and `score` and keeps all else as it is here.

    Attributes:
      metric: the name of what `score` returns, such as valid_accuracy.
      is_higher_better: whether more of it is better.
      rewards_drift: whether the reward of a proposal differs from epoch to epoch, so that older ones do not compare.
      trains_children: whether it trains children or weights that they share, and so reads the options of the task for
        that, and those of an executor.
      has_trials: whether it trains each proposal from scratch: the search then goes by trials (`search/trial_loop.py`).
      tracked: what a checkpoint holds of the evaluator.
      failure: how its preparation has diverged, in words; None while all is well.
      weights: the variables that it keeps in memory.
    """

    metric: str
    is_higher_better: bool
    rewards_drift: bool = False
    trains_children: bool = False
    has_trials: bool = False

    @classmethod
    @abc.abstractmethod
    def build(cls, run: EvaluatedRun) -> "Evaluator":
        """Build the evaluator of a run.

        Raises:
          InputError: an option of the run is not valid, or its data are too small.
        """

    @abc.abstractmethod
    def evaluate(self, tokens: tf.Tensor) -> tf.Tensor:
        """Return the rewards float32 [n] of an update's proposals `tokens`, int32 [n, num_tokens]; more is better.

        Where a reward depends on data, all of them are judged on the same: what differs is the proposals.
        """

    @abc.abstractmethod
    def score(self, tokens: np.ndarray, num_batches: int = 0) -> float:
        """Return the metric of one proposal (int32 [num_tokens]) on the validation part.

        With `num_batches`, on that many batches of it; one that knows no batches ignores it.
        """

    def merit(self, value: float) -> float:
        """Return the reward of a value of the metric; the metric itself, or its negative, unless overridden."""
        return value if self.is_higher_better else -value

    @property
    def tracked(self) -> dict[str, object]:
        return {}

    @property
    def carried(self) -> dict[str, object]:
        """What of `tracked` another search can begin with (`start_from`)."""
        return {}

    @property
    def failure(self) -> str | None:
        return None

    @property
    def weights(self) -> list:
        return []

    def num_steps(self, epoch: int) -> int:
        """Return the number of steps of preparation in `epoch`; 0 where nothing is prepared.

        It is that of the attempt that `start` was last told: another attempt may have more or fewer.
        """
        return 0

    def start(self, epoch: int, step: int = 0, first_update: int = 0, attempt: int = 0) -> None:  # noqa: B027
        """Set all streams of data to where an unbroken run stands.

        Args:
          epoch: the epoch that is under way, from 0.
          step: its steps and updates that are done; only steps of preparation matter.
          first_update: how many updates' proposals were rewarded since the beginning of the run.
          attempt: how often the run has gone back after a divergence. What is random differs between attempts.
        """

    def prepare(
        self, searcher: Searcher, epoch: int, first_step: int = 0, advance: Callable[[int], None] = lambda num: None
    ) -> dict[str, float]:
        """Prepare for an epoch's rewards, from `first_step` on; return the means of the whole epoch.

        `advance(n)` is called after every n steps. Where nothing is prepared, there are no means.
        """
        return {}

    def summary(self) -> dict[str, str]:
        """Return rows for the first block of a search, such as "supernet": "77,904 parameters"."""
        return {}


#: Evaluators by name.
EVALUATORS: Registry[type[Evaluator]] = Registry("evaluator")
