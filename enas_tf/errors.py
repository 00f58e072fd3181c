"""The one error a user is meant to read: wrong input, found where it entered.

Messages name options, and each face of the product writes an option in its own way: a launcher writes `--epochs`,
Python writes `epochs`. `ref("epochs")` marks the name within a message, and `render` writes every marked name.
"""

import re
from collections.abc import Callable, Collection

#: A marked name stands between these two characters of Unicode's private use area, which no text of a user holds.
_OPEN, _CLOSE = "\ue000", "\ue001"
_MARKED = re.compile(f"{_OPEN}(\\w+){_CLOSE}")


def ref(option: str) -> str:
    """Return a reference to `option` that can stand in any message."""
    return f"{_OPEN}{option}{_CLOSE}"


def render(message: str, write: Callable[[str], str] = str) -> str:
    """Return `message` with `write(name)` in place of every reference; the plain name by default."""
    return _MARKED.sub(lambda match: write(match[1]), message)


def count_of(number: int, noun: str) -> str:
    """Return a number and its noun: "1 file", "1,200 files", "3 classes", "2 directories", "2 children"."""
    ending = "ren" if noun.endswith("child") else "es" if noun.endswith("s") else "s"
    plural = re.sub("([^aeiou])y$", r"\1ie", noun) + ending
    return f"{number:,} {noun if number == 1 else plural}"


class InputError(ValueError):
    """Input that cannot be used; the message names the thing, its value, what was expected and the cure.

    Launchers print the message as one paragraph without a traceback and exit with code 2.
    """

    def __init__(self, message: str):
        super().__init__(message)
        self.message = message

    def __str__(self) -> str:
        return render(self.message)

    def render(self, write: Callable[[str], str]) -> str:
        """Return the message with every option written by `write`."""
        return render(self.message, write)

    def with_prefix(self, prefix: str, options: Collection[str]) -> "InputError":
        """Return the same error for `options` whose names have a prefix: a component does not know that of its own."""
        return InputError(render(self.message, lambda name: ref(prefix + name if name in options else name)))
