"""A run on several devices, from the command line to the exported child."""

import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

#: A search on two logical devices, in a process of its own: what other tests have traced is of no matter there.
TWO_DEVICES = """
import runpy
import tensorflow as tf
(cpu,) = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
runpy.run_module("enas_tf.launch.search", run_name="__main__", alter_sys=True)
"""


@pytest.mark.slow
def test_search_to_export_on_two_devices(search_flags, tmp_path):
    """What comes out is an ordinary child."""
    flags = [flag for flag in search_flags if flag != "--deterministic"]
    flags += ["--workdir=run", "--strategy=mirrored", "--sync_batch_norm", "--batch_size=32"]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2]), "KERAS_BACKEND": "tensorflow"}
    command = [sys.executable, "-c", TWO_DEVICES, *flags]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 replicas" in done.stdout
    child = keras.models.load_model(tmp_path / "run/child/child.keras")
    assert child(np.zeros([3, 8, 8, 1], np.uint8)).shape == (3, 10)
    metrics = json.loads((tmp_path / "run/child/metrics.json").read_text())
    assert metrics["export_max_difference"] < 1e-4
    assert 0 <= metrics["test_accuracy"] <= 1


@pytest.mark.slow
def test_search_to_export_in_mixed_precision(launch, search_flags, tmp_path):
    """The child that is kept is a float32 one, with the weights that were trained."""
    flags = (*search_flags, "--workdir=run", "--precision=mixed_float16", "--steps_per_loop=4")
    outcome = launch("search", *flags)
    assert outcome.code == 0, outcome.out + outcome.err
    child = keras.models.load_model(tmp_path / "run/child/child.keras")
    assert {layer.dtype_policy.name for layer in child.layers} == {"float32"}
    metrics = json.loads((tmp_path / "run/child/metrics.json").read_text())
    assert metrics["export_max_difference"] < 1e-4
    saved = tf.train.load_checkpoint(tf.train.latest_checkpoint(tmp_path / "run/checkpoints/retrain"))
    names = {name for name in saved.get_variable_to_shape_map() if name.startswith("objects/child/")}
    kernels = {saved.get_tensor(name).tobytes() for name in names}
    assert child.get_layer("stem_conv").get_weights()[0].tobytes() in kernels
    # A run goes on with other loops, but not with another precision.
    for stage in ("search", "retrain"):
        values = json.loads((tmp_path / f"run/checkpoints/{stage}/flags.json").read_text())
        assert values["precision"] == "mixed_float16"
        assert "steps_per_loop" not in values


def test_a_batch_that_does_not_split_is_named(launch, search_flags):
    outcome = launch("search", *search_flags, "--workdir=run", "--strategy=mirrored", "--batch_size=31")
    assert outcome.code == 2
    assert "--batch_size=31 does not split over 2 replicas" in outcome.err
