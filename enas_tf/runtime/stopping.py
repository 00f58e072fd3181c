"""The end of a stage before its last epoch, wanted and not an error: what has been found so far is used."""

import time

from enas_tf.runtime import cluster


class StopEarly(Exception):
    """Ends a stage after the step or the trial that is done. A callback may raise it; the budget of a search does."""


class Budget:
    """The time that a search may take, from now on.

    Args:
      minutes: how many; None for no end.
    """

    def __init__(self, minutes: float | None = None):
        self._end = None if minutes is None else time.monotonic() + 60 * minutes

    def check(self) -> None:
        """Raise `StopEarly` once the time is over; all processes of a run raise it after the same call."""
        if self._end is not None and cluster.is_any(time.monotonic() >= self._end):
            raise StopEarly
