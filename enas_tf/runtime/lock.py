"""The lock of a directory: one process at a time writes there.

The lock is a file with the host and the process that hold it. On one host, and where the file system passes such locks
on to others, `flock` decides: the system lets go of it when a process ends, however it ends. Elsewhere the process id
decides, and for another host the age of the file, which the process that holds it touches from time to time.
"""

import atexit
import contextlib
import errno
import fcntl
import json
import os
import socket
import threading
import time
from pathlib import Path
from typing import Any

from enas_tf.errors import InputError, ref

NAME = ".lock"
#: Seconds between two signs of life, and after which a process of another host without any is taken for dead.
HEARTBEAT, PATIENCE = 10, 60
#: What `flock` says where the file system knows no locks.
_UNSUPPORTED = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL)


class Lock:
    """A lock that this process holds, until it ends or calls `release`.

    Attributes:
      predecessor: the process that held it before and has gone without a word, in words; empty without one.
    """

    def __init__(self, path: Path, descriptor: int, predecessor: str):
        self.path, self.predecessor = path, predecessor
        self._descriptor, self._released = descriptor, threading.Event()
        owner = {"host": socket.gethostname(), "pid": os.getpid(), "start": time.strftime("%Y-%m-%d %H:%M:%S")}
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(owner).encode(), 0)
        threading.Thread(target=self._show_life, name="lock", daemon=True).start()
        atexit.register(self.release)

    def _show_life(self) -> None:
        while not self._released.wait(HEARTBEAT):
            with contextlib.suppress(OSError):
                os.utime(self.path)

    def release(self) -> None:
        """Let others write."""
        if not self._released.is_set():
            self._released.set()
            # Removed first: another process may hold the lock from the moment when the file is closed.
            self.path.unlink(missing_ok=True)
            os.close(self._descriptor)
            _held.pop(self.path, None)
            atexit.unregister(self.release)


#: Path -> lock, of this process.
_held: dict[Path, Lock] = {}


def lock_directory(directory: Path) -> Lock:
    """Lock `directory`, or return the lock that this process has on it already.

    Raises:
      InputError: another process holds it.
    """
    path = directory.resolve() / NAME
    if path in _held:
        return _held[path]
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            predecessor = _take(path, descriptor)
            # The process that held the lock may have removed the file after it was opened here.
            if _is_there(path, descriptor):
                _held[path] = Lock(path, descriptor, predecessor)
                return _held[path]
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _is_there(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(os.stat(path), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _take(path: Path, descriptor: int) -> str:
    """Return the process that held the open lock before and has gone, in words; raise `InputError` if one holds it."""
    is_free = is_certain = True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        is_certain = error.errno not in _UNSUPPORTED
        is_free = not is_certain
    owner = _read_owner(descriptor)
    is_local = owner.get("host") == socket.gethostname()
    if is_free and owner and not (is_certain and is_local):
        is_free = not (_is_running(owner["pid"]) if is_local else _is_fresh(descriptor))
    words = f"process {owner['pid']} on {owner['host']} since {owner['start']}" if owner else ""
    if not is_free:
        raise InputError(
            f"{path.parent} is being written by another process ({words or 'it has just begun'}): expected one at a "
            f"time. Wait for it or stop it, or choose another {ref('workdir')}. The lock of a process that has gone is "
            f"taken over, that of one on another host after {PATIENCE} seconds."
        )
    return words


def _read_owner(descriptor: int) -> dict[str, Any]:
    """Return host, process id and start of the process in an open lock; empty for a new or damaged one."""
    try:
        owner = json.loads(os.pread(descriptor, 4096, 0))
        return {"host": str(owner["host"]), "pid": int(owner["pid"]), "start": str(owner["start"])}
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return {}


def _is_running(pid: int) -> bool:
    """Return whether a process of this host runs."""
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:  # It is another user's.
        return True
    return True


def _is_fresh(descriptor: int) -> bool:
    """Return whether the process in an open lock has shown a sign of life lately."""
    return time.time() - os.fstat(descriptor).st_mtime < PATIENCE
