"""What an architecture is, in words and numbers: its layers, what its child costs, how large its space is."""

import contextlib
import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np

from enas_tf import errors
from enas_tf.errors import InputError
from enas_tf.experiments.config import RunOptions
from enas_tf.experiments.run import format_size, size_in_words
from enas_tf.models.source import to_source
from enas_tf.ops.costs import Cost
from enas_tf.options import shorten
from enas_tf.pictures.drawing import draw, render
from enas_tf.runtime.files import write_bytes
from enas_tf.spaces.space import Architecture, Buildable, Space


@dataclasses.dataclass(frozen=True)
class Description:
    """An architecture or a baseline as a child of a run's size.

    Attributes:
      space: the space that is described: the run's where it holds the architecture, else the smallest that does.
      cost: of the child; None for one that cannot be built.
      problem: why it cannot be built.
      size: how large the child is, in words.
      data: what costs are counted for, in words.
      unit: what FLOPs are per.
      build: builds the child as it is kept.
    """

    architecture: Buildable
    space: Space
    cost: Cost | None
    problem: str
    size: str
    data: str
    unit: str
    build: Callable[[], keras.Model] = dataclasses.field(repr=False, compare=False)

    def to_json(self) -> dict[str, Any]:
        """Return the description as one object for programs."""
        is_searched = isinstance(self.architecture, Architecture)
        return {
            "space": self.architecture.space_name,
            "architecture": self.architecture.to_json(),
            "arc": self.architecture.to_arc(),
            "tokens": self.space.encode(self.architecture).tolist() if is_searched else None,
            "parameters": self.cost and self.cost.parameters,
            "parameters_total": self.cost and self.cost.parameters_total,
            "flops": self.cost and self.cost.flops,
            "space_size": self.space.size,
        }

    def to_code(self) -> str:
        """Return Python source that builds the child by Keras alone: the same layers, names and shapes, new weights.

        Raises:
          InputError: no child can be built, or its network has parts that are not of Keras alone.
        """
        if self.cost is None:
            raise InputError(f"no child can be built of the architecture, so none can be written down: {self.problem}")
        arc = f"{self.architecture.space_name}, {self.architecture.to_arc()}"
        child = self.build()
        return to_source(child, f"A network for {self.data}: {arc}.{_unknown_moments(child)}")

    def __str__(self) -> str:
        return errors.render("\n".join(self.in_words()))

    def in_words(self) -> list[str]:
        """Return the description as lines of text."""
        of = "one of" if isinstance(self.architecture, Architecture) else "beside the"
        paper = self.space.size_in_paper
        by_paper = f", {format_size(paper)} by the paper's formula" if paper else ""
        return [
            *self.architecture.in_words(),
            f"arc: {self.architecture.to_arc()}",
            *self.architecture.other_forms(),
            *self._cost_in_words(),
            f"{of} {size_in_words(self.space.size)} of its space{by_paper}",
        ]

    def _cost_in_words(self) -> list[str]:
        if self.cost is None:
            return [f"no child can be built of it: {self.problem}"]
        return [
            f"child: {self.size}",
            f"for {self.data}: {self.cost.parameters:,} parameters, {self.cost.flops:,} FLOPs per {self.unit} "
            "(a multiply-add is two; convolutions and matrix products)",
        ]


def describe(
    architecture: Buildable, config: RunOptions, recorded: dict[str, Any], is_of_run: bool, **shape: Any
) -> Description:
    """Describe an architecture or a baseline.

    Args:
      architecture: what is described.
      config: the options of the run, whose child is described.
      recorded: what the run has recorded of its data; empty without a run.
      is_of_run: whether the architecture is the run's own.
      shape: fields of the data's shape that are given instead of assumed, such as `num_classes`.
    """
    networks = config.networks
    child = config[networks.child]
    assumed, words = _assumed_shape(config, recorded | shape)
    cost, problem = None, ""
    try:
        cost = networks.count(architecture, child, assumed)
    except InputError as error:
        problem = error.message
    space = _space(architecture, config, is_of_run)
    size = networks.size_in_words(architecture, child)

    def build() -> keras.Model:
        return _keep(config, networks.build_child(architecture, child, assumed), recorded)

    return Description(architecture, space, cost, problem, size, words, config.task.unit, build)


def _unknown_moments(child: keras.Model) -> str:
    """Return a sentence about layers that would normalise images but have not been told their moments."""
    names = [
        layer.name
        for layer in child.layers
        if isinstance(layer, keras.layers.Normalization)
        and not np.any(layer.get_config()["mean"])
        and np.all(np.equal(layer.get_config()["variance"], 1))
    ]
    return f" The mean and the variance of the images are not known: set those of {', '.join(names)}." if names else ""


def _keep(config: RunOptions, child: keras.Model, recorded: dict[str, Any]) -> keras.Model:
    with _named_records():
        return config.task.keep_as_recorded(child, recorded)


def _assumed_shape(config: RunOptions, recorded: dict[str, Any]) -> tuple[Any, str]:
    with _named_records():
        return config.task.assumed_shape(config, recorded)


@contextlib.contextmanager
def _named_records() -> Iterator[None]:
    """Raise `InputError` for records of the data that no run has written."""
    try:
        yield
    except (TypeError, ValueError, AttributeError, KeyError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            f"what environment.json says of the data cannot be used ({type(error).__name__}: {shorten(error)}): "
            "expected what a run has recorded there. Remove the file: the same command writes it anew."
        ) from error


def _space(architecture: Buildable, config: RunOptions, is_of_run: bool) -> Space:
    if not isinstance(architecture, Architecture):
        return config.space
    if is_of_run:
        try:
            config.space.encode(architecture)
            return config.space
        except InputError:  # A child was trained of it here, and nothing was searched.
            pass
    return architecture.space()


def write_picture(architecture: Buildable, path: Path) -> None:
    """Draw an architecture to a file, .svg or .png; raise `InputError` where that cannot be."""
    if not path.parent.is_dir():
        raise InputError(
            f"the picture {path} cannot be written: {path.parent.absolute()} is not a directory. Create it first."
        )
    try:
        picture = render(draw(architecture), path.suffix)
    except InputError as error:
        raise InputError(f"{path}: {error.message}") from error
    try:
        write_bytes(path, picture)
    except OSError as error:
        raise InputError(f"the picture {path} cannot be written: {error.strerror}. Choose another place.") from error
