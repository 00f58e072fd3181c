"""What is done when a run falls ill: a training that diverges goes back once, all else ends with a report."""

import contextlib
import errno
import math
import os
import sys
from collections.abc import Iterator

import tensorflow as tf

from enas_tf.errors import InputError
from enas_tf.runtime import cluster
from enas_tf.runtime.checkpoints import Checkpoints, Position
from enas_tf.runtime.reporting import Reporter

#: Numbers of the errors of a full disk, and of a quota that is used up.
_FULL = (errno.ENOSPC, errno.EDQUOT)
#: What TensorFlow says in every process that is left when one has gone.
_ABORTED = "Collective ops is aborted"


class LossWatch(tf.Module):
    """Notes the first step whose loss or gradient is not a number; `update` belongs into the traced step."""

    def __init__(self):
        super().__init__(name="loss_watch")
        only_first = tf.VariableAggregation.ONLY_FIRST_REPLICA
        self._noted = tf.Variable(self._nothing(), trainable=False, aggregation=only_first)

    @staticmethod
    def _nothing() -> tf.Tensor:
        """Step, loss, learning rate, gradient norm; no step is -1."""
        return tf.constant([-1.0, 0.0, 0.0, 0.0], tf.float64)

    def update(self, step: tf.Tensor, loss: tf.Tensor, rate: tf.Tensor, norm: tf.Tensor) -> None:
        """Of scalars; `step` from 0."""
        is_first = (self._noted[0] < 0) & ~tf.math.is_finite(loss + norm)
        values = tf.stack([tf.cast(value, tf.float64) for value in (step, loss, rate, norm)])
        self._noted.assign(tf.where(is_first, values, self._noted))

    def reset(self) -> None:
        self._noted.assign(self._nothing())

    @property
    def problem(self) -> str | None:
        """What was seen, in words; None while all is well."""
        step, loss, rate, norm = self._noted.numpy()
        if step < 0:
            return None
        return f"step {int(step) + 1} has a loss of {loss:.4g} (learning rate {rate:.3g}, gradient norm {norm:.3g})"


class Recovery:
    """Goes back to the last checkpoint, once from each; what is random is drawn anew, since `count` is in the seeds.

    Attributes:
      count: how often this run went back.
      tracked: what a checkpoint holds of it.
    """

    def __init__(self, stage: str):
        """`stage` is "search" or "retrain": it names the flags that may help."""
        self._prefix = {"search": "", "retrain": "retrain_"}[stage]
        self._stage = stage
        self._count = tf.Variable(0, dtype=tf.int64, trainable=False, name="restores")
        self._last = tf.Variable([-1, -1], dtype=tf.int64, trainable=False, name="restored_from")
        self.tracked = [self._count, self._last]

    @property
    def count(self) -> int:
        return int(self._count.numpy())

    def go_back(self, problem: str, checkpoints: Checkpoints, reporter: Reporter) -> Position:
        """Restores the last checkpoint; where to go on.

        Raises `InputError` when there is none, or when going back to it has not helped before.
        """
        count, last = self.count, tuple(self._last.numpy())
        position = checkpoints.restore_latest()
        if position is None or position == last:
            tried = "there is no checkpoint to go back to" if position is None else "so it was before going back"
            raise InputError(
                f"{self._stage}: the training has diverged: {problem}, and {tried}. Expected a smaller "
                f"--{self._prefix}learning_rate or --{self._prefix}clip_norm."
            )
        self._count.assign(count + 1)
        self._last.assign(position)
        reporter.say(f"{self._stage}: {problem}; back to the checkpoint of epoch {position.epoch}, with other numbers")
        return position


def policy_problem(entropy: float, floor: float) -> str | None:
    """What is wrong with a policy of `entropy` nats; None while it is above `floor`, or where there is none."""
    if math.isnan(entropy) or entropy >= floor:
        return None
    return (
        f"the policy has collapsed: its entropy is {entropy:.3g} nats, below --min_entropy={floor:g}, and it proposes "
        "nearly always the same. A larger --entropy_weight or a smaller --controller_learning_rate keeps it open."
    )


@contextlib.contextmanager
def named_failures() -> Iterator[None]:
    """Says in words what has failed outside of this program: the disk is full, another process of the run has gone.

    Raises:
        InputError: the disk is full, by an error of Python or of TensorFlow.
        SystemExit: another process has gone, with 1: nothing is wrong with the input.
    """
    try:
        yield
    except tf.errors.OpError as error:
        if cluster.num_workers() > 1 and _ABORTED in str(error):
            print(
                "another process of the run has gone: its own last lines say why. What was saved before is whole, and "
                "the same command on all hosts goes on.",
                file=sys.stderr,
            )
            raise SystemExit(1) from error
        _name_full_disk(error)
        raise
    except OSError as error:
        _name_full_disk(error)
        raise


def _name_full_disk(error: Exception) -> None:
    """Raises an `InputError` that says so when `error` is that of a full disk."""
    number, text = getattr(error, "errno", None), str(error)
    if number not in _FULL and not any(os.strerror(full) in text for full in _FULL):
        return
    place = f" ({error.filename})" if getattr(error, "filename", None) else ""
    raise InputError(
        f"the disk is full{place}: expected room for checkpoints and logs. What was saved before is whole; free some "
        "space, and the same command goes on."
    ) from error
