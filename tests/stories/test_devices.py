"""A run on several devices, from the command line to the exported child."""

import json

import keras
import numpy as np


def test_search_to_export_on_two_devices(launch, search_flags, tmp_path):
    """The logical devices of the tests; what comes out is an ordinary child."""
    flags = [flag for flag in search_flags if flag != "--deterministic"]
    outcome = launch("search", *flags, "--workdir=run", "--strategy=mirrored", "--sync_batch_norm", "--batch_size=32")
    assert outcome.code == 0, outcome.out + outcome.err
    assert "2 replicas" in outcome.out
    child = keras.models.load_model(tmp_path / "run/child/child.keras")
    assert child(np.zeros([3, 8, 8, 1], np.uint8)).shape == (3, 10)
    metrics = json.loads((tmp_path / "run/child/metrics.json").read_text())
    assert metrics["export_max_difference"] < 1e-4
    assert 0 <= metrics["test_accuracy"] <= 1


def test_a_batch_that_does_not_split_is_named(launch, search_flags):
    outcome = launch("search", *search_flags, "--workdir=run", "--strategy=mirrored", "--batch_size=31")
    assert outcome.code == 2
    assert "--batch_size=31 does not split over 2 replicas" in outcome.err
