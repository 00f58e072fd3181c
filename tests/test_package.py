"""The names of the package: they are loaded when they are used, and the import alone does nothing."""

import importlib
import subprocess
import sys
from pathlib import Path

import keras
import pytest

import enas_tf
import enas_tf.api

SCRIPT = """
import sys, time
begin = time.perf_counter()
import enas_tf
seconds = time.perf_counter() - begin
assert not {"tensorflow", "keras", "numpy"} & set(sys.modules), "nothing heavy is imported"
assert seconds < 1, seconds
assert {"ImageSearch", "TextSearch"} <= set(dir(enas_tf))
enas_tf.ImageSearch
from absl import flags
assert "epochs" not in flags.FLAGS
"""


def test_importing_the_package_is_fast_and_does_nothing():
    environment = {"TF_CPP_MIN_LOG_LEVEL": "3", "PATH": "", "PYTHONPATH": str(Path(enas_tf.__file__).parents[1])}
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""


def test_every_name_is_there():
    for name in enas_tf.__all__:
        assert getattr(enas_tf, name).__name__ == name
        assert getattr(enas_tf, name).__doc__
    assert not hasattr(enas_tf, "VideoSearch")


def test_another_backend_of_keras_is_refused_in_words(monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(ImportError, match=r"enas_tf trains with tf\.function, and Keras runs on jax here"):
        importlib.reload(enas_tf.api)
