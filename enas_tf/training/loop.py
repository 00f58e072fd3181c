"""The loop over epochs, of a search and of a child: it resumes, stops on a signal, and goes back after a divergence."""

import abc
from collections.abc import Callable

from enas_tf.runtime.checkpoints import Checkpoints, Position
from enas_tf.runtime.reporting import Reporter
from enas_tf.runtime.signals import stepping
from enas_tf.runtime.stopping import Budget, StopEarly
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

    @property
    def is_over(self) -> bool:
        """Whether the training ends here, although not all its epochs are done. A checkpoint decides it."""
        return False

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


class _Progress:
    """How far a training has come."""

    def __init__(self, trainer: Trainer, reporter: Reporter, checkpoints: Checkpoints, recovery: Recovery):
        self._trainer, self._reporter = trainer, reporter
        self._checkpoints, self._recovery = checkpoints, recovery
        self.position = self._start(checkpoints.restore_latest() or Position())

    def _start(self, at: Position) -> Position:
        self._trainer.start(at, self._recovery.count)
        self._reporter.truncate(self._trainer.phases(at))
        return at

    def save(self) -> None:
        # A run that resumes has to begin before the divergence.
        if self._trainer.failure is None:
            self._checkpoints.save(*self.position)

    def run_epoch(self, advance: Callable[[int], None]) -> None:
        """Run the rest of the epoch that is under way; save it, or go back to the last checkpoint."""
        trainer, epoch = self._trainer, self.position.epoch
        trainer.run_epoch(epoch, self.position.step, advance)
        if trainer.failure:
            self.position = self._start(self._recovery.go_back(trainer.failure, self._checkpoints, self._reporter))
        else:
            self.position = Position(epoch + 1)
            self.save()
            self._reporter.listener.end_epoch(trainer.stage, epoch)


def run_epochs(
    trainer: Trainer,
    num_epochs: int,
    reporter: Reporter,
    checkpoints: Checkpoints,
    recovery: Recovery,
    budget: Budget | None = None,
) -> Position:
    """Run what the newest checkpoint has not done of `num_epochs`, with a checkpoint after each.

    Returns:
      The position at the end. Where the budget is spent or a listener ends the training, it is an earlier one; it is
      saved, and the training can go on from there another time.

    Raises:
      InputError: the training diverges, and going back to the last checkpoint does not help.
      Interrupted: a signal has come; all that was done is saved.
    """
    progress, budget = _Progress(trainer, reporter, checkpoints, recovery), budget or Budget()
    num_left = trainer.num_left(progress.position, num_epochs)
    with reporter.progress(trainer.stage, num_left) as tick, stepping(progress.save) as after_step:

        def advance(num: int) -> None:
            progress.position = progress.position._replace(step=progress.position.step + num)
            tick(num)
            after_step()
            budget.check()

        try:
            while progress.position.epoch < num_epochs and not trainer.is_over:
                progress.run_epoch(advance)
        except StopEarly:
            progress.save()
    return progress.position
