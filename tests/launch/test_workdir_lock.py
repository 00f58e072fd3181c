"""One process at a time writes in a workdir; those that only read it need no lock."""

import json
import os
import socket
import subprocess
import sys

import pytest

from enas_tf.experiments.config import read_options
from enas_tf.experiments.run import Run
from enas_tf.runtime.chief import set_chief
from enas_tf.runtime.lock import NAME

HOLD = "import pathlib, sys, time; from enas_tf.runtime.lock import lock_directory; "
HOLD += "held = lock_directory(pathlib.Path(sys.argv[1])); print('held', flush=True); time.sleep(60)"


@pytest.fixture
def other(run_directory):
    """Another process that writes in the workdir."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    command = [sys.executable, "-c", HOLD, str(run_directory)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()


@pytest.mark.parametrize(
    ("launcher", "arguments"),
    [
        ("search", ["--flagfile=run/run.flags"]),
        ("search", ["--flagfile=run/run.flags", "--overwrite"]),
        ("derive", []),
        ("retrain", []),
        ("retrain", ["--overwrite", "--epochs=7"]),
        ("export", []),
    ],
)
def test_what_writes_is_refused_at_once(other, refuse, launcher, arguments):
    words = [f"process {other.pid} on {socket.gethostname()}", "Wait for it or stop it", "choose another --workdir"]
    refuse(launcher, ["--workdir=run", *arguments], words)


@pytest.mark.parametrize("command", [["evaluate"], ["evaluate", "--weights=shared"], ["describe"]])
@pytest.mark.usefixtures("other")
def test_what_reads_is_not(launch, command):
    outcome = launch(*command, "--workdir=run")
    assert outcome.code == 0, outcome.err


def test_the_lock_of_a_process_that_has_gone_is_taken_over_with_one_line(run_directory, launch):
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    owner = {"host": socket.gethostname(), "pid": process.pid, "start": "2024-01-01 12:00:00"}
    (run_directory / NAME).write_text(json.dumps(owner))
    outcome = launch("derive", "--workdir=run", "--derive_samples=1")
    assert outcome.code == 0, outcome.err
    assert f"taken over from process {process.pid} on {socket.gethostname()}" in outcome.out
    assert not (run_directory / NAME).exists()


def test_of_several_processes_of_a_run_the_chief_alone_locks(run_directory, other, monkeypatch):
    with Run(read_options({}), run_directory) as run:
        set_chief(False)
        try:
            run.lock()
        finally:
            set_chief(True)


def test_a_run_that_fails_lets_go_of_its_lock(run_directory, launch):
    assert launch("search", "--flagfile=run/run.flags", "--workdir=run", "--seed=3").code == 2
    assert not (run_directory / NAME).exists()
