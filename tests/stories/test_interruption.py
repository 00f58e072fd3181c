"""Law 6: a run that is killed at any moment and started again ends as one that was never stopped, to the last bit."""

import json
import random
import signal
import time

import keras
import numpy as np
import pytest


def results(workdir):
    """What two runs are compared by: the architecture, the candidates and the child's weights, statistics included."""
    weights = keras.models.load_model(workdir / "child/child.keras").get_weights()
    texts = [(workdir / name).read_text() for name in ("architecture.json", "candidates.csv", "policy.jsonl")]
    return *texts, weights


def numbers(workdir):
    """The records of metrics.jsonl without what depends on the clock."""
    clocks = ("time", "images_per_second", "rewards_per_second")
    records = [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]
    return [{name: value for name, value in record.items() if name not in clocks} for record in records]


def assert_equal(workdir, finished):
    for mine, its in zip(results(workdir), results(finished), strict=True):
        if isinstance(mine, list):
            assert len(mine) == len(its)
            for weight, expected in zip(mine, its, strict=True):
                np.testing.assert_array_equal(weight, expected)
        else:
            assert mine == its
    assert numbers(workdir) == numbers(finished)


@pytest.mark.slow
def test_killed_between_two_epochs(finished, search, kill, tmp_path):
    workdir = tmp_path / "run"
    code = kill(workdir, lambda: (workdir / "checkpoints/search/ckpt-1.index").exists())
    assert code == -signal.SIGKILL, "it should not have ended"
    assert not (workdir / "architecture.json").exists()
    assert search(workdir) == 0, workdir.with_suffix(".log").read_text()
    assert ": taken over from process" in workdir.with_suffix(".log").read_text()
    assert_equal(workdir, finished)


def test_a_signal_saves_and_leaves_within_seconds(finished, search, kill, tmp_path):
    """In the search and in the retraining, of which the epochs are never done twice."""
    workdir = tmp_path / "run"
    for path, number in (
        ("checkpoints/search/ckpt-1.index", signal.SIGINT),
        ("checkpoints/retrain/ckpt-1.index", signal.SIGUSR1),
    ):
        begin = []

        def is_time(path=path, begin=begin):
            if (workdir / path).exists():
                begin.append(time.monotonic())
            return bool(begin)

        assert kill(workdir, is_time, number) == 42, workdir.with_suffix(".log").read_text()
        assert time.monotonic() - begin[0] < 30, "a step and a checkpoint, on a machine that others use too"
    log = workdir.with_suffix(".log").read_text()
    for word in ("stopped by SIGINT", "stopped by SIGUSR1", "search: resumes in epoch 2 of 2"):
        assert word in log
    assert "Traceback" not in log
    assert search(workdir) == 0, workdir.with_suffix(".log").read_text()
    assert "search: finished, all 2 epochs are done" in workdir.with_suffix(".log").read_text()
    assert_equal(workdir, finished)
    assert not [path for path in workdir.rglob("*") if "_temp" in path.name or path.name == ".lock"]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
def test_killed_at_any_moments(finished, search, kill, tmp_path, seed):
    """Two kills, at random moments after the run has begun to write, then a run to the end."""
    workdir, moments = tmp_path / "run", random.Random(seed)
    for _ in range(2):
        begin, patience = [], moments.uniform(0, 15)

        def is_time(begin=begin, patience=patience):
            if not begin and (workdir / "environment.json").exists():
                begin.append(time.monotonic())
            return bool(begin) and time.monotonic() - begin[0] > patience

        kill(workdir, is_time)
    assert search(workdir) == 0, workdir.with_suffix(".log").read_text()
    assert_equal(workdir, finished)


@pytest.mark.slow
@pytest.mark.parametrize(
    "path", ["candidates.csv", "architecture.json", "checkpoints/retrain/ckpt-1.index", "child/child.keras",
             "child/metrics.json", "child/saved_model"]
)  # fmt: skip
def test_killed_as_soon_as_a_file_appears(finished, search, kill, tmp_path, path):
    """The seams between stages, where half of the files of a step are there."""
    workdir = tmp_path / "run"
    kill(workdir, (workdir / path).exists)
    assert search(workdir) == 0, workdir.with_suffix(".log").read_text()
    assert_equal(workdir, finished)
