"""Reporting of a run: the same numbers go to `metrics.jsonl`, to TensorBoard and to the console."""

import contextlib
import json
import math
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import rich.console

from enas_tf.errors import InputError, ref, render
from enas_tf.options import shorten
from enas_tf.reading import read_text
from enas_tf.runtime import files
from enas_tf.runtime.chief import is_chief
from enas_tf.runtime.console import Heartbeat, Rows, bar, in_columns, in_rows, table
from enas_tf.runtime.descriptions import describe
from enas_tf.runtime.listening import Listener
from enas_tf.runtime.tensorboard import TensorBoard

PHASES = ("search", "controller", "derive", "retrain")
#: The phases of one record: the results of a run.
RESULTS = ("derive", "test")
_CURE = f"Remove it, or start afresh with {ref('overwrite')}."


class Reporter:
    """The only place that prints: bars and tables on a terminal, plain lines elsewhere.

    A run that may be resumed calls `record` before it saves the checkpoint of that epoch, and `truncate` when it
    resumes. Then every epoch is reported exactly once.

    Epochs are counted from 0 in `metrics.jsonl`, as all arguments count them. The console and TensorBoard count them
    from 1, so that the last line of ten epochs reads 10/10, and the last point of a curve is at step 10.

    Args:
        workdir: directory of `metrics.jsonl` and `tensorboard/PHASE/`; created if it is missing.
        phases: the phases of all records; they only align the columns of the console.
        console: the console to print on; standard output by default.
        write_option: writes the name of an option in messages, as `errors.render` takes it.
        listener: hears every record.

    Attributes:
        tensorboard: the TensorBoard files, for what is shown nowhere else.
        listener: what hears every record.
    """

    def __init__(
        self,
        workdir: str | Path,
        phases: Sequence[str] = PHASES,
        console: rich.console.Console | None = None,
        *,
        write_option: Callable[[str], str] = str,
        listener: Listener | None = None,
    ):
        self._write_option, self.listener = write_option, listener or Listener()
        # Of several processes only the chief reports.
        is_heard = is_chief()
        self._elsewhere = None if is_heard else tempfile.TemporaryDirectory()
        place = Path(workdir).absolute()
        # Tables are narrow, and runs that are compared often lie side by side.
        self._name = f"{place.name} ({place.parent})"
        self._workdir = files.ensure_writable(self._elsewhere.name if self._elsewhere else workdir)
        self._phase_width = max(map(len, phases))
        # With FORCE_COLOR rich would colour a pipe too, but a log file has to stay plain in every environment.
        self._console = console or rich.console.Console(
            force_terminal=sys.stdout.isatty() and is_heard, quiet=not is_heard
        )
        self._last_said = time.monotonic()
        self.tensorboard = TensorBoard(self._workdir / "tensorboard")
        self.truncate({})

    def __enter__(self) -> "Reporter":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def record(
        self,
        phase: str,
        epoch: int,
        metrics: Mapping[str, float],
        total_epochs: int,
        descriptions: Mapping[str, str] | None = None,
        unit: str = "epoch",
    ) -> None:
        """Report the metrics of one epoch of one phase to all three sinks.

        Args:
            phase: "search" (shared weights), "controller", "trial" or "retrain".
            epoch: counted from 0.
            metrics: scalars (Python, NumPy or TensorFlow). NaN and infinities become null in `metrics.jsonl`.
            total_epochs: the number of epochs of this phase, for "3/10" on the console.
            descriptions: metric -> what it means, for those that `runtime.descriptions` does not know.
            unit: what the console calls an epoch.

        Raises:
            ValueError: a metric is named phase, epoch or time.
        """
        numbers = self._append(phase, epoch, metrics)
        self.tensorboard.scalars(phase, numbers, epoch + 1, _describe(phase, numbers) | dict(descriptions or {}))
        width = len(str(total_epochs))
        self._say_numbers(phase, f"{unit} {epoch + 1:>{width}}/{total_epochs}  ", numbers)
        self.listener.record(phase, epoch, numbers)

    def record_result(
        self, phase: str, metrics: Mapping[str, float], num_epochs: int, sizes: Mapping[str, float] | None = None
    ) -> None:
        """Report the only record of a phase, a result of the run, to all three sinks. An earlier one is removed.

        Args:
            phase: one of `RESULTS`.
            metrics: scalars, as in `record`. In `metrics.jsonl` they are those of epoch 0.
            num_epochs: the number of epochs of training that the result follows: in TensorBoard it stands at their end.
            sizes: further numbers, for TensorBoard alone.

        Raises:
            ValueError: a metric is named phase, epoch or time.
        """
        self.truncate({phase: 0})
        numbers = self._append(phase, 0, metrics)
        shown = numbers | dict(sizes or {})
        self.tensorboard.scalars(phase, shown, num_epochs, _describe(phase, shown))
        self._say_numbers(phase, "", numbers)

    def keep_policy(self, epoch: int, probabilities: Mapping[str, Sequence[float]]) -> None:
        """Write what a policy thinks of each decision at the end of an epoch, counted from 0, to `policy.jsonl`.

        What is there of this epoch and of later ones is replaced: a run that was killed reports them again.
        """
        if not probabilities:
            return
        path = self._workdir / "policy.jsonl"
        content = read_text(path, "what a policy thought of each decision", _CURE) if path.exists() else ""
        kept = "".join(line for line in content.splitlines(keepends=True) if _is_before(line, epoch))
        files.write_text(path, kept + json.dumps({"epoch": epoch, **probabilities}) + "\n")

    def options(self, options: Mapping[str, Any]) -> None:
        """Show the options of the run with its results, in the tab HParams of TensorBoard; call it after a result."""
        self.tensorboard.options(RESULTS, options, self._name)

    def say(self, message: str) -> None:
        """Print a message without markup, colours or wrapping; references to options are rendered."""
        message = render(message, self._write_option)
        self._console.print(message, markup=False, highlight=False, emoji=False, soft_wrap=True)
        self._last_said = time.monotonic()

    def block(self, title: str, rows: Mapping[str, str]) -> None:
        """Print a title and aligned rows of name and value: a table on a terminal, plain lines elsewhere.

        References to options in the title and in the rows are rendered. A value may have several lines.
        """
        title = render(title, self._write_option)
        rows = {
            render(name, self._write_option): render(str(value), self._write_option) for name, value in rows.items()
        }
        if self._console.is_terminal:
            self._console.print(table(title, rows))
            return
        for line in (title, *in_rows(rows)):
            self.say(line)

    @contextlib.contextmanager
    def progress(
        self, description: str, total: int, unit: str = "steps", rows: Rows | None = None
    ) -> Iterator[Callable[[int], None]]:
        """Yield the function `advance(n)`, to be called after every n of `total` steps.

        A terminal shows a bar with rate and remaining time until the block ends, and `rows` below it. Elsewhere a line
        says the same of the bar now and then (`console.Heartbeat`).
        """
        if not self._console.is_terminal:
            start = description.ljust(self._phase_width)
            yield Heartbeat(start, total, unit, self.say, lambda: self._last_said).advance
            return
        with bar(self._console, rows) as shown:
            task = shown.add_task(description, total=total)
            yield lambda num: shown.advance(task, num)

    def truncate(self, phase_epochs: Mapping[str, int]) -> None:
        """Remove what a resumed run is going to report again; call it before the first `record`.

        Args:
            phase_epochs: phase -> the epoch, counted from 0, at which it resumes. Records and summaries of this and
                later epochs are removed. Earlier ones and other phases stay, except a last line of `metrics.jsonl`
                that was cut off when the run was killed.

        Raises:
            InputError: a line of `metrics.jsonl` other than the last is not a record.
        """
        self._truncate_metrics(phase_epochs)
        for phase, epoch in phase_epochs.items():
            self.tensorboard.truncate(phase, epoch)

    def num_epochs(self, phase: str) -> int:
        """Return up to which epoch an earlier run has reported `phase`; 0 where it has not."""
        if not self._metrics.exists():
            return 0
        content = read_text(self._metrics, "the metrics that a run has reported", _CURE)
        epochs = [record["epoch"] for record in _records(self._metrics, content) if record["phase"] == phase]
        return max(epochs, default=-1) + 1

    def close(self) -> None:
        """Flush and close the TensorBoard files; a later report opens new ones."""
        self.tensorboard.close()

    @property
    def _metrics(self) -> Path:
        return self._workdir / "metrics.jsonl"

    def _append(self, phase: str, epoch: int, metrics: Mapping[str, float]) -> dict[str, int | float]:
        """Write one line of `metrics.jsonl` at once, so that nothing stays in a buffer; return its numbers."""
        if reserved := metrics.keys() & {"phase", "epoch", "time"}:
            raise ValueError(f"metrics named {sorted(reserved)} would hide the record's own fields; rename them.")
        numbers = {name: _number(value) for name, value in metrics.items()}
        finite = {name: None if _is_odd(value) else value for name, value in numbers.items()}
        record = {"phase": phase, "epoch": epoch, "time": round(time.time(), 3), **finite}
        with self._metrics.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record, allow_nan=False) + "\n")
        return numbers

    def _say_numbers(self, phase: str, epoch: str, numbers: Mapping[str, int | float]) -> None:
        self.say(f"{phase:<{self._phase_width}}  {epoch}{in_columns(numbers)}")

    def _truncate_metrics(self, phase_epochs: Mapping[str, int]) -> None:
        """Rewrite `metrics.jsonl` without the records from `phase_epochs` on and without a cut-off last line."""
        if not self._metrics.exists():
            return
        content = read_text(self._metrics, "the metrics that a run has reported", _CURE)
        kept = [r for r in _records(self._metrics, content) if r["epoch"] < phase_epochs.get(r["phase"], math.inf)]
        text = "".join(json.dumps(record) + "\n" for record in kept)
        if text != content:
            files.write_text(self._metrics, text)


def _records(path: Path, content: str) -> list[dict[str, Any]]:
    """Return the records of a `metrics.jsonl`. A last line that is not a record was cut off and is dropped."""
    lines = content.splitlines()
    records = []
    for number, line in enumerate(lines, start=1):
        try:
            record = json.loads(line)
            records.append({**record, "phase": str(record["phase"]), "epoch": int(record["epoch"])})
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
            if number < len(lines):
                raise InputError(
                    f"{path}, line {number} is {shorten(line)!r}: expected a JSON object with the keys phase and "
                    f"epoch, as this program writes it. Remove the line, or start afresh with {ref('overwrite')}."
                ) from error
    return records


def _is_before(line: str, epoch: int) -> bool:
    """Return whether a line of `policy.jsonl` is whole and of an epoch before `epoch`."""
    try:
        return json.loads(line)["epoch"] < epoch
    except (ValueError, KeyError, TypeError, RecursionError):
        return False


def _describe(phase: str, names: Mapping[str, Any]) -> dict[str, str]:
    """Return name -> what it means, for those of `names` that are described."""
    return {name: text for name in names if (text := describe(phase, name)) is not None}


def _number(value: Any) -> int | float:
    """Convert a number of Python, NumPy, TensorFlow or Keras to one of Python; integers stay integers."""
    array = np.asarray(value)
    return int(array) if np.issubdtype(array.dtype, np.integer) else float(array)


def _is_odd(value: Any) -> bool:
    """Return whether `value` is NaN or an infinity, for which JSON has no form."""
    return isinstance(value, float) and not math.isfinite(value)
