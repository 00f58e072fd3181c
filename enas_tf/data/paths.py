"""Paths and texts of a user: what stands at a path before anything is opened, and how messages show what was given."""

import os
import stat
from collections.abc import Sequence
from pathlib import Path

from enas_tf.errors import InputError, count_of, ref

# The largest number of characters of a value and of a path in a message: a path is to be copied, so it has more.
_VALUE_LIMIT = 80
_PATH_LIMIT = 300
# The largest number of items of a list in a message.
_ITEM_LIMIT = 10
# Part of the data set -> the names that its directory, file or array may have, in any case of letters.
_PART_NAMES = {"train": ("train", "training"), "valid": ("valid", "val", "validation"), "test": ("test", "testing")}
_KINDS = (
    (stat.S_ISREG, "a file"),
    (stat.S_ISDIR, "a directory"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def shorten(value: object, limit: int = _VALUE_LIMIT) -> str:
    """Return the text of `value` on one line and with at most `limit` characters, as a message can show it.

    Characters that cannot be printed are escaped: control characters, line breaks, and the bytes of a file name that
    is not UTF-8. A text that is too long loses its middle.
    """
    text = str(value)
    if len(text) > 2 * limit:
        text = text[:limit] + text[-limit:]  # What the end needs of it, before escapes make it longer still.
    text = "".join(char if char.isprintable() else _escape(char) for char in text)
    if len(text) <= limit:
        return text
    head = (limit - 3) * 2 // 3
    return f"{text[:head]}...{text[head + 3 - limit :]}"


def _escape(char: str) -> str:
    # A byte that is not UTF-8 is a lone surrogate within Python's names of files.
    if "\udc80" <= char <= "\udcff":
        return f"\\x{ord(char) - 0xDC00:02x}"
    return char.encode("unicode_escape", "backslashreplace").decode("ascii")


def show_given(text: str | Path) -> str:
    """Return a path, or an option that holds one, as it was given: whole, unless it is longer than paths are."""
    return shorten(text, _PATH_LIMIT)


def show_path(path: str | Path) -> str:
    """Return `path` in full: whoever reads a log may not know the directory in which a command was given."""
    return show_given(_absolute(path))


def _absolute(path: str | Path) -> Path:
    try:
        return Path(path).absolute()
    except OSError:
        return Path(path)  # The current directory was removed.


def enumerate_items(items: Sequence[object]) -> str:
    """Return the first ten `items`, each shortened, and the number of the others: "a, b and 3 more"."""
    shown = ", ".join(shorten(item) for item in items[:_ITEM_LIMIT])
    return f"{shown} and {len(items) - _ITEM_LIMIT} more" if len(items) > _ITEM_LIMIT else shown


def part_of(name: str) -> str | None:
    """Return the part that is usually called `name`: "train", "valid" or "test"; None if there is none."""
    return next((part for part, names in _PART_NAMES.items() if name.lower() in names), None)


def describe_path(path: str | Path) -> str:
    """Return what stands at `path`: "a file", "a directory", "a named pipe", ..., "missing", or why nobody can tell."""
    if "\0" in str(path):
        return "not the name of a file (it holds a NUL character)"
    try:
        mode = os.stat(path).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return "missing"
    except OSError as error:
        return f"not accessible ({error.strerror})"
    return next((kind for is_kind, kind in _KINDS if is_kind(mode)), "a special file")


def require_path(path: str, kind: str, subject: str, expected: str) -> None:
    """Raise `InputError` unless a `kind` ("a file" or "a directory") stands at `path`.

    Anything else is refused before it is opened: the opening of a named pipe would wait for ever.

    Args:
      path: what the user gave.
      kind: what has to stand there.
      subject: the beginning of the message; it names the option or the file.
      expected: the end of the message; it completes "Expected ...".
    """
    found, full = describe_path(path), show_path(path)
    place = "" if full in subject or found.startswith("not ") else f" ({full})"
    if found == "missing":
        raise InputError(f"{subject}: no such {kind.removeprefix('a ')}{place}. Expected {expected}.")
    if found != kind:
        raise InputError(f"{subject} is {found}{place}. Expected {expected}.")


def require_memory(needed: int, subject: str, cure: str) -> None:
    """Raise `InputError` if `needed` bytes are more than the memory of this machine; `cure` ends the message."""
    try:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return  # Not every system tells.
    if needed > memory:
        raise InputError(
            f"{subject} would take {in_bytes(needed)} of memory, and this machine has {in_bytes(memory)}: {cure}."
        )


def require_memory_for_images(count: int, shape: Sequence[int], subject: str) -> None:
    """Raise `InputError` if `count` images of `shape` (height, width, channels) in bytes exceed the memory."""
    size = count * int(shape[0]) * int(shape[1]) * int(shape[2])
    cure = f"expected images that fit into it. Use a smaller {ref('image_size')}, for example {ref('image_size')}=32"
    require_memory(size, f"{subject}: {count_of(count, 'image')} of {shape[0]}x{shape[1]} pixels", cure)


def in_bytes(size: int) -> str:
    """Return a number of bytes in words: "5.4 GB"."""
    for unit in ("bytes", "kB", "MB", "GB", "TB", "PB"):
        if size < 1000:
            return f"{size} bytes" if unit == "bytes" else f"{size:.1f} {unit}"
        size = size if unit == "PB" else size / 1000
    return f"{size:.3g} PB"
