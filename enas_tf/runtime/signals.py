"""Signals that ask a run to stop: it saves after the step it is in and leaves; the same command goes on from there.

SLURM sends SIGUSR1 (with `--signal`) or SIGTERM before a time limit, Kubernetes SIGTERM before it removes a pod.
"""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator

from enas_tf.runtime import cluster

#: Of a run that was stopped by a signal and has saved what it had (design: 42).
EXIT_CODE = 42
_SIGNALS = (signal.SIGTERM, signal.SIGUSR1)


class Interrupted(SystemExit):
    """The run leaves on a signal; nothing is wrong."""

    def __init__(self, number: int):
        super().__init__(EXIT_CODE)
        self.signal = signal.Signals(number).name


class _State:
    """Signals are the process's, and so is this."""

    received: int | None = None
    is_deferred = False


@contextlib.contextmanager
def handled_signals() -> Iterator[None]:
    """Within, a signal raises `Interrupted`: at once, or within steps (`stepping`) after the step that is under way."""
    if threading.current_thread() is not threading.main_thread():
        yield  # Python handles signals in the main thread only.
        return
    before = _install()
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        _State.received = None


def _install() -> dict:
    """Handles the signals from now on; who did before."""
    return {number: signal.signal(number, _receive) for number in _SIGNALS}


def take_signals_back() -> None:
    """Handles the signals again where they were handled: TensorFlow takes SIGTERM to itself when it joins a cluster."""
    if signal.getsignal(signal.SIGUSR1) is _receive:
        _install()


def _receive(number: int, _frame) -> None:
    _State.received = number
    if not _State.is_deferred:
        raise Interrupted(number)


@contextlib.contextmanager
def stepping(save: Callable[[], None]) -> Iterator[Callable[[], None]]:
    """Yields the function to call after each step: when a signal has come, it calls `save` and raises `Interrupted`.

    A signal before the first step raises at once: there is nothing new to save, and tracing takes its time.
    """

    def after_step() -> None:
        _State.is_deferred = True
        # All processes of a run leave after the same step, whichever of them the signal has reached.
        if cluster.is_any(_State.received is not None):
            save()
            raise Interrupted(_State.received or signal.SIGTERM)

    try:
        yield after_step
        if _State.received is not None:
            raise Interrupted(_State.received)
    finally:
        _State.is_deferred = False
