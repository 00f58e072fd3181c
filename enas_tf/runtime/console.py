"""What the console shows: lines of numbers, tables, progress."""

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping

import rich.console
import rich.live
import rich.progress
import rich.table
import rich.text

#: Seconds without another line after which a run without a terminal says how far it has come ...
_SILENCE = 60.0
#: ... and after which it says so in any case.
_INTERVAL = 600.0


def in_columns(numbers: Mapping[str, int | float]) -> str:
    """Return numbers with their names in columns of a fixed width, so that lines of one kind are aligned."""
    texts = {name: f"{value:.4g}" if isinstance(value, float) else str(value) for name, value in numbers.items()}
    return "  ".join(f"{name} {text:<10}" for name, text in texts.items()).rstrip()


def in_rows(rows: Mapping[str, str]) -> list[str]:
    """Return aligned lines of name and value; further lines of a value stand below its first."""
    width = max(map(len, rows), default=0)
    lines = []
    for name, value in rows.items():
        first, *others = value.split("\n")
        lines.append(f"  {name:<{width}}  {first}")
        lines += [f"  {'':<{width}}  {other}" for other in others]
    return lines


def in_words(seconds: float, digits: int = 0) -> str:
    """Return a time as people read it: 12 s, 4.5 min, 6.7 h, 8.9 days; seconds with `digits` after the point."""
    for unit, size in (("days", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.{digits}f} s"


def table(title: str, rows: Mapping[str, str]) -> rich.table.Table:
    """Return the rows as a table for a terminal; long values are folded, none is cut."""
    shown = rich.table.Table(title=rich.text.Text(title), title_justify="left", show_header=False)
    shown.add_column(no_wrap=True)
    shown.add_column(overflow="fold")
    for name, value in rows.items():
        shown.add_row(rich.text.Text(name), rich.text.Text(value))
    return shown


class _Rate(rich.progress.ProgressColumn):
    """The column of a progress bar with the steps per second."""

    def render(self, task: rich.progress.Task) -> rich.text.Text:
        if task.speed is None:
            return rich.text.Text("")
        return rich.text.Text(f"{task.speed:.1f}/s" if task.speed >= 0.1 else f"{60 * task.speed:.1g}/min")


class _Done(rich.progress.ProgressColumn):
    """The column of a row with what is done of how much, as far as that is known."""

    def render(self, task: rich.progress.Task) -> rich.text.Text:
        done = "" if task.total is None else f"{task.completed:.1f}/"
        return rich.text.Text(f"{done}{task.fields['most']} {task.fields['unit']}")


class _Elapsed(rich.progress.ProgressColumn):
    """The column of a row with the time since it began."""

    def render(self, task: rich.progress.Task) -> rich.text.Text:
        return rich.text.Text(in_words(task.elapsed or 0.0))


class Rows:
    """Rows below a bar, one for each of what is under way at once. They are shown on a terminal alone.

    Args:
      unit: what each of them has some of, in the plural.
    """

    def __init__(self, unit: str):
        self._unit = unit
        #: Key -> the task of a row, and its total.
        self._tasks: dict[int, tuple[rich.progress.TaskID, int]] = {}
        # It takes what the other columns leave of a line.
        name = rich.table.Column(ratio=1, no_wrap=True, overflow="ellipsis")
        self.shown = rich.progress.Progress(
            rich.progress.TextColumn("  {task.description}", markup=False, table_column=name),
            rich.progress.BarColumn(bar_width=20),
            _Done(),
            _Elapsed(),
            expand=True,
        )

    def begin(self, key: int, description: str, total: int) -> None:
        """Show a row at the end. Its bar only moves to and fro until it is known how much is done."""
        self._tasks[key] = self.shown.add_task(description, total=None, most=total, unit=self._unit), total

    def advance(self, key: int, done: float) -> None:
        """Show how much is done."""
        task, total = self._tasks[key]
        self.shown.update(task, completed=done, total=total)

    def end(self, key: int) -> None:
        """Remove a row."""
        self.shown.remove_task(self._tasks.pop(key)[0])


@contextlib.contextmanager
def bar(console: rich.console.Console, rows: Rows | None = None) -> Iterator[rich.progress.Progress]:
    """Show a progress bar, and rows below it, until the block ends: the line of the epoch takes its place."""
    shown = rich.progress.Progress(
        rich.progress.TextColumn("{task.description}", markup=False),
        rich.progress.BarColumn(),
        rich.progress.MofNCompleteColumn(),
        _Rate(),
        rich.progress.TimeRemainingColumn(),
        console=console,
        # The rate is that of the last thousand advances. By default it is that of 30 seconds, and trials take longer.
        speed_estimate_period=float("inf"),
    )
    # The bar is above the rows: those that a terminal is too short for are cut off.
    all_of_it = rich.console.Group(shown, *([] if rows is None else [rows.shown]))
    with rich.live.Live(all_of_it, console=console, transient=True, refresh_per_second=10):
        yield shown


class Heartbeat:
    """Lines that say how far something has come, for a console that shows no bar.

    A line is printed when nothing else was for a minute, so that an epoch of an hour can be watched, and in any case
    every ten minutes, so that a run of short epochs says how long it will take. A run of a minute prints none.

    Args:
      description: what begins each line.
      total: the number of steps, about.
      unit: what the steps are, in the plural.
      say: prints a line.
      last_said: returns the time, by `time.monotonic`, at which the console printed its last line.
    """

    def __init__(
        self, description: str, total: int, unit: str, say: Callable[[str], None], last_said: Callable[[], float]
    ):
        self._description, self._total, self._unit = description, total, unit
        self._say, self._last_said = say, last_said
        self._done, self._last_beat = 0, time.monotonic()
        # The first step builds graphs, which takes longer than many others: rates are counted from its end on.
        self._begin: tuple[int, float] | None = None

    def advance(self, num: int) -> None:
        """Count `num` steps more; print a line if it is time."""
        now = time.monotonic()
        self._done += num
        if self._begin is None:
            self._begin = self._done, now
        if now - max(self._last_said(), self._last_beat) >= _SILENCE or now - self._last_beat >= _INTERVAL:
            self._last_beat = now
            self._say(f"{self._description}  {self._in_words(*self._begin, now)}")

    def _in_words(self, first: int, begin: float, now: float) -> str:
        """Say how far it has come `now`, and how much time is left at the rate since `begin`, after `first` steps."""
        if self._done >= self._total:
            return f"{self._done:,} {self._unit}"
        words, counted = f"{self._done:,} of {self._total:,} {self._unit}", self._done - first
        if not counted:
            return words
        return f"{words}, about {in_words((self._total - self._done) * (now - begin) / counted)} left"
