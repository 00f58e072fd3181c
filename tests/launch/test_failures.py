"""Failures outside of the program are named: a full disk; other errors stay what they are."""

import errno
import os

import pytest
import tensorflow as tf

from enas_tf.errors import InputError
from enas_tf.launch.failures import named_failures


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "metrics.jsonl"),
        tf.errors.ResourceExhaustedError(None, None, "ckpt-1.data; No space left on device"),
    ],
    ids=["python", "tensorflow"],
)
def test_a_full_disk_is_named(error):
    with pytest.raises(InputError, match="the disk is full"), named_failures():
        raise error


@pytest.mark.parametrize(
    "error", [OSError(errno.EIO, "broken"), tf.errors.DataLossError(None, None, "broken")], ids=repr
)
def test_other_errors_stay_what_they_are(error):
    with pytest.raises(type(error)), named_failures():
        raise error
