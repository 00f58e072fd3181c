"""Laws of the lock: one process writes in a directory, and a process that has gone does not keep others out."""

import errno
import fcntl
import json
import os
import socket
import subprocess
import sys
import time

import pytest

from enas_tf.errors import InputError
from enas_tf.runtime import lock
from enas_tf.runtime.lock import NAME, PATIENCE, lock_directory

HOLD = """
import sys, time
from pathlib import Path
from enas_tf.runtime.lock import lock_directory
held = lock_directory(Path(sys.argv[1]))
print("held", flush=True)
time.sleep(60)
"""


@pytest.fixture
def other(tmp_path):
    """Another process that holds the lock of `tmp_path`."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()


@pytest.fixture
def take(tmp_path):
    """Take the lock of `tmp_path`; it is released at the end of the test."""
    taken = []

    def take():
        taken.append(lock_directory(tmp_path))
        return taken[-1]

    yield take
    for held in taken:
        held.release()


def write_owner(directory, host, pid, age=0.0):
    """Write what a process leaves that could not release its lock."""
    (directory / NAME).write_text(json.dumps({"host": host, "pid": pid, "start": "2024-01-01 12:00:00"}))
    os.utime(directory / NAME, (time.time() - age,) * 2)


def ended_process() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_it_says_who_holds_it_and_leaves_nothing(tmp_path):
    held = lock_directory(tmp_path)
    owner = json.loads((tmp_path / NAME).read_text())
    assert (owner["host"], owner["pid"]) == (socket.gethostname(), os.getpid())
    held.release()
    held.release()
    assert not list(tmp_path.iterdir())


def test_a_process_that_holds_it_already_has_it(take, tmp_path):
    assert take() is take()
    assert (tmp_path / NAME).exists()


def test_a_second_process_is_refused_and_changes_nothing(other, take, tmp_path):
    before = (tmp_path / NAME).read_text()
    with pytest.raises(InputError) as refused:
        take()
    for word in (str(tmp_path), f"process {other.pid} on {socket.gethostname()}", "choose another workdir"):
        assert word in str(refused.value)
    assert (tmp_path / NAME).read_text() == before


def test_the_lock_of_a_killed_process_is_taken_over(other, take):
    other.kill()
    other.wait()
    assert take().predecessor.startswith(f"process {other.pid} on {socket.gethostname()} since ")


def test_a_lock_that_was_released_has_no_predecessor(take):
    take().release()
    assert take().predecessor == ""


@pytest.mark.parametrize("text", ["", "{", "[]", "7", '{"host": 1}', "\0\0", "[" * 4096])
def test_a_damaged_file_keeps_nobody_out(take, tmp_path, text):
    (tmp_path / NAME).write_text(text)
    assert take().predecessor == ""


def test_another_host_that_shows_life_is_waited_for(take, tmp_path):
    write_owner(tmp_path, "elsewhere", 7, age=PATIENCE / 2)
    with pytest.raises(InputError, match="process 7 on elsewhere since 2024-01-01"):
        take()


def test_another_host_without_a_sign_of_life_is_not(take, tmp_path):
    write_owner(tmp_path, "elsewhere", 7, age=PATIENCE + 10)
    assert take().predecessor == "process 7 on elsewhere since 2024-01-01 12:00:00"


def test_the_process_that_holds_it_shows_life(take, tmp_path, monkeypatch):
    monkeypatch.setattr(lock, "HEARTBEAT", 0.01)
    take()
    os.utime(tmp_path / NAME, (0, 0))
    limit = time.monotonic() + 10
    while (tmp_path / NAME).stat().st_mtime < 1 and time.monotonic() < limit:
        time.sleep(0.01)
    assert time.time() - (tmp_path / NAME).stat().st_mtime < 60


@pytest.fixture
def _no_flock(monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", refuse)


@pytest.mark.usefixtures("_no_flock")
def test_without_locks_of_the_file_system_a_running_process_keeps_others_out(take, tmp_path):
    write_owner(tmp_path, socket.gethostname(), os.getppid())
    with pytest.raises(InputError, match=f"process {os.getppid()} on"):
        take()


@pytest.mark.usefixtures("_no_flock")
def test_without_locks_of_the_file_system_an_ended_process_does_not(take, tmp_path):
    pid = ended_process()
    write_owner(tmp_path, socket.gethostname(), pid)
    assert f"process {pid} on" in take().predecessor
