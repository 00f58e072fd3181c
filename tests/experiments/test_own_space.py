"""A space from a file outside of the package: one import, and every stage works with it."""

import json
from pathlib import Path

import pytest

from enas_tf import registry
from enas_tf.models.networks import NETWORKS
from enas_tf.spaces.space import SPACES

FILE = Path(__file__).parent / "own_space.py"
SIZE = ("--dataset=digits", "--limit_train=64", "--batch_size=32", "--epochs=1", "--updates_per_epoch=1")


@pytest.fixture
def forgotten(monkeypatch):
    """Forget the space when the test is over."""
    monkeypatch.setattr(registry, "_imported", [])
    yield
    for kind in (SPACES, NETWORKS):
        if "stack" in kind:
            kind.remove("stack")


@pytest.fixture
def launch_again(launch, monkeypatch, own_flags):
    """`launch` several times within a test: the flags of the one before are forgotten."""

    def run(*arguments):
        outcome = launch(*arguments)
        for name in list(own_flags):
            if own_flags.find_module_defining_flag(name).startswith("enas_tf"):
                delattr(own_flags, name)
        return outcome

    return run


def test_every_stage_works_with_a_space_of_the_users(launch_again, forgotten, tmp_path):
    arguments = (f"--import={FILE}", "--space=stack", "--stack_depth=2", *SIZE, "--retrain_epochs=1")
    searched = launch_again("search", "--workdir=run", *arguments, "--samples_per_update=2", "--derive_samples=5",
                            "--retrain_batch_size=32", "--then=retrain,export")  # fmt: skip
    assert searched.code == 0, searched.err
    assert "stack: 9 architectures" in searched.out
    architecture = json.loads((tmp_path / "run/architecture.json").read_text())
    assert architecture["space"] == "stack"
    assert len(architecture["activations"]) == 2
    assert f"--import={FILE.resolve()}" in (tmp_path / "run/run.flags").read_text().splitlines()
    assert (tmp_path / "run/child/saved_model/saved_model.pb").exists()
    # The flags of the workdir bring the file along.
    derived = launch_again("derive", "--workdir=run", "--derive_samples=9")
    assert derived.code == 0, derived.err
    described = launch_again("describe", "--workdir=run", "--json")
    assert described.code == 0, described.err
    assert json.loads(described.out)["arc"] == architecture["arc"]
    assert json.loads(described.out)["space_size"] == 9


def test_what_the_space_does_not_read_is_refused(launch, forgotten):
    outcome = launch("search", "--workdir=run", f"--import={FILE}", "--space=stack", "--ops=conv_3x3")
    assert outcome.code == 2
    assert "--ops=conv_3x3 belongs to the macro space, while --space=stack" in outcome.err


def test_its_options_are_refused_elsewhere(launch, forgotten):
    outcome = launch("search", "--workdir=run", f"--import={FILE}", "--stack_depth=3")
    assert outcome.code == 2
    assert "--stack_depth=3 belongs to the stack space, while --space=macro" in outcome.err


def test_a_file_that_is_not_there_is_named(launch, forgotten):
    outcome = launch("search", "--workdir=run", "--import=nowhere.py")
    assert outcome.code == 2
    assert "nowhere.py" in outcome.err
