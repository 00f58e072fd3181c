"""What a launcher says where something is wrong: one paragraph of bounded length, and an exit code."""

import contextlib
import sys
import textwrap
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

from absl import flags

from enas_tf.errors import InputError
from enas_tf.launch.flags import write_option

#: The longest message, in bytes: a user's own input may be much longer.
_LIMIT = 1_900
_PACKAGE = Path(__file__).parents[1]


def exit_with(error: InputError) -> NoReturn:
    """Print the message of `error` and leave with exit code 2."""
    # A terminal wraps for itself; a log keeps the paragraph on one line.
    message = _in_bounds(error.render(write_option))
    print(textwrap.fill(message, 100) if sys.stderr.isatty() else message, file=sys.stderr)
    sys.exit(2)


def _in_bounds(message: str) -> str:
    """Return a message on one line, without characters that cannot be printed, and without its middle if it is long."""
    if len(message) > 2 * _LIMIT:  # Before escapes make it longer still.
        message = message[:_LIMIT] + message[-_LIMIT:]
    message = "".join(char if char.isprintable() else " " if char.isspace() else ascii(char)[1:-1] for char in message)
    content = message.encode("utf-8", "backslashreplace")
    if len(content) <= _LIMIT:
        return message
    half = _LIMIT // 2 - 10
    return f"{content[:half].decode('utf-8', 'ignore')} [...] {content[-half:].decode('utf-8', 'ignore')}"


@contextlib.contextmanager
def short_warnings() -> Iterator[None]:
    """Print warnings of this package as one line without its place in the code, also where warnings are errors."""
    with warnings.catch_warnings():
        warnings.filterwarnings("always", category=RuntimeWarning, module="enas_tf")
        show = warnings.showwarning

        def show_short(message, category, filename, *others):
            if category is RuntimeWarning and Path(filename).is_relative_to(_PACKAGE):
                print(_in_bounds(f"warning: {message}"), file=sys.stderr)
            else:
                show(message, category, filename, *others)

        warnings.showwarning = show_short
        yield


def parse_or_exit(parse: Callable, argv: list[str]) -> list[str]:
    """Return `parse(argv)`; leave with exit code 2 for wrong input, and 1 for what absl says of flags."""
    try:
        return parse(argv)
    except InputError as error:
        exit_with(error)
    # A plain one for --noflag=value, and a recursion for the names that are close to one of thousands of letters.
    except (flags.Error, ValueError, RecursionError) as error:
        message = "a flag is not known" if isinstance(error, RecursionError) else str(error)
        print(f"{_in_bounds(message)}\nPass --helpfull to see all flags.", file=sys.stderr)
        sys.exit(1)
