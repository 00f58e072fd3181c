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
import rich.progress
import rich.table
import rich.text
import tensorflow as tf

from enas_tf.errors import InputError, ref, render
from enas_tf.runtime import files
from enas_tf.runtime.chief import is_chief

PHASES = ("search", "controller", "derive", "retrain")


class Reporter:
    """The only place that prints: bars and tables on a terminal, plain lines elsewhere.

    A run that may be resumed calls `record` before it saves the checkpoint of that epoch, and `truncate` when it
    resumes. Then every epoch is reported exactly once.

    Epochs are counted from 0 in `metrics.jsonl` and in TensorBoard. The console counts them from 1, so that the last
    line of ten epochs reads 10/10.

    Args:
        workdir: directory of `metrics.jsonl` and `tensorboard/PHASE/`; created if it is missing.
        phases: the phases of all records; they only align the columns of the console.
        console: the console to print on; standard output by default.
        write_option: writes the name of an option in messages, as `errors.render` takes it.
    """

    def __init__(
        self,
        workdir: str | Path,
        phases: Sequence[str] = PHASES,
        console: rich.console.Console | None = None,
        *,
        write_option: Callable[[str], str] = str,
    ):
        self._write_option = write_option
        # Of several processes only the chief reports.
        is_heard = is_chief()
        self._elsewhere = None if is_heard else tempfile.TemporaryDirectory()
        self._workdir = files.ensure_writable(self._elsewhere.name if self._elsewhere else workdir)
        self._phase_width = max(map(len, phases))
        # With FORCE_COLOR rich would colour a pipe too, but a log file has to stay plain in every environment.
        self._console = console or rich.console.Console(
            force_terminal=sys.stdout.isatty() and is_heard, quiet=not is_heard
        )
        self._writers: dict[str, tf.summary.SummaryWriter] = {}
        self.truncate({})

    def __enter__(self) -> "Reporter":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def record(self, phase: str, epoch: int, metrics: Mapping[str, float], total_epochs: int) -> None:
        """Report the metrics of one epoch of one phase to all three sinks.

        Args:
            phase: "search" (shared weights), "controller", "derive" or "retrain".
            epoch: counted from 0; the step in TensorBoard.
            metrics: scalars (Python, NumPy or TensorFlow). NaN and infinities become null in `metrics.jsonl`.
            total_epochs: the number of epochs of this phase, for "3/10" on the console.

        Raises:
            ValueError: a metric is named phase, epoch or time.
        """
        if reserved := metrics.keys() & {"phase", "epoch", "time"}:
            raise ValueError(f"metrics named {sorted(reserved)} would hide the record's own fields; rename them.")
        numbers = {name: _number(value) for name, value in metrics.items()}
        self._append({"phase": phase, "epoch": epoch, "time": round(time.time(), 3), **numbers})
        with self._summaries(phase):
            for name, value in numbers.items():
                tf.summary.scalar(name, value, step=epoch)
        self.say(_line(phase.ljust(self._phase_width), epoch, total_epochs, numbers))

    def histogram(self, phase: str, name: str, values: Any, step: int) -> None:
        """Add a histogram of numbers of any shape to TensorBoard; `step` is the epoch, counted from 0."""
        with self._summaries(phase):
            tf.summary.histogram(name, values, step=step)

    def image(self, phase: str, name: str, pixels: np.ndarray, step: int) -> None:
        """Add a picture, uint8 [height, width, channels], to TensorBoard; `step` is the epoch, counted from 0."""
        with self._summaries(phase):
            tf.summary.image(name, pixels[np.newaxis], step=step)

    def text(self, phase: str, name: str, markdown: str, step: int) -> None:
        """Add a text in Markdown to TensorBoard; `step` is the epoch, counted from 0."""
        with self._summaries(phase):
            tf.summary.text(name, markdown, step=step)

    def say(self, message: str) -> None:
        """Print a message without markup, colours or wrapping; references to options are rendered."""
        message = render(message, self._write_option)
        self._console.print(message, markup=False, highlight=False, emoji=False, soft_wrap=True)

    def block(self, title: str, rows: Mapping[str, str]) -> None:
        """Print a title and aligned rows of name and value: a table on a terminal, plain lines elsewhere.

        References to options in the title and in the rows are rendered.
        """
        title = render(title, self._write_option)
        rows = {
            render(name, self._write_option): render(str(value), self._write_option) for name, value in rows.items()
        }
        if self._console.is_terminal:
            self._console.print(_table(title, rows))
            return
        width = max(map(len, rows), default=0)
        for line in (title, *(f"  {name:<{width}}  {value}" for name, value in rows.items())):
            self.say(line)

    @contextlib.contextmanager
    def progress(self, description: str, total: int) -> Iterator[Callable[[int], None]]:
        """Yield the function `advance(n)`, to be called after every n of `total` steps.

        A terminal shows a bar with rate and remaining time until the block ends. Elsewhere nothing is printed.
        """
        if not self._console.is_terminal:
            yield lambda num: None
            return
        with _bar(self._console) as bar:
            task = bar.add_task(description, total=total)
            yield lambda num: bar.advance(task, num)

    def truncate(self, phase_epochs: Mapping[str, int]) -> None:
        """Remove what a resumed run is going to report again; call it before the first `record`.

        Args:
            phase_epochs: phase -> the epoch, counted from 0, at which it resumes. Records and summaries of this and
                later epochs are removed. Earlier ones and other phases stay, except a last line of `metrics.jsonl`
                that was cut off when the run was killed.

        Raises:
            InputError: a line of `metrics.jsonl` other than the last is not a record.
        """
        self.close()
        self._truncate_metrics(phase_epochs)
        for phase, epoch in phase_epochs.items():
            _truncate_tensorboard(self._tensorboard(phase), epoch)

    def close(self) -> None:
        """Flush and close the TensorBoard files; a later report opens new ones."""
        for writer in self._writers.values():
            writer.close()
        self._writers.clear()

    @property
    def _metrics(self) -> Path:
        return self._workdir / "metrics.jsonl"

    def _tensorboard(self, phase: str) -> Path:
        return self._workdir / "tensorboard" / phase

    def _append(self, record: Mapping[str, Any]) -> None:
        """Write one line of `metrics.jsonl` at once; nothing stays in a buffer."""
        finite = {name: None if _is_odd(value) else value for name, value in record.items()}
        with self._metrics.open("a", encoding="utf-8") as file:
            file.write(json.dumps(finite, allow_nan=False) + "\n")

    @contextlib.contextmanager
    def _summaries(self, phase: str) -> Iterator[None]:
        """Direct `tf.summary` within the block to the files of the phase; the end of `as_default` flushes them."""
        if phase not in self._writers:
            self._writers[phase] = tf.summary.create_file_writer(str(self._tensorboard(phase)))
        with self._writers[phase].as_default():
            yield

    def _truncate_metrics(self, phase_epochs: Mapping[str, int]) -> None:
        """Rewrite `metrics.jsonl` without the records from `phase_epochs` on and without a cut-off last line."""
        if not self._metrics.exists():
            return
        content = self._metrics.read_text(encoding="utf-8", errors="replace")
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
        except (ValueError, KeyError, TypeError) as error:
            if number < len(lines):
                raise InputError(
                    f"{path}, line {number} is {line[:80]!r}: expected a JSON object with the keys phase and epoch, as "
                    f"this program writes it. Remove the line, or start afresh with {ref('overwrite')}."
                ) from error
    return records


def _truncate_tensorboard(directory: Path, epoch: int) -> None:
    """Remove the events of `epoch` and later epochs from the files of one phase."""
    # Left by a process that was killed in this function; TensorBoard would read it in addition to the original.
    for leftover in directory.glob(".*tfevents*.new"):
        leftover.unlink()
    for path in directory.glob("*tfevents*"):
        _truncate_events(path, epoch)


def _truncate_events(path: Path, epoch: int) -> None:
    """Rewrite one TensorBoard file without the events of `epoch` and later epochs.

    TensorBoard can purge the events before a restart (a session log event with a step), but the writers of TensorFlow 2
    cannot request it, and other readers would show the repeated steps. The file keeps its name, because TensorBoard
    reads the files of a directory in the order of their names.
    """
    with files.replacement(path) as aside, tf.io.TFRecordWriter(str(aside)) as writer:
        # A killed run may leave half an event at the end, for which the reader raises an error.
        for serialized in tf.data.TFRecordDataset(str(path)).ignore_errors().as_numpy_iterator():
            event = tf.compat.v1.Event.FromString(serialized)
            if event.step < epoch or not event.HasField("summary"):
                writer.write(serialized)


def _number(value: Any) -> int | float:
    """Convert a number of Python, NumPy, TensorFlow or Keras to one of Python; integers stay integers."""
    array = np.asarray(value)
    return int(array) if np.issubdtype(array.dtype, np.integer) else float(array)


def _is_odd(value: Any) -> bool:
    """Return whether `value` is NaN or an infinity, for which JSON has no form."""
    return isinstance(value, float) and not math.isfinite(value)


def _line(phase: str, epoch: int, total_epochs: int, numbers: Mapping[str, int | float]) -> str:
    """Return the line of one epoch for the console; columns have a fixed width, so that lines are aligned."""
    width = len(str(total_epochs))
    texts = {name: f"{value:.4g}" if isinstance(value, float) else str(value) for name, value in numbers.items()}
    columns = "  ".join(f"{name} {text:<10}" for name, text in texts.items())
    return f"{phase}  epoch {epoch + 1:>{width}}/{total_epochs}  {columns}".rstrip()


def _table(title: str, rows: Mapping[str, str]) -> rich.table.Table:
    """Return the rows as a table for a terminal; long values are folded, none is cut."""
    table = rich.table.Table(title=rich.text.Text(title), title_justify="left", show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows.items():
        table.add_row(rich.text.Text(name), rich.text.Text(str(value)))
    return table


class _Rate(rich.progress.ProgressColumn):
    """The column of a progress bar with the steps per second."""

    def render(self, task: rich.progress.Task) -> rich.text.Text:
        return rich.text.Text("" if task.speed is None else f"{task.speed:.1f}/s")


def _bar(console: rich.console.Console) -> rich.progress.Progress:
    """Return a progress bar that disappears when it is done, so that the line of the epoch replaces it."""
    return rich.progress.Progress(
        rich.progress.TextColumn("{task.description}", markup=False),
        rich.progress.BarColumn(),
        rich.progress.MofNCompleteColumn(),
        _Rate(),
        rich.progress.TimeRemainingColumn(),
        console=console,
        transient=True,
    )
