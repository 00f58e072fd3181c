"""A run says where it resumes and that it is finished, and writes itself down for any current directory."""

import contextlib
import os
import signal

import pytest

from enas_tf.errors import InputError
from enas_tf.experiments.config import read_options, to_flagfile
from enas_tf.experiments.paths import absolute_values, with_absolute_paths
from enas_tf.experiments.run import Run
from enas_tf.experiments.starting import start_search
from enas_tf.experiments.workdir import Workdir
from enas_tf.runtime.reporting import Reporter
from enas_tf.runtime.signals import Interrupted, handled_signals

OPTIONS = {"num_layers": 3, "channels": 4, "limit_train": 64, "batch_size": 32, "epochs": 2, "updates_per_epoch": 1,
           "samples_per_update": 2}  # fmt: skip


def search(workdir):
    with Run(read_options(OPTIONS), workdir) as run, handled_signals():
        start_search(run, is_overwriting=False, is_retraining=False).search()


def test_a_search_that_ctrl_c_has_stopped_says_where_it_resumes_and_then_that_it_is_finished(
    tmp_path, monkeypatch, capsys
):
    record = Reporter.record

    def interrupt(self, phase, epoch, *args, **kwargs):
        record(self, phase, epoch, *args, **kwargs)
        if phase == "search" and epoch == 1:
            os.kill(os.getpid(), signal.SIGINT)

    with monkeypatch.context() as patched:
        patched.setattr(Reporter, "record", interrupt)
        with pytest.raises(Interrupted) as left:
            search(tmp_path / "run")
    assert left.value.code == 42
    assert "resumes" not in capsys.readouterr().out
    search(tmp_path / "run")
    # Two steps of shared weights and the update after which the run was stopped.
    assert "search: resumes in epoch 2 of 2, after step 3\n" in capsys.readouterr().out
    search(tmp_path / "run")
    assert "search: finished, all 2 epochs are done\n" in capsys.readouterr().out


PATHS = {"dataset": "npz:data/mine.npz", "data_dir": "sets"}


def test_relative_paths_are_written_in_full(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = read_options(PATHS)
    lines = to_flagfile(with_absolute_paths(config)).splitlines()
    assert f"--dataset=npz:{tmp_path}/data/mine.npz" in lines
    assert f"--data_dir={tmp_path}/sets" in lines
    assert config.option_values()["dataset"] == "npz:data/mine.npz", "messages show it as it was typed"


@pytest.mark.parametrize(
    "values",
    [
        {"dataset": "digits"},
        {"dataset": "tfds:mnist", "data_dir": "gs://bucket/sets"},
        {"dataset": "folder:/data/photos", "data_dir": "~/sets"},
        {"dataset": "npz:", "data_dir": None},
        {"seed": 3},
    ],
)
def test_other_values_stay(values):
    assert absolute_values(values) == values


def test_a_run_is_the_same_from_another_directory(tmp_path, monkeypatch):
    """A workdir of an older version has relative paths; they hold where it was begun."""
    monkeypatch.chdir(tmp_path)
    workdir, written = Workdir(tmp_path / "run"), absolute_values(PATHS)
    workdir.open_stage("search", PATHS, is_overwriting=False)
    workdir.check_stage("search", written)
    workdir.open_stage("search", written, is_overwriting=False)
    (tmp_path / "other").mkdir()
    with contextlib.chdir(tmp_path / "other"):
        workdir.check_stage("search", written)
        with pytest.raises(InputError, match=r"dataset was npz:.*/data/mine.npz, is npz:.*/other/data/mine.npz"):
            workdir.check_stage("search", PATHS)
