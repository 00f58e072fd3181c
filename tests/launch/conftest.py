"""How wrong input has to end, and one small run in this process that tests copy before they damage it."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

OPTIONS = {
    "num_layers": 3,
    "channels": 4,
    "retrain_channels": 4,
    "limit_train": 64,
    "batch_size": 32,
    "epochs": 1,
    "updates_per_epoch": 0,
    "derive_samples": 2,
    "finalists": 0,
    "retrain_epochs": 1,
    "retrain_batch_size": 32,
}


def _content(directory: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(directory)): path.read_bytes()
        if path.is_file()
        else os.readlink(path).encode()
        if path.is_symlink()
        else b""
        for path in directory.rglob("*")
    }


@pytest.fixture
def content() -> Callable[[Path], dict[str, bytes]]:
    """`content(directory)`: every file below `directory` with its bytes, and every directory."""
    return _content


@pytest.fixture
def refuse(launch, tmp_path):
    """`refuse("search", [flags], words)`: it ends as wrong input has to, with all `words` in its paragraph."""

    def check(name: str, arguments: list[str], words: list[str]) -> None:
        before = _content(tmp_path)
        outcome = launch(name, *arguments)
        assert outcome.code == 2, outcome.err
        paragraphs = [line for line in outcome.err.splitlines() if line.strip()]
        assert len(paragraphs) == 1, outcome.err
        for word in words:
            assert word in paragraphs[0]
        assert len(paragraphs[0]) <= 2_000
        assert _content(tmp_path) == before

    return check


@pytest.fixture(scope="session")
def _finished(tmp_path_factory) -> Path:
    """A run from the search to the SavedModel by the Python face of the stages."""
    from enas_tf.experiments.config import read_options
    from enas_tf.experiments.export_stage import export
    from enas_tf.experiments.retrain_stage import RetrainStage
    from enas_tf.experiments.run import Run, derived_architecture
    from enas_tf.experiments.starting import start_search

    workdir = tmp_path_factory.mktemp("small") / "run"
    with Run(read_options(OPTIONS), workdir) as run:
        search = start_search(run, is_overwriting=False, is_retraining=True)
        search.search()
        search.derive(1)
        retraining = RetrainStage(run, derived_architecture(run.workdir))
        retraining.open(is_overwriting=False)
        retraining.retrain()
        export(run)
    return workdir


@pytest.fixture
def run_directory(_finished, tmp_path) -> Path:
    """A copy of a finished run, the directory `run` where launchers run; its flags are in `run/run.flags`."""
    return shutil.copytree(_finished, tmp_path / "run")
