"""Options of a component: fields of a frozen dataclass that launchers turn into command-line flags."""

import dataclasses
from collections.abc import Iterable
from typing import Any

from enas_tf.errors import InputError


def option(default: Any, help: str, choices: tuple[str, ...] | None = None) -> Any:
    """A dataclass field with the text of its flag. `choices` are the only strings it may hold."""
    return dataclasses.field(default=default, metadata={"help": help, "choices": choices})


def require(condition: bool, name: str, value: Any, expected: str) -> None:
    """Raises `InputError` that names the option, its value and what was expected, unless `condition` holds."""
    if not condition:
        raise InputError(f"--{name}={value} is not valid: expected {expected}.")


def renamed(error: InputError, names: Iterable[str], prefix: str) -> InputError:
    """The error with `--prefix_name=` for each `--name=` of `names`: a component does not know its flags' prefix."""
    message = str(error)
    for name in names:
        message = message.replace(f"--{name}=", f"--{prefix}{name}=")
    return InputError(message)
