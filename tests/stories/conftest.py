"""One small run on the digits through the real command line, which several stories look at, and what others run."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
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
    "--finalists=0",
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


def kill_search(workdir: Path, is_time: Callable[[], bool], number: int = signal.SIGKILL) -> int:
    """Starts the search and sends it the signal once `is_time()`; its exit code."""
    process = start_search(workdir)
    while process.poll() is None and not is_time():
        time.sleep(0.01)
    process.send_signal(number)
    return process.wait()


@pytest.fixture(scope="session")
def finished(tmp_path_factory) -> Path:
    """The workdir of a run that was never stopped. Stories read it and leave it as it is."""
    workdir = tmp_path_factory.mktemp("finished") / "run"
    code = finish_search(workdir)
    assert code == 0, workdir.with_suffix(".log").read_text()
    return workdir


@pytest.fixture(scope="session")
def command() -> Callable[..., str]:
    """`command("evaluate", "--workdir=...")` in a process of its own; what it prints. It has to end well."""

    def run(name: str, *arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", f"enas_tf.launch.{name}", *arguments],
            env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


#: Puts the logits of both files of a child for some images into the file that the second argument names.
LOADING = """
import sys
try:
    import enas_tf
    sys.exit("enas_tf should not be importable here")
except ImportError:
    pass
import keras, numpy as np, tensorflow as tf
images = np.random.default_rng(0).integers(0, 17, (16, 8, 8, 1)).astype(np.float32)
child = keras.models.load_model(sys.argv[1] + "/child.keras")
loaded = tf.saved_model.load(sys.argv[1] + "/saved_model")
served = loaded.signatures["serving_default"](tf.constant(images))["logits"]
np.savez(sys.argv[2], images=images, child=child(images), saved_model=loaded.serve(images), signature=served)
"""


@pytest.fixture
def load_elsewhere(tmp_path) -> Callable[[Path], dict[str, np.ndarray]]:
    """`load_elsewhere(workdir)`: images of digits and a child's logits for them, where enas_tf cannot be imported."""

    def load(workdir: Path) -> dict[str, np.ndarray]:
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        # An installed copy is out of the way with the name blocked.
        (tmp_path / "enas_tf.py").write_text("raise ImportError")
        script = f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n{LOADING}"
        arguments = [sys.executable, "-c", script, str(workdir / "child"), str(tmp_path / "logits.npz")]
        done = subprocess.run(arguments, cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        with np.load(tmp_path / "logits.npz") as logits:
            return dict(logits)

    return load


@pytest.fixture(scope="session")
def search_flags() -> tuple[str, ...]:
    return FLAGS


@pytest.fixture(scope="session")
def search() -> Callable[..., int]:
    return finish_search


@pytest.fixture(scope="session")
def kill() -> Callable[..., int]:
    return kill_search
