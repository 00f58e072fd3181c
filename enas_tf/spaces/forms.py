"""What the text and JSON forms of all spaces share: they are read strictly, and nothing of enormous length is built."""

import dataclasses
import re
from typing import Any

from enas_tf.errors import InputError
from enas_tf.options import shorten

#: Python reads no number of thousands of digits.
_INTEGER = re.compile("-?[0-9]{1,100}")


def read_integers(text: str, arc: str, words: str = "") -> list[int]:
    """Return the integers of `text`, which are separated by blanks.

    Args:
      text: the part of the arc string behind its word.
      arc: the whole arc string, for the message.
      words: what may stand before the integers; it ends the message.

    Raises:
      InputError: something else stands there.
    """
    numbers = text.split()
    if not all(_INTEGER.fullmatch(number) for number in numbers):
        raise InputError(f"the arc string {shorten(arc)!r} is not a list of integers separated by blanks{words}.")
    return [int(number) for number in numbers]


def read_list(data: dict[str, Any], key: str) -> list:
    """Return the list under `key` of a JSON form; raise `KeyError` without it and `TypeError` for anything else."""
    if type(data[key]) is not list:
        raise TypeError(f'"{key}" holds {shorten(data[key])!r}, which is not a list')
    return data[key]


def read_name(row: dict[str, Any], key: str) -> str:
    """Return the text under `key` of a JSON form; raise `KeyError` without it and `TypeError` for anything else."""
    if type(row[key]) is not str:
        raise TypeError(f'"{key}" holds {shorten(row[key])!r}, which is not a name')
    return row[key]


def check_node(node: Any) -> int:
    """Return `node`, the number of a node; raise `TypeError` for 0.5 and for `true`, which Python takes for 1."""
    if type(node) is not int:
        raise TypeError(f"the node {shorten(repr(node))} is not a whole number")
    return node


def read_node(row: dict[str, Any], key: str) -> int | None:
    """Return the node under `key` of a JSON form, None for null; raise as `check_node` does."""
    return None if row[key] is None else check_node(row[key])


def check_size(space: type, option: str, size: int) -> None:
    """Raise `InputError` for an architecture whose `size` is above what a search may be told by the option.

    Args:
      space: the class of the space.
      option: the field of the space that holds the size: its layers, blocks or nodes.
      size: that of the architecture.
    """
    (field,) = (field for field in dataclasses.fields(space) if field.name == option)
    most = field.metadata["most"]
    if size > most:
        raise InputError(f"the architecture has {option}={size:,}: expected at most {most:,}.")
