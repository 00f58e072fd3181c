"""A launcher in this process for many inputs: how it ended, what it printed, what time and memory it took."""

import contextlib
import dataclasses
import io
import os
import resource
import runpy
import sys
import time
import warnings
from pathlib import Path

import pytest
from absl import flags

#: What a message may be long, in bytes; what a launcher may take, in seconds, on a machine that others use too.
MAX_MESSAGE, MAX_SECONDS = 2_000, 60
#: By how much a launcher may raise the peak memory of this process, in KiB.
MAX_MEMORY = 2 * 2**20
#: Done, absl's own errors of flags, bad input, stopped by a signal.
EXIT_CODES = (0, 1, 2, 42)


@dataclasses.dataclass(frozen=True)
class Ended:
    """How a launcher ended."""

    code: object
    out: str
    err: str
    seconds: float
    memory: int

    def check(self) -> None:
        """Hold it to the law of bad input."""
        assert self.code in EXIT_CODES, (self.code, self.err[-3000:])
        assert "Traceback" not in self.err, self.err[-3000:]
        if self.code:
            assert self.err.strip(), "nothing is said"
            assert len(self.err.encode("utf-8", "replace")) <= MAX_MESSAGE, self.err[:3000]
        assert self.seconds < MAX_SECONDS
        assert self.memory < MAX_MEMORY


def run(name: str, *arguments: str) -> Ended:
    """Run a launcher with the flags of this process forgotten before and after."""
    _forget_flags()
    out, err, begin, memory = io.StringIO(), io.StringIO(), time.monotonic(), _peak_memory()
    argv, sys.argv = sys.argv, [f"enas_tf.launch.{name}", *arguments]
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            runpy.run_module(f"enas_tf.launch.{name}", run_name="__main__")
        code: object = 0
    except SystemExit as ended:
        code = ended.code or 0
    finally:
        sys.argv = argv
        _forget_flags()
    return Ended(code, out.getvalue(), err.getvalue(), time.monotonic() - begin, _peak_memory() - memory)


def _peak_memory() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _forget_flags() -> None:
    for name in list(flags.FLAGS):
        if str(flags.FLAGS.find_module_defining_flag(name)).startswith("enas_tf"):
            delattr(flags.FLAGS, name)


def content(directory: Path) -> dict[str, bytes]:
    """Return every file below `directory` with its bytes."""
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


@pytest.fixture
def place(tmp_path, monkeypatch):
    """Work in a directory of this test."""
    import tensorflow as tf

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tf.config.experimental, "enable_op_determinism", lambda: None)
    yield tmp_path
    os.chdir("/")
