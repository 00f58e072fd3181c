"""Python and the command line run the same stages: what they leave is equal to the last bit."""

import csv
import json
import os
import subprocess
import sys

import keras
import numpy as np

from tests.stories.conftest import REPOSITORY

#: The run of `conftest.FLAGS`, called from Python as a program of its own.
PROGRAM = """
import sys
import enas_tf

search = enas_tf.ImageSearch(
    workdir=sys.argv[1], flagfile=sys.argv[2], num_layers=3, channels=4, limit_train=192, epochs=2,
    updates_per_epoch=1, samples_per_update=2, derive_samples=3, finalists=0, retrain_channels=4, retrain_epochs=2,
    deterministic=True,
)
search.search()
search.retrain()
search.export()
"""
#: Files that are equal to the last byte.
EQUAL = [
    "candidates.csv",
    "policy.jsonl",
    "architecture.json",
    "architecture.svg",
    "child/metrics.json",
    "child/labels.txt",
    "checkpoints/search/flags.json",
    "checkpoints/retrain/flags.json",
    "checkpoints/search/data.json",
]
#: What depends on the time and on the machine.
MEASURED = {"time", "images_per_second", "rewards_per_second", "seconds"}


def records(workdir):
    lines = (workdir / "metrics.jsonl").read_text().splitlines()
    return [{k: v for k, v in json.loads(line).items() if k not in MEASURED} for line in lines]


def test_a_run_from_python_equals_that_of_the_command_line(finished, tmp_path):
    workdir = tmp_path / "python"
    command = [sys.executable, "-c", PROGRAM, str(workdir), str(REPOSITORY / "flags/digits_macro.flags")]
    ran = subprocess.run(
        command, env=os.environ | {"PYTHONPATH": str(REPOSITORY)}, cwd=tmp_path, capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout == "", "nothing is printed"
    for name in EQUAL:
        assert (workdir / name).read_bytes() == (finished / name).read_bytes(), name
    pages = [(place / "report.html").read_text() for place in (workdir, finished)]
    assert pages[0].count("<svg") == pages[1].count("<svg") > 5
    assert len(list(csv.reader((workdir / "candidates.csv").open()))) > 1
    assert records(workdir) == records(finished)
    ours, theirs = (keras.models.load_model(place / "child/child.keras") for place in (workdir, finished))
    assert len(ours.weights) == len(theirs.weights) > 0
    for one, other in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert sorted((workdir / "run.flags").read_text().splitlines()) == sorted(
        (finished / "run.flags").read_text().splitlines()
    )
