"""A run: its configuration, its directory, and what both need, built when it is first asked for."""

import decimal
import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

from enas_tf.errors import InputError, ref
from enas_tf.experiments.config import RunOptions
from enas_tf.experiments.workdir import Workdir
from enas_tf.models.networks import Networks
from enas_tf.runtime.devices import build_strategy, configure_runtime
from enas_tf.runtime.replicas import Replicas
from enas_tf.runtime.reporting import Reporter
from enas_tf.runtime.signals import take_signals_back
from enas_tf.spaces.architectures import read_architecture
from enas_tf.spaces.space import Buildable, Space
from enas_tf.tasks.task import Task


class Run:
    """A configuration, a directory, and what both need.

    Args:
      config: the options of the run.
      workdir: its directory.
      is_shared: whether the devices and processes of the option `strategy` share its steps; one device does all if not.
      write_option: how the face that runs it writes an option in messages.
    """

    def __init__(
        self, config: RunOptions, workdir: Path, is_shared: bool = False, write_option: Callable[[str], str] = str
    ):
        self.config, self.workdir, self._write_option = config, Workdir(workdir), write_option
        options = config.run
        # First: TensorFlow joins a cluster only before it has done anything else.
        strategy = build_strategy(options.strategy if is_shared else "one_device")
        take_signals_back()
        configure_runtime(options.seed, options.deterministic)
        self.replicas = Replicas(
            strategy,
            precision=options.precision,
            steps_per_loop=options.steps_per_loop,
            **config.task.replica_options(config),
        )

    @property
    def space(self) -> Space:
        """What is searched."""
        return self.config.space

    @property
    def networks(self) -> Networks:
        """The networks of the space."""
        return self.config.networks

    @property
    def task(self) -> Task:
        """What the networks are for."""
        return self.config.task

    @property
    def seed(self) -> int:
        """The seed of all that is random."""
        return self.config.run.seed

    @functools.cached_property
    def data(self) -> Any:
        """What the task has read into memory."""
        return self.task.load(self.config)

    @property
    def shape(self) -> Any:
        """What networks are told of the data."""
        return self.task.shape(self.data)

    @functools.cached_property
    def reporter(self) -> Reporter:
        """Where the run reports."""
        return Reporter(self.workdir.path, write_option=self._write_option)

    def __enter__(self) -> "Run":
        return self

    def __exit__(self, *error: object) -> None:
        if "reporter" in self.__dict__:
            self.reporter.close()


def derived_architecture(workdir: Workdir) -> Buildable:
    """Return the architecture that a workdir holds; raise `InputError` when there is none."""
    if not workdir.architecture.exists():
        raise InputError(
            f"{workdir.path} holds no architecture.json: name an architecture with {ref('architecture')}, or search "
            "for one there with `python -m enas_tf.launch.search`."
        )
    return read_architecture(str(workdir.architecture))


def closing_block(run: Run) -> None:
    """Print where everything is."""
    workdir = run.workdir
    places = {
        "architecture": workdir.architecture,
        "picture": workdir.picture,
        "candidates": workdir.candidates,
        "Keras model": workdir.child_keras,
        "SavedModel": workdir.saved_model,
        "metrics": workdir.child_metrics,
    }
    rows = {name: str(path) for name, path in places.items() if path.exists()}
    run.reporter.block("done", rows | {"TensorBoard": f"tensorboard --logdir={workdir.path / 'tensorboard'}"})


def format_size(size: int) -> str:
    """Return a whole number as people read it: 4,096 or 1.61e+29."""
    return f"{size:,}" if size < 10**9 else f"{decimal.Decimal(size):.2e}"
