"""Reading of the small files that a user or an earlier run has left: whatever is wrong with one is an `InputError`.

The message names the file with its full path, says in a few words what is wrong, what was expected, and the cure.
"""

import json
import math
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from types import NoneType
from typing import Any, NoReturn

from enas_tf.errors import InputError
from enas_tf.options import shorten

#: A larger file is none of those that a run leaves or a user writes by hand.
MAX_BYTES = 2**28
#: Python reads no whole number of more digits from a text.
MAX_DIGITS = 4300
_WORDS = {
    NoneType: "null",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a text",
    list: "a list",
    dict: "an object",
}
_KINDS = (
    (stat.S_ISDIR, "is a directory"),
    (stat.S_ISFIFO, "is a named pipe"),
    (stat.S_ISSOCK, "is a socket"),
    (stat.S_ISCHR, "is a device"),
    (stat.S_ISBLK, "is a device"),
)


def read_text(path: str | Path, what: str, cure: str) -> str:
    """Return the text of a file in UTF-8.

    Args:
      path: the file.
      what: what it should hold; it completes "expected ...".
      cure: a sentence that says what to do about a damaged file.

    Raises:
      InputError: there is no such file, or it holds no text.
    """
    content, problem = _read_bytes(path)
    if problem or b"\0" in content:
        _refuse(path, problem or "is not a text", what, cure)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        _refuse(path, f"is not in UTF-8 (byte 0x{content[error.start]:02x} at offset {error.start})", what, cure)


def _read_bytes(path: str | Path) -> tuple[bytes, str]:
    """Return the content of a file, and what is wrong with the file; the one or the other is empty."""
    try:
        # Before it is opened: the opening of a named pipe would wait for ever.
        found = os.stat(path)
        problem = next((words for is_kind, words in _KINDS if is_kind(found.st_mode)), "")
        if found.st_size > MAX_BYTES:
            problem = f"has {found.st_size:,} bytes"
        return b"" if problem else Path(path).read_bytes(), problem
    except OSError as error:
        return b"", f"cannot be read ({error.strerror or error})"
    except ValueError:
        return b"", "is not the name of a file (it holds a NUL character)"


def read_json(
    path: str | Path, what: str, cure: str, fields: Mapping[str, tuple[type, ...]] | None = None
) -> dict[str, Any]:
    """Return the object of a JSON file.

    Args:
      path: the file.
      what: what it should hold; it completes "expected ...".
      cure: a sentence that says what to do about a damaged file.
      fields: the keys that have to be there, and the types that their values may have.

    Raises:
      InputError: there is no such file, or it holds no such object.
    """
    text = read_text(path, what, cure)
    problem = "is empty"
    if text.strip():
        value, problem = _parse(text)
        problem = problem or _find_problem(value, fields or {})
    if problem:
        _refuse(path, problem, what, cure)
    return value


def _parse(text: str) -> tuple[Any, str]:
    """Return the value of a text in JSON, and what is wrong with the text; the one or the other is empty."""
    try:
        return json.loads(text, parse_float=_finite, parse_constant=_finite), ""
    except json.JSONDecodeError as error:
        return None, f"is not JSON ({error.msg} in line {error.lineno}, column {error.colno})"
    except RecursionError:
        return None, "is nested too deeply"
    except ValueError as error:
        return None, str(error) if "4300" not in str(error) else f"holds a number of more than {MAX_DIGITS:,} digits"


def _finite(text: str) -> float:
    """Return the number of a text; raise `ValueError` for NaN and infinities, which JSON has no word for."""
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"holds the number {shorten(text)}, which is not finite")
    return number


def _find_problem(value: Any, fields: Mapping[str, tuple[type, ...]]) -> str:
    """Say what is wrong with the value of a JSON file; return an empty text for an object with these fields."""
    if not isinstance(value, dict):
        return f"holds {_WORDS[type(value)]} instead of an object"
    for name, kinds in fields.items():
        if name not in value:
            return f'has no key "{name}"'
        if type(value[name]) not in kinds:
            expected = " or ".join(_WORDS[kind] for kind in kinds)
            return f'has {shorten(json.dumps(value[name]))} under the key "{name}" instead of {expected}'
    return ""


def _refuse(path: str | Path, problem: str, what: str, cure: str) -> NoReturn:
    raise InputError(f"{shorten(Path(path).absolute(), 300)} {problem}: expected {what}. {cure}") from None
