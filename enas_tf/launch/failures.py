"""Failures outside of this program in words: the disk is full, a file cannot be used, another process has gone."""

import contextlib
import errno
import os
import sys
from collections.abc import Iterator

import tensorflow as tf

from enas_tf.errors import InputError
from enas_tf.experiments.memory import is_out_of_memory
from enas_tf.options import shorten
from enas_tf.runtime import cluster

#: Numbers of the errors of a full disk, and of a quota that is used up.
_FULL = (errno.ENOSPC, errno.EDQUOT)
#: What TensorFlow says in every process that is left when one has gone.
_ABORTED = "Collective ops is aborted"


@contextlib.contextmanager
def named_failures() -> Iterator[None]:
    """Say in words what has failed outside of this program.

    Raises:
      InputError: the disk is full or the memory does not suffice, by an error of Python or of TensorFlow; or the system
        refuses to open, write or remove a file.
      SystemExit: another process has gone, with 1: nothing is wrong with the input.
    """
    try:
        yield
    except tf.errors.OpError as error:
        if cluster.num_workers() > 1 and _ABORTED in str(error):
            print(
                "another process of the run has gone: its own last lines say why. What was saved before is whole, and "
                "the same command on all hosts resumes the run.",
                file=sys.stderr,
            )
            raise SystemExit(1) from error
        _name_full_disk(error)
        _name_full_memory(error)
        raise
    except MemoryError as error:
        _name_full_memory(error)
    except OSError as error:
        _name_full_disk(error)
        _name_file(error)
        raise


def _name_full_disk(error: Exception) -> None:
    """Raise an `InputError` that says so when `error` is that of a full disk."""
    number, text = getattr(error, "errno", None), str(error)
    if number not in _FULL and not any(os.strerror(full) in text for full in _FULL):
        return
    name = getattr(error, "filename", None)
    place = f" ({name})" if name else ""
    raise InputError(
        f"the disk is full{place}: expected room for checkpoints and logs. What was saved before is whole; free some "
        "space, and the same command resumes the run."
    ) from error


def _name_full_memory(error: Exception) -> None:
    """Raise an `InputError` that says so when `error` is that of memory which no stage has named."""
    if is_out_of_memory(error):
        line = shorten(str(error).strip().partition("\n")[0], 200)
        raise InputError(
            f"there is not enough memory ({line or type(error).__name__}): expected smaller networks, batches or data, "
            "or a device with more memory. What was saved before is whole."
        ) from error


def _name_file(error: OSError) -> None:
    """Raise an `InputError` that says so when `error` is about a file."""
    if error.filename is not None and error.strerror:
        path = os.path.abspath(os.fsdecode(error.filename)) if not isinstance(error.filename, int) else error.filename
        raise InputError(
            f"{shorten(path, 300)} cannot be used ({error.strerror}): expected a file or a directory that can be read "
            "and written. Grant permission, move away what is in its place, or choose another place."
        ) from error
