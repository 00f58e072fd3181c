"""Two processes that share a run, by the recipe that people use: to the exported child, over a signal."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pytest

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def start_workers(search_flags, tmp_path):
    """Starts launch/two_workers.sh with the flags of these stories; ended at the end of the test."""
    processes = []

    def start(*flags):
        with (tmp_path / "log").open("a") as log:
            process = subprocess.Popen(
                [REPOSITORY / "launch/two_workers.sh", "search", *search_flags, "--workdir=run", *flags],
                env=os.environ | {"PYTHONPATH": str(REPOSITORY), "PYTHON": sys.executable},
                cwd=tmp_path,
                stdout=log,
                stderr=log,
            )
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.terminate()
        process.wait()


@pytest.mark.slow
def test_two_workers_are_stopped_and_go_on_to_an_exported_child(start_workers, tmp_path):
    process = start_workers()
    while process.poll() is None and not (tmp_path / "run/checkpoints/search/ckpt-1.index").exists():
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    begin = time.monotonic()
    assert process.wait() == 42, (tmp_path / "log").read_text()[-4000:]
    assert time.monotonic() - begin < 30
    assert start_workers().wait() == 0, (tmp_path / "log").read_text()[-4000:]
    assert "2 replicas in 2 processes" in (tmp_path / "log").read_text()
    records = [json.loads(line) for line in (tmp_path / "run/metrics.jsonl").read_text().splitlines()]
    epochs = [(record["phase"], record["epoch"]) for record in records]
    assert len(set(epochs)) == len(epochs) == 8, "two of search, controller and retrain, one of derive and test"
    child = keras.models.load_model(tmp_path / "run/child/child.keras")
    assert child(np.zeros([3, 8, 8, 1], np.uint8)).shape == (3, 10)
    assert json.loads((tmp_path / "run/child/metrics.json").read_text())["export_max_difference"] < 1e-4


def test_a_process_that_does_not_come_is_missed(search_flags, tmp_path, unused_ports):
    workers = [f"127.0.0.1:{port}" for port in unused_ports]
    config = {"cluster": {"worker": workers}, "task": {"type": "worker", "index": 0}}
    alone = subprocess.run(
        [sys.executable, "-m", "enas_tf.launch.search", *search_flags, "--workdir=run"],
        env=os.environ
        | {"PYTHONPATH": str(REPOSITORY), "TF_CONFIG": json.dumps(config), "ENAS_TF_JOINING_SECONDS": "8"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert alone.returncode == -signal.SIGKILL, alone.stderr[-2000:]
    assert f"not all processes have come within 8 seconds: expected one at each of {', '.join(workers)}" in alone.stderr
    assert not (tmp_path / "run").exists()


def test_what_is_done_alone_waits_for_nobody(finished, command, monkeypatch):
    """In a shell that still has TF_CONFIG."""
    config = {"cluster": {"worker": ["127.0.0.1:1", "127.0.0.1:2"]}, "task": {"type": "worker", "index": 0}}
    monkeypatch.setenv("TF_CONFIG", json.dumps(config))
    assert "test_accuracy" in command("evaluate", f"--workdir={finished}")
