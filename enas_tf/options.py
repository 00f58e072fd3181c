"""Options of a component: the fields of a frozen dataclass, which each face of the product offers in its own way.

A component declares a `Group` next to its config dataclass and registers with it (`registry.py`). All else follows
from the declarations: the flags of the command line, the arguments of the Python API, the help, which options a run
reads, and which of them decide what a stage computes.
"""

import dataclasses
import functools
import math
import types
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Generic, Self, TypeVar

from enas_tf.errors import InputError, ref

#: The stages that an option can belong to.
STAGES = ("search", "retrain")
T = TypeVar("T")


def option(
    default: Any,
    help: str,
    choices: Iterable[str] | None = None,
    *,
    items: Iterable[str] | None = None,
    stages: tuple[str, ...] | None = None,
    needs: Callable[[Any], bool] | None = None,
    decides: bool = True,
    most: int = 10**9,
) -> Any:
    """Declare a dataclass field that is an option.

    Args:
      default: its value where none is given.
      help: one line of help; it may hold references (`errors.ref`).
      choices: the only strings it may hold, read when the option is offered: a registry may still grow.
      items: the only strings that a tuple of it may hold, read likewise.
      stages: the stages that read it; those of its group by default.
      needs: a condition on the space; the option is read only where it holds. Its docstring completes "is for ...".
      decides: whether the option changes what a stage computes. A stage resumes only where these have equal values.
      most: the largest whole number that is accepted; a larger one would run or fill memory without an end.
    """
    metadata = {
        "help": help,
        "choices": choices,
        "items": items,
        "stages": stages,
        "needs": needs,
        "decides": decides,
        "most": most,
    }
    return dataclasses.field(default=default, metadata=metadata)


def shorten(value: Any, length: int = 80) -> str:
    """Return `value` as text that fits a message: no user reads ten megabytes of their own input."""
    # The digits of a long number are not counted one by one: Python refuses to print more than 4,300 of them.
    text = f"a number of {value.bit_length()} bits" if isinstance(value, int) and abs(value) >= 10**40 else str(value)
    return text if len(text) <= length else f"{text[: length - 3]}..."


def require(condition: bool, name: str, value: Any, expected: str) -> None:
    """Raise `InputError` that names the option, its value and what was expected, unless `condition` holds."""
    if not condition:
        raise InputError(f"{ref(name)}={shorten(value)} is not valid: expected {expected}.")


@dataclasses.dataclass(frozen=True)
class Option:
    """One option as a face of the product offers it.

    Attributes:
      name: the field's name behind the prefix of its group.
      kind: bool, int, float, str or tuple (of strings).
      is_optional: whether it may be None.
    """

    name: str
    field: dataclasses.Field
    kind: type
    is_optional: bool
    stages: tuple[str, ...]

    @property
    def help(self) -> str:
        items = self.field.metadata["items"]
        return self.field.metadata["help"] + (f", out of {', '.join(items)}" if items else "")

    @property
    def choices(self) -> tuple[str, ...] | None:
        choices = self.field.metadata["choices"]
        return None if choices is None else tuple(choices)

    @property
    def decides(self) -> bool:
        return self.field.metadata["decides"]

    def is_read(self, space: Any) -> bool:
        """Return whether a run on `space` reads the option."""
        needs = self.field.metadata["needs"]
        return needs is None or needs(space)

    def check(self, value: Any) -> Any:
        """Return `value` in the option's own type; raise `InputError` for a value of another type."""
        if value is None and self.is_optional:
            return None
        if self.kind is tuple and isinstance(value, list | tuple) and all(isinstance(item, str) for item in value):
            return tuple(value)
        if self.kind is float and isinstance(value, int) and not isinstance(value, bool):
            require(abs(value) < 2**63, self.name, shorten(value), "a smaller number")
            return float(value)
        is_kind = isinstance(value, self.kind) and (self.kind is bool or not isinstance(value, bool))
        words = {tuple: "names separated by commas", bool: "True or False", int: "a whole number", float: "a number"}
        # A text beside the words "a whole number" would look like one.
        shown = repr(value) if isinstance(value, str) else value
        require(is_kind, self.name, shown, words.get(self.kind, "a text"))
        if self.kind is float:
            require(math.isfinite(value), self.name, value, "a finite number")
        if self.kind is int:
            most = self.field.metadata["most"]
            require(abs(value) <= most, self.name, shorten(value), f"at most {most:,}")
        if self.choices is not None:
            require(value in self.choices, self.name, value, f"one of {', '.join(self.choices)}")
        return value


@dataclasses.dataclass(frozen=True, eq=False)
class Group(Generic[T]):
    """The options of one config dataclass.

    Attributes:
      default: the config where no option is given.
      prefix: what stands before the names of its options.
      stages: the stages that read them.
      is_of_sharing: whether only evaluators by shared weights read them, of the options of a task.
    """

    default: T
    prefix: str = ""
    stages: tuple[str, ...] = STAGES
    is_of_sharing: bool = False

    @functools.cached_property
    def options(self) -> tuple[Option, ...]:
        """The options, in the order of the fields."""
        hints = typing.get_type_hints(type(self.default))
        found = []
        for field in dataclasses.fields(self.default):  # type: ignore[arg-type]
            kinds = [hints[field.name]]
            if isinstance(kinds[0], types.UnionType):
                kinds = list(typing.get_args(kinds[0]))
            kind = next(kind for kind in kinds if kind is not types.NoneType)
            stages = field.metadata["stages"] or self.stages
            kind = typing.get_origin(kind) or kind
            found.append(Option(self.prefix + field.name, field, kind, types.NoneType in kinds, stages))
        return tuple(found)

    def build(self, given: Mapping[str, Any]) -> T:
        """Return the config with the values that `given` holds under the names of its options.

        Raises:
          InputError: a value has the wrong type or is not valid.
        """
        values = {o.field.name: o.check(given[o.name]) for o in self.options if o.name in given}
        try:
            return dataclasses.replace(self.default, **values)  # type: ignore[type-var]
        except InputError as error:
            raise self.name_options(error) from error

    def name_options(self, error: InputError) -> InputError:
        """Return `error` with the names of this group's options where it has those of fields."""
        return error.with_prefix(self.prefix, [option.field.name for option in self.options])

    def values(self, config: T) -> dict[str, Any]:
        """Return option name -> value of `config`."""
        return {option.name: getattr(config, option.field.name) for option in self.options}


class Config:
    """What a run is told: the value of each group that it reads.

    Attributes:
      values: group -> config, in the order in which the options are written down.
    """

    def __init__(self, values: Mapping[Group, Any]):
        self.values = dict(values)

    def __getitem__(self, group: Group[T]) -> T:
        """Return the config of `group`; the default of a group that nothing chosen reads."""
        return self.values.get(group, group.default)

    def __iter__(self) -> Iterator[Group]:
        return iter(self.values)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Config) and self.values == other.values

    __hash__ = None  # type: ignore[assignment]

    def replace(self, values: Mapping[Group, Any]) -> Self:
        """Return a configuration with other `values` of some groups."""
        return type(self)(self.values | dict(values))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(repr(value) for value in self.values.values())})"
