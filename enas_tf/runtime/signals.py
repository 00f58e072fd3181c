"""Signals that stop a run: it finishes the current step, saves and exits, and the same command resumes it.

SLURM sends SIGTERM, or SIGUSR1 if `sbatch` is told so, before a time limit. Kubernetes sends SIGTERM before it removes
a pod. Ctrl-C sends SIGINT; a second one leaves at once, without saving.
"""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator

from enas_tf.runtime import cluster

#: The exit code of a run that was stopped by a signal and can be resumed.
EXIT_CODE = 42
#: The exit code of a run that left at once, as shells give it to a process that SIGINT has ended.
ABORTED = 130
_SIGNALS = (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT)


class Interrupted(SystemExit):
    """The exit of a run on a signal. It is not an error."""

    def __init__(self, number: int):
        super().__init__(EXIT_CODE)
        self.signal = signal.Signals(number).name


class Aborted(SystemExit):
    """The exit of a run on the second SIGINT. What was done since the last checkpoint is lost."""

    def __init__(self):
        super().__init__(ABORTED)


class _State:
    """The state of signals, one for the whole process.

    Attributes:
      received: the number of the last signal.
      is_deferred: whether a signal waits for the end of the current step.
      was_interrupted: whether SIGINT has come.
    """

    received: int | None = None
    is_deferred = False
    was_interrupted = False


@contextlib.contextmanager
def handled_signals() -> Iterator[None]:
    """Let signals within the block raise `Interrupted`: at once, or in `stepping` after the current step."""
    if threading.current_thread() is not threading.main_thread():
        yield  # Python handles signals in the main thread only.
        return
    before = _install()
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        _State.received, _State.was_interrupted = None, False


def _install() -> dict:
    """Install the handler of all signals; return signal -> the handler before."""
    # A shell lets what it runs in the background ignore SIGINT: that is meant for another process.
    is_ignored = signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    numbers = [number for number in _SIGNALS if not (is_ignored and number == signal.SIGINT)]
    return {number: signal.signal(number, _receive) for number in numbers}


def take_signals_back() -> None:
    """Install the handlers again if they were: TensorFlow replaces that of SIGTERM when it joins a cluster."""
    if signal.getsignal(signal.SIGUSR1) is _receive:
        _install()


def _receive(number: int, _frame) -> None:
    """Raise `Interrupted`, or remember a signal that is deferred; raise `Aborted` on the second SIGINT."""
    if number == signal.SIGINT:
        if _State.was_interrupted:
            raise Aborted
        _State.was_interrupted = True
    _State.received = number
    if not _State.is_deferred:
        raise Interrupted(number)


@contextlib.contextmanager
def stepping(save: Callable[[], None]) -> Iterator[Callable[[], None]]:
    """Yield a function to call after each step; after a signal it calls `save` and raises `Interrupted`.

    Before the first step has ended, a signal raises at once: tracing takes long, and there is nothing new to save.
    """

    def after_step() -> None:
        _State.is_deferred = True
        # All processes of a run stop after the same step, whichever of them received the signal.
        if cluster.is_any(_State.received is not None):
            save()
            raise Interrupted(_State.received or signal.SIGTERM)

    try:
        yield after_step
        if _State.received is not None:
            raise Interrupted(_State.received)
    finally:
        _State.is_deferred = False
