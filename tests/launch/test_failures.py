"""What fails outside of the program ends in one paragraph: memory, disk, files; also where warnings are errors."""

import errno
import os
import signal
import subprocess
import sys
import warnings

import pytest
import tensorflow as tf

from enas_tf.errors import InputError
from enas_tf.launch.failures import named_failures
from enas_tf.runtime.reporting import Reporter

OOM = "OOM when allocating tensor with shape[128,64,32,32] and type float on /device:GPU:0 by allocator GPU_0_bfc"


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "metrics.jsonl"),
        tf.errors.ResourceExhaustedError(None, None, "ckpt-1.data; No space left on device"),
    ],
    ids=["python", "tensorflow"],
)
def test_a_full_disk_is_named(error):
    with pytest.raises(InputError, match="the disk is full"), named_failures():
        raise error


@pytest.mark.parametrize(
    "error", [OSError(errno.EIO, "broken"), tf.errors.DataLossError(None, None, "broken"), KeyError("broken")], ids=repr
)
def test_other_errors_stay_what_they_are(error):
    with pytest.raises(type(error)), named_failures():
        raise error


def fail_with(error):
    def fail(*args, **kwargs):
        raise error

    return fail


@pytest.mark.parametrize(
    ("place", "launcher", "arguments", "words"),
    [
        (
            "search_stage.search",
            "search",
            ["--flagfile=run/run.flags", "--overwrite"],
            ["a step of the search", "supernet", "--batch_size=32", "--channels=4", "--num_layers=3"],
        ),
        (
            "search_stage.derive",
            "derive",
            [],
            ["the rewards of derive", "--batch_size=32", "--channels=4"],
        ),
        (
            "retrain_stage.ChildTrainer",
            "retrain",
            ["--overwrite"],
            ["the child", "parameters", "--retrain_batch_size=32", "--retrain_channels=4"],
        ),
    ],
)
@pytest.mark.parametrize(
    ("error", "size"),
    [
        (tf.errors.ResourceExhaustedError(None, None, OOM), "[128,64,32,32] and type float"),
        (MemoryError("Unable to allocate 5.4 GiB for an array with shape (7, 8) and data type float64"), "[7, 8]"),
        (MemoryError(), ""),
    ],
    ids=["tensor", "array", "unknown"],
)
@pytest.mark.usefixtures("run_directory")
def test_memory_that_does_not_suffice(launch, monkeypatch, place, launcher, arguments, words, error, size):
    monkeypatch.setattr(f"enas_tf.experiments.{place}", fail_with(error))
    outcome = launch(launcher, "--workdir=run", *arguments)
    assert outcome.code == 2
    assert len(outcome.err.splitlines()) == 1
    for word in ("not enough memory for", size, *words):
        assert word in outcome.err


def test_a_full_disk_is_not_full_memory(run_directory, launch, monkeypatch):
    error = tf.errors.ResourceExhaustedError(None, None, f"run/checkpoints: {os.strerror(errno.ENOSPC)}")
    monkeypatch.setattr("enas_tf.experiments.search_stage.derive", fail_with(error))
    assert "the disk is full" in launch("derive", "--workdir=run").err


def test_data_that_do_not_fit(launch, monkeypatch):
    monkeypatch.setattr("enas_tf.tasks.classification.load_images", fail_with(MemoryError()))
    outcome = launch("search", "--workdir=run", "--limit_train=999", "--image_size=8")
    assert outcome.code == 2
    assert "not enough memory for the data: expected less at once" in outcome.err
    assert "Lower --limit_train=999 or --image_size=8" in outcome.err


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, errno.ENAMETOOLONG, errno.EIO])
def test_a_file_that_the_system_refuses(run_directory, launch, monkeypatch, number):
    monkeypatch.setattr("os.replace", fail_with(OSError(number, os.strerror(number), "run/candidates.csv")))
    outcome = launch("derive", "--workdir=run")
    assert outcome.code == 2
    assert f"{run_directory / 'candidates.csv'} cannot be used ({os.strerror(number)})" in outcome.err


def test_a_damaged_checkpoint_is_skipped_with_one_line(run_directory, launch):
    """Its predecessor is taken; with PYTHONWARNINGS=error too."""
    checkpoints = run_directory / "checkpoints/search"
    for path in checkpoints.glob("ckpt-1.*"):
        path.with_name(path.name.replace("ckpt-1", "ckpt-2")).write_bytes(path.read_bytes()[:100])
    names = "".join(f'all_model_checkpoint_paths: "ckpt-{number}"\n' for number in (1, 2))
    (checkpoints / "checkpoint").write_text(f'model_checkpoint_path: "ckpt-2"\n{names}')
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        outcome = launch("derive", "--workdir=run")
    assert outcome.code == 0, outcome.err
    (line,) = outcome.err.splitlines()
    assert line.startswith("warning: what was saved last")
    assert "ckpt-2" in line
    assert line.endswith("goes back to ckpt-1")


def test_damaged_checkpoints_end_in_one_paragraph(run_directory, refuse):
    for path in (run_directory / "checkpoints/search").glob("ckpt-*"):
        path.write_bytes(path.read_bytes()[:100])
    refuse("derive", ["--workdir=run"], ["no checkpoint that can be read", "ckpt-1", "--overwrite"])


def test_damaged_checkpoints_end_in_one_paragraph_of_a_process(run_directory, tmp_path):
    """TensorFlow's own warnings do not come before it; tests within this process cannot see them."""
    for path in (run_directory / "checkpoints/search").glob("ckpt-*"):
        path.write_bytes(path.read_bytes()[:100])
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    environment.pop("TF_CPP_MIN_LOG_LEVEL", None)
    command = [sys.executable, "-m", "enas_tf.launch.derive", "--workdir=run"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "no checkpoint that can be read" in line


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_launcher_with_its_code_and_one_line(run_directory, launch, monkeypatch, number):
    report = Reporter.block

    def interrupt(*args, **kwargs):
        report(*args, **kwargs)
        os.kill(os.getpid(), number)

    monkeypatch.setattr(Reporter, "block", interrupt)
    outcome = launch("retrain", "--workdir=run", "--overwrite")
    assert outcome.code == 42
    assert outcome.err == f"stopped by {number.name}: the same command resumes from here\n"


def test_the_second_sigint_ends_a_launcher_at_once(run_directory, launch, monkeypatch):
    def interrupt_twice(self, *args):
        with_first = signal.getsignal(signal.SIGINT)
        try:
            os.kill(os.getpid(), signal.SIGINT)
        finally:
            assert signal.getsignal(signal.SIGINT) is with_first
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(Reporter, "block", interrupt_twice)
    outcome = launch("retrain", "--workdir=run", "--overwrite")
    assert outcome.code == 130
    assert outcome.err.startswith("left at once by the second SIGINT")
    assert len(outcome.err.splitlines()) == 1


def test_an_interruption_while_modules_are_imported_prints_no_traceback(tmp_path):
    script = "import enas_tf.launch, os, signal; os.kill(os.getpid(), signal.SIGINT); import time; time.sleep(9)"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True)
    assert done.returncode == -signal.SIGINT, "a shell calls it 130"
    assert done.stderr == ""


@pytest.mark.parametrize("variable", ["SLURM_STEP_NUM_TASKS", "TF_CONFIG"])
def test_malformed_variables_of_a_cluster(refuse, run_directory, monkeypatch, variable):
    monkeypatch.setenv(variable, "two")
    refuse("search", ["--flagfile=run/run.flags", "--workdir=run"], [variable, "expected"])
