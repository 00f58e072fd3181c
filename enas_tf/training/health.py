"""Divergence: the first step whose loss is not finite is noted, and the last checkpoint is restored once."""

import tensorflow as tf

from enas_tf.errors import InputError, ref
from enas_tf.runtime.checkpoints import Checkpoints, Position
from enas_tf.runtime.reporting import Reporter


class LossWatch(tf.Module):
    """The first step whose loss or gradient is not finite. A traced step calls `update`."""

    def __init__(self):
        super().__init__(name="loss_watch")
        only_first = tf.VariableAggregation.ONLY_FIRST_REPLICA
        self._noted = tf.Variable(self._nothing(), trainable=False, aggregation=only_first)

    @staticmethod
    def _nothing() -> tf.Tensor:
        """Return the initial value: step -1, then loss, learning rate and gradient norm, all 0."""
        return tf.constant([-1.0, 0.0, 0.0, 0.0], tf.float64)

    def update(self, step: tf.Tensor, loss: tf.Tensor, rate: tf.Tensor, norm: tf.Tensor) -> None:
        """Take in the numbers of a step, four scalars; `step` counts from 0."""
        is_first = (self._noted[0] < 0) & ~tf.math.is_finite(loss + norm)
        values = tf.stack([tf.cast(value, tf.float64) for value in (step, loss, rate, norm)])
        self._noted.assign(tf.where(is_first, values, self._noted))

    def reset(self) -> None:
        """Forget what was noted."""
        self._noted.assign(self._nothing())

    @property
    def failure(self) -> str | None:
        """The step that was noted, in words; None while all is well."""
        step, loss, rate, norm = self._noted.numpy()
        if step < 0:
            return None
        return f"step {int(step) + 1} has a loss of {loss:.4g} (learning rate {rate:.3g}, gradient norm {norm:.3g})"


class Recovery:
    """Restores the last checkpoint after a divergence, once from each.

    What is random is drawn anew, since seeds depend on `count` (`runtime.seeds.seed_of_attempt`).

    Attributes:
      count: how often this run has gone back.
      tracked: what a checkpoint holds of it.
    """

    def __init__(self, stage: str):
        """Begin to count for `stage`, "search" or "retrain", which decides what messages recommend."""
        self._prefix = {"search": "", "retrain": "retrain_"}[stage]
        self._stage = stage
        self._count = tf.Variable(0, dtype=tf.int64, trainable=False, name="restores")
        self._last = tf.Variable([-1, -1], dtype=tf.int64, trainable=False, name="restored_from")
        self.tracked = [self._count, self._last]

    @property
    def count(self) -> int:
        return int(self._count.numpy())

    def go_back(self, failure: str, checkpoints: Checkpoints, reporter: Reporter) -> Position:
        """Restore the last checkpoint after `failure`; return the position that it was saved at.

        Raises:
          InputError: there is no checkpoint, or the run went back to the last one before.
        """
        count, last = self.count, tuple(self._last.numpy())
        position = checkpoints.restore_latest()
        if position is None or position == last:
            tried = "it diverged again after the checkpoint was restored"
            if position is None:
                tried = "there is no checkpoint to go back to"
            raise InputError(
                f"{self._stage}: the training has diverged: {failure}, and {tried}. Expected a smaller "
                f"{ref(self._prefix + 'learning_rate')} or {ref(self._prefix + 'clip_norm')}."
            )
        self._count.assign(count + 1)
        self._last.assign(position)
        reporter.say(
            f"{self._stage}: {failure}; restored the checkpoint of epoch {position.epoch}; random numbers differ from "
            "here on."
        )
        return position
