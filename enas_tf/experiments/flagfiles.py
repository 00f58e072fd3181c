"""Reading of flagfiles without absl: those of a run's directory, and presets."""

import os
from pathlib import Path
from typing import Any

from enas_tf.errors import InputError, ref
from enas_tf.experiments.config import every_option
from enas_tf.options import require, shorten
from enas_tf.reading import read_text
from enas_tf.registry import import_file

#: Flags of launchers that are no options of a run: the caller says these in other ways.
_PASSED_OVER = {"workdir", "then", "overwrite", "dry_run", "architecture"}
_TRUTH = {"true": True, "t": True, "1": True, "yes": True, "false": False, "f": False, "0": False, "no": False}


def read_flagfile(path: str | os.PathLike) -> dict[str, Any]:
    """Return option name -> value of what a flagfile says; files that it imports are imported.

    Raises:
      InputError: it cannot be read, or has a value of another type than its option has. An option that there is not is
        returned as a text, for `config.read_options` to refuse.
    """
    place = Path(path)
    text = read_text(place, "a flagfile, one flag a line", "Name another file.")
    lines = [line.strip() for line in text.splitlines()]
    pairs = [line.lstrip("-").partition("=") for line in lines if line and not line.startswith(("#", "//"))]
    for name, _, value in pairs:
        if name == "import":
            for file in [value] if Path(value).exists() else value.split(","):
                import_file(file.strip())
    found: dict[str, Any] = {}
    for name, mark, value in pairs:
        if name == "flagfile":
            found |= read_flagfile(value)
        elif name not in _PASSED_OVER | {"import"}:
            found |= _read_value(name, value if mark else None)
    return found


def _read_value(name: str, value: str | None) -> dict[str, Any]:
    offers = every_option()
    if value is None:
        is_negated = name not in offers and name.startswith("no") and name[2:] in offers
        return {name[2:]: False} if is_negated else {name: True}
    kind: Any = offers[name][0][1].kind if name in offers else str
    if kind is tuple:
        return {name: tuple(item.strip() for item in value.split(",") if item.strip())}
    if kind is bool:
        require(value.lower() in _TRUTH, name, value, "true or false")
        return {name: _TRUTH[value.lower()]}
    try:
        return {name: kind(value)}
    except ValueError:
        expected = "a whole number" if kind is int else "a number"
        raise InputError(f"{ref(name)}={shorten(value)} is not valid: expected {expected}.") from None
