"""Components by name: each registers once, next to itself, with the groups of options that it reads."""

import dataclasses
import difflib
import importlib
import importlib.util
import pkgutil
import sys
import traceback
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

from enas_tf.errors import InputError
from enas_tf.options import Group

T = TypeVar("T")


@dataclasses.dataclass(frozen=True)
class Entry(Generic[T]):
    """A registered component.

    Attributes:
      kind: what the registry holds, in the singular.
      help: one line for the help of the option that chooses it.
      groups: the options that it reads.
      defaults: option -> its default where this component is chosen.
    """

    kind: str
    name: str
    component: T
    help: str
    groups: tuple[Group, ...]
    defaults: Mapping[str, Any]


class Registry(Generic[T]):
    """Components of one kind by name, in the order in which they were registered. Iterating yields the names."""

    #: All registries: an option is offered for every group of their entries.
    every: ClassVar["list[Registry]"] = []

    def __init__(self, kind: str):
        self.kind = kind
        self._entries: dict[str, Entry[T]] = {}
        self.every.append(self)

    def register(
        self, name: str, groups: Iterable[Group] = (), defaults: Mapping[str, Any] | None = None, help: str = ""
    ) -> Callable[[T], T]:
        """Return a decorator that registers a class, a function or any other value under `name`.

        Raises:
          InputError: the name is taken by another component.
        """

        def add(component: T) -> T:
            other = self._entries.get(name)
            if other is not None and not _is_same(other.component, component):
                raise InputError(f"the {self.kind} {name!r} is registered already: choose another name.")
            self._entries[name] = Entry(self.kind, name, component, help, tuple(groups), dict(defaults or {}))
            return component

        return add

    def entry(self, name: str) -> Entry[T]:
        """Return the entry of `name`; raise `InputError` for a name that nobody registered."""
        if name not in self._entries:
            close = difflib.get_close_matches(name, self._entries, n=1)
            hint = f" Did you mean {close[0]}?" if close else ""
            raise InputError(f"there is no {self.kind} {name!r}: expected one of {', '.join(self._entries)}.{hint}")
        return self._entries[name]

    def __getitem__(self, name: str) -> T:
        return self.entry(name).component

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def entries(self) -> list[Entry[T]]:
        """Return all entries."""
        return list(self._entries.values())

    def remove(self, name: str) -> None:
        """Forget the component `name`."""
        del self._entries[name]


class Choices:
    """The names of a registry, which may still grow, and others that stand for some of them."""

    def __init__(self, registry: Registry, *others: str):
        self.registry, self.others = registry, others

    def __iter__(self) -> Iterator[str]:
        return iter((*self.registry, *self.others))


def _is_same(old: Any, new: Any) -> bool:
    """Return whether two components are one: a module that is loaded again defines its classes and functions again."""
    places = [(getattr(item, "__module__", None), getattr(item, "__qualname__", None)) for item in (old, new)]
    return old == new or (places[0] == places[1] and places[0][1] is not None)


def import_all(package: str, path: Iterable[str]) -> None:
    """Import every module of `package`, so that the components in them register."""
    for module in pkgutil.iter_modules(path):
        importlib.import_module(f"{package}.{module.name}")


#: Files of the user that were imported.
_imported: list[str] = []


def imported() -> tuple[str, ...]:
    """Return the files of the user that were imported, as absolute paths."""
    return tuple(_imported)


def _line_of(error: Exception, path: str) -> str:
    """Return the line of the file where it failed, in words; nothing where that is not known."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == path]
    number = error.lineno if isinstance(error, SyntaxError) else lines[-1] if lines else None
    return "" if number is None else f"line {number}: "


def import_file(path: str) -> None:
    """Run the user's file at `path`, so that the components in it register.

    Raises:
      InputError: there is no such file, or it cannot be run.
    """
    place = Path(path)
    if not place.is_file() or place.suffix != ".py":
        raise InputError(f"the file {path!r} to import is not there: expected the path of a Python file.")
    absolute = str(place.resolve())
    if absolute in _imported:
        return
    name = f"enas_tf_user_{zlib.crc32(absolute.encode()):x}_{place.stem}"
    spec = importlib.util.spec_from_file_location(name, place)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    before = [dict(registry._entries) for registry in Registry.every]
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        # Nothing of a file counts that could not be run to its end.
        del sys.modules[name]
        for registry, entries in zip(Registry.every, before, strict=False):
            registry._entries = entries
        if isinstance(error, InputError):
            raise
        line = _line_of(error, str(place))
        raise InputError(
            f"the file {path} cannot be imported: {line}{type(error).__name__}: {error}. Correct it there."
        ) from error
    _imported.append(absolute)
