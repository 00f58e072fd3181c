"""A run: its configuration, its directory, and what both need, built when it is first asked for."""

import decimal
import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import rich.console

from enas_tf.data.values import ValueRange
from enas_tf.errors import InputError, ref
from enas_tf.experiments.config import RunOptions
from enas_tf.experiments.fitting import check_limits, lower, lowered_in_words
from enas_tf.experiments.memory import enough_memory
from enas_tf.experiments.paths import with_absolute_paths
from enas_tf.experiments.workdir import Workdir
from enas_tf.models.networks import Networks
from enas_tf.runtime.checkpoints import Checkpoints
from enas_tf.runtime.chief import is_chief
from enas_tf.runtime.devices import build_strategy, configure_runtime
from enas_tf.runtime.files import ensure_writable
from enas_tf.runtime.listening import Listener
from enas_tf.runtime.lock import Lock, lock_directory
from enas_tf.runtime.replicas import Replicas
from enas_tf.runtime.reporting import Reporter
from enas_tf.runtime.signals import take_signals_back
from enas_tf.search.objective import OBJECTIVE
from enas_tf.spaces.architectures import read_architecture
from enas_tf.spaces.space import Buildable, Space
from enas_tf.tasks.task import Limit, Task


class GivenData(Protocol):
    """Data that a program holds, in the place of those that the option `dataset` names."""

    def load(self, options: RunOptions) -> Any:
        """Return what the task would load."""

    def keep(self, is_new: bool) -> None:
        """Write the data where the option `dataset` names them, if they are not there yet, or if they are new."""


class Run:
    """A configuration, a directory, and what both need.

    Args:
      asked: the options as they were given.
      workdir: its directory.
      is_shared: whether the devices and processes of the option `strategy` share its steps; one device does all if not.
      write_option: how the face that runs it writes an option in messages.
      given: data that a program holds; None to load those of the option `dataset`.
      is_quiet: whether nothing is printed.
      listener: what hears every report.
    """

    def __init__(
        self,
        asked: RunOptions,
        workdir: Path,
        is_shared: bool = False,
        write_option: Callable[[str], str] = str,
        given: GivenData | None = None,
        is_quiet: bool = False,
        listener: Listener | None = None,
    ):
        self.asked, self.workdir, self._write_option = asked, Workdir(workdir), write_option
        self.given, self._is_quiet, self._listener = given, is_quiet, listener
        self._lock: Lock | None = None
        options = asked.run
        # First: TensorFlow joins a cluster only before it has done anything else.
        strategy = build_strategy(options.strategy if is_shared else "one_device")
        take_signals_back()
        configure_runtime(options.seed, options.deterministic)
        self.replicas = Replicas(
            strategy,
            precision=options.precision,
            steps_per_loop=options.steps_per_loop,
            **asked.task.replica_options(asked),
        )

    @functools.cached_property
    def config(self) -> RunOptions:
        """The options of the run: those that were given, lowered where the data are too small for them."""
        return lower(self.asked, self._limits)

    @property
    def space(self) -> Space:
        """What is searched."""
        return self.asked.space

    @property
    def networks(self) -> Networks:
        """The networks of the space."""
        return self.asked.networks

    @property
    def task(self) -> Task:
        """What the networks are for."""
        return self.asked.task

    @property
    def seed(self) -> int:
        """The seed of all that is random."""
        return self.asked.run.seed

    @property
    def precision(self) -> str:
        """The Keras policy of networks in training."""
        return self.replicas.precision

    @functools.cached_property
    def recorded_config(self) -> RunOptions:
        """The options as the run writes them down: as they were given, with every path in full.

        What is lowered for the data is lowered again by every stage, so that a change of the data is named as such.
        """
        return with_absolute_paths(self.asked)

    @functools.cached_property
    def data(self) -> Any:
        """What the task has read into memory."""
        with enough_memory("the data", "data", self.asked):
            return self.task.load(self.asked) if self.given is None else self.given.load(self.asked)

    @functools.cached_property
    def _limits(self) -> list[Limit]:
        return self.task.limits(self.asked, self.data)

    def check_limits(self, *stages: str) -> None:
        """Raise `InputError` for options of `stages` that are too large for the data and could not be lowered."""
        check_limits(self.config, self._limits, stages, self.replicas.num)

    def lowered(self, stage: str) -> dict[str, str]:
        """Return the row about what was lowered for `stage`; empty where nothing was."""
        words = lowered_in_words(self.asked, self.config, self._limits, stage)
        return {"lowered": words} if words else {}

    @property
    def shape(self) -> Any:
        """What networks are told of the data."""
        return self.task.shape(self.data)

    @functools.cached_property
    def reporter(self) -> Reporter:
        """Where the run reports."""
        console = rich.console.Console(quiet=True) if self._is_quiet else None
        reporter = Reporter(
            self.workdir.path, console=console, write_option=self._write_option, listener=self._listener
        )
        if self._lock is not None and self._lock.predecessor:
            reporter.say(f"{self.workdir}: taken over from {self._lock.predecessor}, which has gone")
        return reporter

    def lock(self) -> None:
        """Keep other processes from writing in the workdir until the run is left.

        A directory that is not there yet is locked by the stage that creates it. Of several processes of a run, the
        chief has the lock.

        Raises:
          InputError: another process writes there.
        """
        if self._lock is None and is_chief() and self.workdir.path.is_dir():
            ensure_writable(self.workdir.path)
            self._lock = lock_directory(self.workdir.path)

    def open_stage(self, stage: str, values: dict[str, Any], is_overwriting: bool) -> None:
        """Lock the workdir, creating it where it is not there, and claim it for `stage` (`Workdir.open_stage`)."""
        self.lock()
        if not self.workdir.path.is_dir():
            ensure_writable(self.workdir.path)
            self.lock()
        self.workdir.open_stage(stage, values, is_overwriting)

    def stage_values(self, stage: str) -> dict[str, Any]:
        """Return option name -> value of what decides the results of `stage`, as the run writes it down."""
        values, config = self.recorded_config.stage_values(stage), self.recorded_config
        objective = config[OBJECTIVE]
        if stage == "search" and (objective.limits or objective.reward_function != "metric"):
            # They are about the retrained child, whose size then decides what the search finds.
            sizes = {found.name for found in self.networks.child.options}
            values |= {name: value for name, value in config.stage_values("retrain").items() if name in sizes}
        return values

    def say_position(self, stage: str, checkpoints: Checkpoints, num_epochs: int) -> None:
        """Say where `stage` resumes; nothing of one that begins."""
        position = checkpoints.latest_position()
        if position is None:
            return
        if position.epoch >= num_epochs:
            done = f"all {num_epochs} epochs are" if num_epochs > 1 else "its only epoch is"
            self.reporter.say(f"{stage}: finished, {done} done")
        else:
            step = f", after step {position.step}" if position.step else ""
            self.reporter.say(f"{stage}: resumes in epoch {position.epoch + 1} of {num_epochs}{step}")

    def __enter__(self) -> "Run":
        return self

    def __exit__(self, *error: object) -> None:
        if "reporter" in self.__dict__:
            self.reporter.close()
        if self._lock is not None:
            self._lock.release()
            self._lock = None


def derived_architecture(workdir: Workdir) -> Buildable:
    """Return the architecture that a workdir holds; raise `InputError` when there is none."""
    if not workdir.architecture.exists():
        raise InputError(
            f"{workdir} holds no architecture.json: name an architecture with {ref('architecture')}, or search "
            "for one there with `python -m enas_tf.launch.search`."
        )
    return read_architecture(str(workdir.architecture))


def closing_block(run: Run) -> None:
    """Print where everything is."""
    workdir = run.workdir
    say_report(run)
    places = {
        "architecture": workdir.architecture,
        "picture": workdir.picture,
        "candidates": workdir.candidates,
        "Keras model": workdir.child_keras,
        "SavedModel": workdir.saved_model,
        "LiteRT": workdir.litert,
        "LiteRT, 8 bits": workdir.litert_int8,
        "ONNX": workdir.onnx,
        "metrics": workdir.child_metrics,
        "children": workdir.children,
    }
    rows = {name: str(path) for name, path in places.items() if path.exists()} | _input_in_words(workdir)
    run.reporter.block("done", rows | {"TensorBoard": f"tensorboard --logdir={workdir.path / 'tensorboard'}"})


def say_report(run: Run) -> None:
    """Print where the page about the run is, if there is one."""
    if run.workdir.report.exists():
        run.reporter.say(f"report: {run.workdir.report}")


def _input_in_words(workdir: Workdir) -> dict[str, str]:
    """Return the row about the images that the kept child takes; empty where nothing is said of them."""
    try:
        found = workdir.child_record["input"]
        shape, values = found["shape"], ValueRange(found["low"], found["high"], found["dtype"])
    except (InputError, KeyError, TypeError, ValueError):
        return {}
    return {"model takes": f"images of {'x'.join(map(str, shape))}, values of {values}"}


def format_size(size: int) -> str:
    """Return a whole number as people read it: 4,096 or 1.61e+29."""
    return f"{size:,}" if size < 10**9 else f"{decimal.Decimal(size):.2e}"


def size_in_words(size: int) -> str:
    """Return the size of a space: "4,096 architectures"."""
    return f"{format_size(size)} architecture{'' if size == 1 else 's'}"
