"""Failures outside of this program in words: the disk is full, another process of the run has gone."""

import contextlib
import errno
import os
import sys
from collections.abc import Iterator

import tensorflow as tf

from enas_tf.errors import InputError
from enas_tf.runtime import cluster

#: Numbers of the errors of a full disk, and of a quota that is used up.
_FULL = (errno.ENOSPC, errno.EDQUOT)
#: What TensorFlow says in every process that is left when one has gone.
_ABORTED = "Collective ops is aborted"


@contextlib.contextmanager
def named_failures() -> Iterator[None]:
    """Say in words what has failed outside of this program.

    Raises:
      InputError: the disk is full, by an error of Python or of TensorFlow.
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
        raise
    except OSError as error:
        _name_full_disk(error)
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
