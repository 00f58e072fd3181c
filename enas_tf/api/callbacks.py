"""Callbacks: what a program is told while a search or a retraining goes on."""

import contextlib
from collections.abc import Callable, Iterable
from typing import Any

from enas_tf.errors import InputError
from enas_tf.runtime.listening import Listener
from enas_tf.runtime.stopping import StopEarly

_METHODS = ("on_epoch_end", "on_trial_end")


class Callback:
    """What hears of epochs and trials; override what you need. Any object with one of the methods will do as well.

    Either method may raise `enas_tf.StopEarly`. Then the search or the retraining ends after what is done.
    """

    def on_epoch_end(self, epoch: int, metrics: dict[str, Any]) -> None:
        """Hear the metrics of an epoch, counted from 0, after it has been saved.

        `metrics["phase"]` is "search" or "retrain". What the policy has learned in an epoch of a search stands there
        under names that begin with "controller_".
        """

    def on_trial_end(self, trial: int, metrics: dict[str, Any]) -> None:
        """Hear the metrics of a network that was trained from scratch, counted from 0.

        `metrics["phase"]` is "trial", or "finalist" for a candidate that derive has trained.
        """


class Callbacks(Listener):
    """Passes the reports of a run on to callbacks.

    Raises:
      InputError: an object has none of the methods of a callback.
    """

    def __init__(self, callbacks: Iterable[Any] = ()):
        self._callbacks, self._epoch = list(callbacks), dict[str, Any]()
        for callback in self._callbacks:
            if not any(callable(getattr(callback, method, None)) for method in _METHODS):
                raise InputError(
                    f"a {type(callback).__name__} is no callback: expected an object with the method "
                    f"{' or '.join(_METHODS)}, such as an enas_tf.Callback."
                )

    def record(self, phase, epoch, metrics):
        if phase == "trial":
            self._call("on_trial_end", epoch, {"phase": phase, **metrics})
        elif phase == "finalist":
            # They are few, and derive needs all of them.
            with contextlib.suppress(StopEarly):
                self._call("on_trial_end", epoch, {"phase": phase, **metrics})
        else:
            prefix = "controller_" if phase == "controller" else ""
            self._epoch |= {prefix + name: value for name, value in metrics.items()}

    def end_epoch(self, stage, epoch):
        metrics, self._epoch = self._epoch, {}
        self._call("on_epoch_end", epoch, {"phase": stage, **metrics})

    def _call(self, method: str, number: int, metrics: dict[str, Any]) -> None:
        for callback in self._callbacks:
            function: Callable | None = getattr(callback, method, None)
            if function is not None:
                function(number, dict(metrics))
