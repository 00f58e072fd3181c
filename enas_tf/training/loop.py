"""The loop over epochs, of a search and of a child: it resumes, stops on a signal, and goes back after a divergence."""

import abc
from collections.abc import Callable

from enas_tf.runtime.checkpoints import Checkpoints, Position
from enas_tf.runtime.reporting import Reporter
from enas_tf.runtime.signals import stepping
from enas_tf.training.health import Recovery


class Trainer(abc.ABC):
    """A training of a number of epochs, of shared weights with their searcher or of a child.

    Attributes:
      stage: "search" or "retrain".
      failure: how the training has diverged, in words; None while all is well.
    """

    stage: str

    @property
    @abc.abstractmethod
    def failure(self) -> str | None: ...

    @abc.abstractmethod
    def start(self, position: Position, attempt: int) -> None:
        """Set all streams of data to where an unbroken run stands at `position`.

        Another `attempt` (0, 1, ...) has other data and random numbers from there on.
        """

    @abc.abstractmethod
    def num_left(self, position: Position, num_epochs: int) -> int:
        """Return about how many steps are left from `position` to the end of `num_epochs`, for the progress bar."""

    @abc.abstractmethod
    def phases(self, position: Position) -> dict[str, int]:
        """Return phase of the reporter -> the first epoch that a run from `position` on reports of it."""

    @abc.abstractmethod
    def run_epoch(self, epoch: int, first_step: int, advance: Callable[[int], None]) -> None:
        """Run `epoch` from `first_step` on and report it.

        Call `advance(n)` after every n steps. An epoch that ends with a `failure` is not reported.
        """


def run_epochs(
    trainer: Trainer, num_epochs: int, reporter: Reporter, checkpoints: Checkpoints, recovery: Recovery
) -> None:
    """Run what the newest checkpoint has not done of `num_epochs`, with a checkpoint after each.

    Raises:
      InputError: the training diverges, and going back to the last checkpoint does not help.
      Interrupted: a signal has come; all that was done is saved.
    """

    def start(at: Position) -> Position:
        trainer.start(at, recovery.count)
        reporter.truncate(trainer.phases(at))
        return at

    def save() -> None:
        # A run that resumes has to begin before the divergence.
        if trainer.failure is None:
            checkpoints.save(*position)

    position = start(checkpoints.restore_latest() or Position())
    num_left = trainer.num_left(position, num_epochs)
    with reporter.progress(trainer.stage, num_left) as tick, stepping(save) as after_step:

        def advance(num: int) -> None:
            nonlocal position
            position = position._replace(step=position.step + num)
            tick(num)
            after_step()

        while position.epoch < num_epochs:
            trainer.run_epoch(position.epoch, position.step, advance)
            if trainer.failure:
                position = start(recovery.go_back(trainer.failure, checkpoints, reporter))
            else:
                position = Position(position.epoch + 1)
                save()
