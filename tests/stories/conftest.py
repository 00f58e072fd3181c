"""One small run on the digits through the real command line, which several stories look at."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
FLAGS = (
    f"--flagfile={REPOSITORY / 'flags' / 'digits_macro.flags'}",
    "--num_layers=3",
    "--channels=4",
    "--limit_train=192",
    "--epochs=2",
    "--updates_per_epoch=1",
    "--samples_per_update=2",
    "--derive_samples=3",
    "--retrain_channels=4",
    "--retrain_epochs=2",
    "--deterministic",
    "--then=retrain,export",
)


def start_search(workdir: Path, *flags: str) -> subprocess.Popen:
    """The search of this folder as a process of its own; what it prints goes to a file beside `workdir`."""
    with workdir.with_suffix(".log").open("a") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "enas_tf.launch.search", *FLAGS, f"--workdir={workdir}", *flags],
            env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
            cwd=workdir.parent,
            stdout=log,
            stderr=log,
        )


def finish_search(workdir: Path, *flags: str) -> int:
    """Runs the search to its end; the exit code."""
    return start_search(workdir, *flags).wait()


def kill_search(workdir: Path, is_time: Callable[[], bool]) -> bool:
    """Starts the search and kills it once `is_time()`; whether it was still running then."""
    process = start_search(workdir)
    while process.poll() is None and not is_time():
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    return process.wait() == -signal.SIGKILL


@pytest.fixture(scope="session")
def finished(tmp_path_factory) -> Path:
    """The workdir of a run that was never stopped. Stories read it and leave it as it is."""
    workdir = tmp_path_factory.mktemp("finished") / "run"
    code = finish_search(workdir)
    assert code == 0, workdir.with_suffix(".log").read_text()
    return workdir


@pytest.fixture(scope="session")
def search() -> Callable[..., int]:
    return finish_search


@pytest.fixture(scope="session")
def kill() -> Callable[[Path, Callable[[], bool]], bool]:
    return kill_search
