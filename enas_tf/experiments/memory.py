"""Memory that does not suffice: one message says what was being built, and which options make it smaller."""

import contextlib
import errno
import os
import re
from collections.abc import Iterator

import tensorflow as tf

from enas_tf.errors import InputError, ref
from enas_tf.experiments.config import RunOptions
from enas_tf.options import shorten

#: Options that decide how much memory a run takes, those that cost the least quality first.
_OPTIONS = {
    "data": ("limit_train", "image_size"),
    "search": ("batch_size", "bptt", "channels", "units", "cells_per_stage", "num_layers", "cell_blocks", "image_size"),
    "retrain": (
        "retrain_batch_size",
        "retrain_bptt",
        "retrain_channels",
        "retrain_units",
        "retrain_cells_per_stage",
        "image_size",
    ),
}
_SHAPE = re.compile(r"shape ?[\[(]([\d, ]+)[\])](?: and type (\w+))?")
_FULL = tuple(os.strerror(number) for number in (errno.ENOSPC, errno.EDQUOT))


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether `error` says that memory does not suffice; TensorFlow names a full disk by the same type."""
    if isinstance(error, tf.errors.ResourceExhaustedError):
        return not any(words in str(error) for words in _FULL)
    return isinstance(error, MemoryError)


@contextlib.contextmanager
def enough_memory(what: str, part: str, options: RunOptions) -> Iterator[None]:
    """Say in words when the memory does not suffice for the block.

    Args:
      what: what is built or computed in the block.
      part: "data", "search" or "retrain", which decides what options are named.
      options: those of the run.

    Raises:
      InputError: there is not enough memory.
    """
    try:
        yield
    except (MemoryError, tf.errors.ResourceExhaustedError) as error:
        if not is_out_of_memory(error):
            raise
        values = options.option_values()
        names = [name for name in _OPTIONS[part] if name in values]
        shown = [ref(name) + (f"={values[name]}" if values[name] is not None else "") for name in names]
        raise InputError(
            f"there is not enough memory for {what}{_size(str(error))}: expected less at once. Lower "
            f"{' or '.join(shown)}, or use a device with more memory. What was saved before is whole."
        ) from error


def _size(message: str) -> str:
    """Return the size that an error names, in words; what it says itself where it names none."""
    match = _SHAPE.search(message)
    if match:
        return (
            f" (a tensor of shape [{match[1].rstrip(', ')}]{f' and type {match[2]}' if match[2] else ''} did not fit)"
        )
    line = shorten(message.strip().partition("\n")[0], 120)
    return f" ({line})" if line else ""
