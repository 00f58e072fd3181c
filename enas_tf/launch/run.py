"""A run: its configuration, its directory, and what both need, built when first asked for."""

import decimal
import functools
from pathlib import Path

from enas_tf.data.images import ImageData
from enas_tf.data.sources import load_images
from enas_tf.errors import InputError
from enas_tf.launch.config import Config
from enas_tf.launch.workdir import Workdir
from enas_tf.models.families import FAMILIES, Family
from enas_tf.models.images import ChildConfig, ImageConfig
from enas_tf.spaces.architectures import read_architecture
from enas_tf.spaces.decisions import Architecture, Space
from enas_tf.training.devices import configure_runtime
from enas_tf.training.reporting import Reporter


class Run:
    """A configuration, a directory, and what both need: built when first asked for."""

    def __init__(self, config: Config, workdir: Path):
        self.config, self.workdir = config, Workdir(workdir)
        configure_runtime(config.run.seed, config.run.deterministic)

    @functools.cached_property
    def data(self) -> ImageData:
        return load_images(self.config.data)

    @property
    def image(self) -> ImageConfig:
        return image_config(self.data)

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


def image_config(data: ImageData) -> ImageConfig:
    height, width, channels = data.image_shape
    mean, variance = tuple(data.channel_mean.tolist()), tuple(data.channel_variance.tolist())
    return ImageConfig(height, width, channels, data.num_classes, mean, variance)


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


def size_in_words(space: str, child: ChildConfig) -> str:
    """How large a child of the space of that name is, in the words of its paper."""
    match space:
        case "macro":
            return f"{child.channels} channels, times {child.channel_growth} at each reduction"
        case "micro":
            widths = ", ".join(str(child.channels * factor) for factor in (1, 2, 4))
            num_cells = 3 * child.cells_per_stage + 2
            return f"{child.cells_per_stage} @ {child.channels}: {num_cells} cells of {widths} channels"
    raise ValueError(space)
