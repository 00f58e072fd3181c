"""A run: its configuration, its directory, and what both need, built when first asked for."""

import decimal
import functools
from pathlib import Path

from enas_tf.errors import InputError
from enas_tf.experiments.config import Config
from enas_tf.experiments.workdir import Workdir
from enas_tf.models.families import FAMILIES, Family
from enas_tf.models.images import ChildConfig
from enas_tf.models.language import LanguageConfig
from enas_tf.runtime.devices import build_strategy, configure_runtime
from enas_tf.runtime.replicas import Replicas
from enas_tf.runtime.reporting import Reporter
from enas_tf.runtime.signals import take_signals_back
from enas_tf.spaces.architectures import read_architecture
from enas_tf.spaces.decisions import Architecture, Space
from enas_tf.spaces.recurrent import LstmBaseline
from enas_tf.tasks.tasks import TASKS, Task


class Run:
    """A configuration, a directory, and what both need: built when first asked for.

    With `is_shared` the devices and processes of --strategy share its steps; without, one device does all.
    """

    def __init__(self, config: Config, workdir: Path, is_shared: bool = False):
        self.config, self.workdir = config, Workdir(workdir)
        # First: TensorFlow joins a cluster only before it has done anything else.
        strategy = build_strategy(config.run.strategy if is_shared else "one_device")
        take_signals_back()
        configure_runtime(config.run.seed, config.run.deterministic)
        shared = config.run.sync_batch_norm, config.run.precision, config.run.steps_per_loop, config.run.jit_compile
        self.replicas = Replicas(strategy, *shared)

    @functools.cached_property
    def data(self):
        """What the task has read into memory."""
        return self.task.load(self.config)

    @property
    def shape(self):
        """What networks are told of the data."""
        return self.task.shape(self.data)

    @property
    def task(self) -> Task:
        return TASKS[self.config.run.space]

    @property
    def space(self) -> Space:
        return self.config.space

    @property
    def family(self) -> Family:
        return FAMILIES[self.config.run.space]

    @functools.cached_property
    def reporter(self) -> Reporter:
        return Reporter(self.workdir.path)

    def __enter__(self) -> "Run":
        return self

    def __exit__(self, *error: object) -> None:
        if "reporter" in self.__dict__:
            self.reporter.close()


def derived_architecture(workdir: Workdir) -> Architecture:
    """The architecture that a workdir holds; raises `InputError` when there is none."""
    if not workdir.architecture.exists():
        raise InputError(
            f"{workdir.path} holds no architecture.json: name an architecture with --architecture=, or search for one "
            "there with `python -m enas_tf.launch.search`."
        )
    return read_architecture(str(workdir.architecture))


def closing_block(run: Run) -> None:
    """Where everything is."""
    workdir = run.workdir
    rows = {
        "architecture": workdir.architecture,
        "picture": workdir.picture,
        "candidates": workdir.candidates,
        "Keras model": workdir.child_keras,
        "SavedModel": workdir.saved_model,
        "metrics": workdir.child_metrics,
    }
    rows = {name: str(path) for name, path in rows.items() if path.exists()}
    run.reporter.block("done", rows | {"TensorBoard": f"tensorboard --logdir={workdir.path / 'tensorboard'}"})


def format_size(size: int) -> str:
    """A whole number as people read it: 4,096 or 1.61e+29."""
    return f"{size:,}" if size < 10**9 else f"{decimal.Decimal(size):.2e}"


def size_in_words(architecture: Architecture, child: ChildConfig | LanguageConfig) -> str:
    """How large the child of `architecture` is, in the words of the paper of its space."""
    if isinstance(architecture, LstmBaseline):
        return f"an LSTM with the parameters of a cell of {architecture.nodes} nodes and {child.units} units"
    match architecture.space_name:
        case "macro":
            return f"{child.channels} channels, times {child.channel_growth} at each reduction"
        case "micro":
            widths = ", ".join(str(child.channels * factor) for factor in (1, 2, 4))
            num_cells = 3 * child.cells_per_stage + 2
            return f"{child.cells_per_stage} @ {child.channels}: {num_cells} cells of {widths} channels"
        case "recurrent":
            return f"{child.units} units"
    raise ValueError(architecture.space_name)
