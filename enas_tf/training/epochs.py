"""The epochs of a child's training: it goes on, leaves on a signal, and goes back when it diverges."""

from collections.abc import Callable
from typing import Protocol

from enas_tf.runtime.checkpoints import Checkpoints, Position
from enas_tf.runtime.reporting import Reporter
from enas_tf.runtime.signals import stepping
from enas_tf.training.health import Recovery


class Trainer(Protocol):
    """What is trained by epochs.

    Attributes:
      steps_per_epoch: about.
      problem: that the training has diverged, in words.
    """

    steps_per_epoch: int
    problem: str | None

    def start(self, position: Position) -> None:
        """Sets all streams of data to where an unbroken run stands at `position`."""

    def run_epoch(self, epoch: int, first_step: int, advance: Callable[[int], None]) -> dict[str, float]:
        """The steps of `epoch` from `first_step` on, with `advance(n)` after every n; the means of the whole epoch."""


def run_epochs(
    trainer: Trainer, num_epochs: int, reporter: Reporter, checkpoints: Checkpoints, recovery: Recovery
) -> None:
    """Runs what the newest checkpoint has not done of `num_epochs`, with a checkpoint after each."""
    position = checkpoints.restore_latest() or Position()
    reporter.truncate({"retrain": position.epoch})
    trainer.start(position)

    def save() -> None:
        # What has diverged is not kept: a run that goes on begins before it.
        if trainer.problem is None:
            checkpoints.save(*position)

    num_left = max(0, (num_epochs - position.epoch) * trainer.steps_per_epoch - position.step)
    with reporter.progress("retrain", num_left) as tick, stepping(save) as after_step:

        def advance(num: int) -> None:
            nonlocal position
            position = position._replace(step=position.step + num)
            tick(num)
            after_step()

        while position.epoch < num_epochs:
            metrics = trainer.run_epoch(position.epoch, position.step, advance)
            if trainer.problem:
                position = recovery.go_back(trainer.problem, checkpoints, reporter)
                trainer.start(position)
                continue
            reporter.record("retrain", position.epoch, metrics, num_epochs)
            position = Position(position.epoch + 1)
            checkpoints.save(*position)
