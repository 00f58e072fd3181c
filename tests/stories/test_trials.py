"""A search whose architectures are trained from scratch, from the first trial to the best of two children."""

import csv
import fcntl
import importlib.util
import json
import os
import pty
import random
import re
import shutil
import signal
import subprocess
import sys
import termios
import threading
import time
from pathlib import Path

import pytest

from enas_tf.spaces.architectures import read_architecture

ROOT = Path(__file__).parents[2]
FLAGS = (
    f"--flagfile={ROOT / 'flags' / 'digits_random_scratch.flags'}",
    "--num_layers=3",
    "--channels=4",
    "--limit_train=64",
    "--trials=5",
    "--trial_epochs=2",
    "--halving=2",
    "--parallel=2",
    "--retrain_channels=4",
    "--retrain_epochs=1",
    "--retrain_restart_epochs=1",
    "--deterministic",
)
#: Trials of processes that share two cores have a thread each; so have those of the search itself.
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT), "TF_NUM_INTRAOP_THREADS": "1", "OMP_NUM_THREADS": "1"}


def start(workdir: Path, *flags: str) -> subprocess.Popen:
    """The search as a process of its own; what it prints goes to a file beside `workdir`."""
    with workdir.with_suffix(".log").open("a") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "enas_tf.launch.search", *FLAGS, f"--workdir={workdir}", *flags],
            env=ENVIRONMENT,
            cwd=workdir.parent,
            stdout=log,
            stderr=log,
        )


def finish(workdir: Path, *flags: str) -> None:
    code = start(workdir, *flags).wait()
    assert code == 0, workdir.with_suffix(".log").read_text()


def trials(workdir: Path) -> list[dict]:
    """Every line of the ledger without what differs from place to place, the finished ones in their order."""
    lines = [json.loads(line) for line in (workdir / "trials.jsonl").read_text().splitlines()]
    differs = {"device", "seconds", "starting", "validating"}
    found = [{key: value for key, value in line.items() if key not in differs} for line in lines]
    return sorted(found, key=lambda line: (line.get("id", -1), line.get("status") != "waiting"))


def assert_same_end(workdir: Path, other: Path) -> None:
    assert trials(workdir) == trials(other), "nothing is lost, and nothing is there twice"
    for name in ("candidates.csv", "architecture.json"):
        assert (workdir / name).read_text() == (other / name).read_text()


@pytest.fixture(scope="module")
def searched(tmp_path_factory) -> Path:
    """A search that was never stopped. Stories read it and leave it as it is.

    Its trials are bit for bit those of others with as many threads each.
    """
    workdir = tmp_path_factory.mktemp("scratch") / "run"
    finish(workdir, "--executor=processes")
    return workdir


def test_a_search_from_scratch_leaves_its_trials_and_candidates(searched):
    """Each architecture is trained for an epoch, and one in two for another."""
    lines = trials(searched)
    waiting = [line for line in lines if line.get("status") == "waiting"]
    done = [line for line in lines if line.get("status") == "done"]
    assert len(waiting) == len(done)
    assert sum(line["budgets"] == [1] for line in waiting) == 5
    assert sum(line["budgets"] == [1, 2] for line in waiting) == 2
    for line in map(json.loads, (searched / "trials.jsonl").read_text().splitlines()):
        if line.get("status") == "done":
            assert 0 < line["starting"] < line["starting"] + line["validating"] < line["seconds"]
    rows = list(csv.DictReader((searched / "candidates.csv").open()))
    assert list(rows[0]) == ["rank", "arc", "valid_accuracy", "epochs", "parameters", "flops"]
    assert [row["epochs"] for row in rows] == ["2"] * 2 + ["1"] * (len(rows) - 2)
    arcs = {line["arc"] for line in waiting}
    for row in rows:
        assert row["arc"] in arcs
        architecture = read_architecture(f"{searched / 'candidates.csv'}#{row['rank']}", "macro")
        assert architecture.to_arc() == row["arc"]
    assert json.loads((searched / "architecture.json").read_text())["arc"] == rows[0]["arc"]
    assert "\x1b" not in searched.with_suffix(".log").read_text(), "bars and rows are for terminals"
    phases = [json.loads(line)["phase"] for line in (searched / "metrics.jsonl").read_text().splitlines()]
    assert phases == ["trial"] * 7 + ["derive"]
    assert not list((searched / "checkpoints" / "trials").glob("*"))


def test_the_best_two_are_retrained_and_one_is_called_the_best(searched, command, tmp_path):
    workdir = shutil.copytree(searched, tmp_path / "run")
    (workdir / "architecture.json").unlink()
    command("derive", f"--workdir={workdir}")
    assert (workdir / "candidates.csv").read_text() == (searched / "candidates.csv").read_text()
    said = command("retrain", f"--workdir={workdir}", "--top=2")
    rows = list(csv.DictReader((workdir / "children.csv").open()))
    candidates = list(csv.DictReader((workdir / "candidates.csv").open()))
    assert [row["rank"] for row in rows] == ["1", "2"]
    assert [row["arc"] for row in rows] == [row["arc"] for row in candidates[:2]]
    best = max(rows, key=lambda row: float(row["valid_accuracy"]))
    assert f"child_{best['rank']} is the best by valid accuracy" in said
    measured = json.loads(command("evaluate", f"--workdir={workdir / 'child_2'}").splitlines()[-1])
    assert measured["test_accuracy"] == pytest.approx(float(rows[1]["test_accuracy"]), abs=1e-6)


def stop_at(workdir: Path, number: int, num_lines: int, *flags: str) -> int:
    """Start the search, and send it the signal once the ledger has so many lines; return its exit code."""
    process, ledger = start(workdir, *flags), workdir / "trials.jsonl"
    while process.poll() is None and not (ledger.exists() and ledger.read_bytes().count(b"\n") >= num_lines):
        time.sleep(0.01)
    process.send_signal(number)
    return process.wait()


def interrupt_in_a_trial(workdir: Path, *flags: str) -> tuple[int, float, str]:
    """Run the search on a terminal, and type Ctrl-C while it shows a trial that trains.

    Returns:
      The exit code, the seconds until it came, and what the terminal was sent.
    """
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "enas_tf.launch.search", *FLAGS, f"--workdir={workdir}", *flags],
        env=ENVIRONMENT | {"COLUMNS": "100", "TERM": "xterm"},
        cwd=workdir.parent,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )
    os.close(theirs)
    watchdog = threading.Timer(300, process.kill)
    watchdog.start()
    shown, typed = "", 0.0
    while part := read(ours):
        shown += part
        if not typed and re.search(r"1  layers: .*\d\.\d/900000 epochs", shown):
            typed = time.monotonic()
            os.write(ours, b"\x03")
    code = process.wait()
    watchdog.cancel()
    os.close(ours)
    assert typed, shown[-2000:]
    return code, time.monotonic() - typed, shown


def read(descriptor: int) -> str:
    """Return what the other end of a terminal has written; nothing at its end."""
    try:
        return os.read(descriptor, 65536).decode(errors="replace")
    except OSError:
        return ""


@pytest.mark.parametrize("executor", ["serial", pytest.param("processes", marks=pytest.mark.slow)])
def test_ctrl_c_in_a_trial_does_not_wait_for_its_end(tmp_path, executor):
    """The trial would take hours. The ledger has it without a result, so that the same command begins it again."""
    workdir = tmp_path / "run"
    flags = (f"--executor={executor}", "--trial_epochs=900000", "--halving=0")
    code, seconds, shown = interrupt_in_a_trial(workdir, *flags)
    assert (code, seconds < 60) == (42, True), shown[-2000:]
    assert "stopped by SIGINT: the same command resumes" in shown
    assert [line["status"] for line in trials(workdir)[1:]] == ["waiting"] * 2


@pytest.mark.slow
def test_a_driver_that_is_killed_ends_the_same(searched, tmp_path):
    workdir = tmp_path / "run"
    assert stop_at(workdir, signal.SIGKILL, 6, "--executor=processes") == -signal.SIGKILL
    finish(workdir, "--executor=processes")
    assert_same_end(workdir, searched)


@pytest.mark.slow
@pytest.mark.parametrize("executor", ["serial", "processes"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_a_driver_that_a_signal_stops_says_so_and_ends_the_same(searched, tmp_path, executor, number):
    workdir = tmp_path / "run"
    assert stop_at(workdir, number, 6, f"--executor={executor}") == 42
    assert f"stopped by {number.name}: the same command resumes" in workdir.with_suffix(".log").read_text()
    finish(workdir, f"--executor={executor}")
    assert_same_end(workdir, searched)


NEEDS_RAY = pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed")


@pytest.mark.slow
@pytest.mark.parametrize("executor", ["processes", pytest.param("ray", marks=NEEDS_RAY)])
def test_a_driver_that_is_killed_at_twelve_moments_ends_the_same(searched, tmp_path, executor):
    workdir, moments = tmp_path / "run", random.Random(0)
    for _ in range(12):
        process, begin = start(workdir, f"--executor={executor}"), time.monotonic()
        seconds = moments.uniform(2, 25)
        while process.poll() is None and time.monotonic() - begin < seconds:
            time.sleep(0.05)
        process.kill()
        assert process.wait() in (0, -signal.SIGKILL), workdir.with_suffix(".log").read_text()
    finish(workdir, f"--executor={executor}")
    assert_same_end(workdir, searched)
