"""The command line before it is parsed: flagfiles that can be read, short names, and what the user typed."""

import difflib
import itertools
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from absl import flags

from enas_tf.errors import InputError, ref
from enas_tf.launch.flags import typed
from enas_tf.options import shorten
from enas_tf.reading import read_text

FLAGS = flags.FLAGS
#: How many names, and how many characters of a name, are looked at for a similar one: the comparison is slow.
_MOST_COMPARED, _LONGEST_COMPARED = 1000, 100


def check_encoding(argv: list[str]) -> None:
    """Raise `InputError` for arguments that are not text in UTF-8: TensorFlow takes no other names of files."""
    is_utf8 = sys.getfilesystemencoding().lower() in ("utf-8", "utf8")
    for argument in argv:
        if "\0" in argument:
            raise InputError(f"the argument {shorten(repr(argument))} holds a NUL character: leave it out.")
        if not argument.isascii() and not is_utf8:
            raise InputError(
                f"the argument {shorten(ascii(argument))} has letters beyond ASCII, and the encoding of file names is "
                f"{sys.getfilesystemencoding()} here: expected UTF-8. Set PYTHONUTF8=1, or a locale such as C.UTF-8."
            )
        try:
            argument.encode()
        except UnicodeEncodeError:
            raise InputError(
                f"the argument {shorten(ascii(argument))} is not in UTF-8: expected names of files in UTF-8. Rename it."
            ) from None


def values_of(flag: str, argv: list[str]) -> list[str]:
    """Return the values of `--flag=value` and `--flag value` in `argv`."""
    found = []
    for i, argument in enumerate(argv):
        name, has_value, value = argument.lstrip("-").partition("=")
        if argument.startswith("-") and name == flag:
            found.append(value if has_value else argv[i + 1] if i + 1 < len(argv) else "")
    return found


def check_flagfiles(argv: list[str], open_files: tuple[str, ...] = ()) -> None:
    """Raise `InputError` for a flagfile that is no text, or is not there.

    Args:
      argv: arguments, or the lines of a flagfile.
      open_files: the flagfiles that these lines are of: absl passes over one that names itself.
    """
    what, cure = "a flagfile, one flag a line", "Name another file."
    for name in values_of("flagfile", argv):
        path = os.path.expanduser(name.strip())
        if not path or path in open_files:
            continue
        if not os.path.lexists(path) and "\0" not in path:
            place = Path(path)
            raise InputError(
                f"{ref('flagfile')}={shorten(name)}: no such file ({shorten(place.absolute(), 300)}): expected {what}. "
                f"Correct the path.{similar_to(place)}"
            )
        lines = read_text(path, what, cure).splitlines()
        check_flagfiles([line.strip() for line in lines], (*open_files, path))


def similar_to(path: Path) -> str:
    """Return a hint at what lies beside `path` under a similar name; nothing where nothing does."""
    try:
        with os.scandir(path.parent) as entries:
            names = [entry.name for entry in itertools.islice(entries, _MOST_COMPARED)]
    except OSError:
        return ""
    close = difflib.get_close_matches(path.name[:_LONGEST_COMPARED], names, n=1)
    return f" Did you mean {shorten(path.with_name(close[0]), 300)}?" if close else ""


def write_out(argv: list[str], prefix: str) -> list[str]:
    """Return the arguments with short names written out, and note in `typed` what the user typed.

    `--name`, `--name=value`, `--name value` and `--noname` are read as absl reads them. All flags have to be defined.

    Args:
      argv: the arguments, without the name of the program.
      prefix: `--name` means `--{prefix}name` where there is such a flag.
    """
    typed.clear()
    return list(_written_out(iter(argv), prefix))


def _written_out(rest: Iterator[str], prefix: str) -> Iterable[str]:
    for argument in rest:
        body = argument[2:] if argument.startswith("--") else argument[1:]
        if not argument.startswith("-") or not body:
            yield argument
            yield from rest  # absl, too, takes nothing behind for a flag.
            return
        name, mark, value = body.partition("=")
        full, negation = _resolve(name, prefix)
        if full is None:
            yield argument
            continue
        typed[full] = name.removeprefix(negation)
        yield f"--{negation}{full}{mark}{value}"
        if not mark and not FLAGS[full].boolean:
            yield from itertools.islice(rest, 1)


def _resolve(name: str, prefix: str) -> tuple[str | None, str]:
    """Return the full name of the flag that `name` means, and "no" where it negates it; None for no flag."""
    for full in (prefix + name, name):
        if full in FLAGS:
            return full, ""
    if name.startswith("no"):
        for full in (prefix + name[2:], name[2:]):
            if full in FLAGS and FLAGS[full].boolean:
                return full, "no"
    return None, ""


def check_nothing_is_left(argv: list[str]) -> None:
    """Raise `InputError` for arguments that are no flags."""
    if argv[1:]:
        shown = ", ".join(shorten(repr(argument)) for argument in argv[1:4])
        raise InputError(f"unexpected arguments {shown}: options are given as {ref('name')}=value.")
