"""What hears the reports of a run beside the files and the console."""

from collections.abc import Mapping


class Listener:
    """Hears every record and the end of every epoch, and does nothing with them.

    A listener may raise `StopEarly` at the end of an epoch and after a record of the phase "trial".
    """

    def record(self, phase: str, epoch: int, metrics: Mapping[str, int | float]) -> None:
        """Hear the metrics of an epoch or a trial, counted from 0, of a phase."""

    def end_epoch(self, stage: str, epoch: int) -> None:
        """Hear that an epoch of `stage`, "search" or "retrain", has ended and is saved."""
