"""What an architecture is, in words and numbers: its layers, what its child costs, how large its space is."""

import dataclasses
from pathlib import Path
from typing import Any

from enas_tf import errors
from enas_tf.errors import InputError
from enas_tf.experiments.config import RunOptions
from enas_tf.experiments.run import format_size, size_in_words
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
    """

    architecture: Buildable
    space: Space
    cost: Cost | None
    problem: str
    size: str
    data: str
    unit: str

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
    return Description(architecture, space, cost, problem, size, words, config.task.unit)


def _assumed_shape(config: RunOptions, recorded: dict[str, Any]) -> tuple[Any, str]:
    """Return what `Task.assumed_shape` does; raise `InputError` for records of the data that no run has written."""
    try:
        return config.task.assumed_shape(config, recorded)
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
