"""Data that have changed since a stage began are noticed by every later one, and the difference is named."""

import shutil

import numpy as np
import pytest

SMALL = (
    "--num_layers=3",
    "--channels=2",
    "--retrain_channels=2",
    "--epochs=1",
    "--updates_per_epoch=0",
    "--derive_samples=1",
    "--finalists=0",
    "--batch_size=8",
    "--retrain_batch_size=8",
    "--retrain_epochs=1",
)


def write_images(path, names=("cat", "dog"), num=120, seed=0):
    """Write an npz of random images whose labels are the names of their classes."""
    random = np.random.default_rng(seed)
    labels = np.array(names)[np.arange(num) % len(names)]
    images = random.integers(0, 256, (num, 8, 8, 1), dtype=np.uint8)
    np.savez(path, x_train=images, y_train=labels, x_test=images[:10], y_test=labels[:10])


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """A directory for the finished run of the first test, which the others begin with: it takes long."""
    return tmp_path_factory.mktemp("kept")


@pytest.fixture
def run(tmp_path, launch, kept):
    """Finish a run, and return a function that runs a launcher in its workdir."""
    from absl import flags

    def again(name, *arguments):
        outcome = launch(name, "--workdir=run", *arguments)
        for flag in list(flags.FLAGS):
            if str(flags.FLAGS.find_module_defining_flag(flag)).startswith("enas_tf"):
                delattr(flags.FLAGS, flag)
        return outcome

    if not (kept / "run").exists():
        write_images(tmp_path / "mine.npz")
        outcome = again("search", "--dataset=npz:mine.npz", *SMALL, "--then=retrain")
        assert outcome.code == 0, outcome.err
        shutil.copytree(tmp_path, kept, dirs_exist_ok=True)
    shutil.copytree(kept, tmp_path, dirs_exist_ok=True)
    return again


def test_changed_data_are_named_by_every_stage(run, tmp_path):
    assert run("evaluate").code == 0
    write_images(tmp_path / "mine.npz", names=("wolf", "cat"))
    for name, *arguments in (
        ("evaluate",),
        ("export",),
        ("evaluate", "--weights=shared"),
        ("derive",),
        ("retrain",),
        ("search", "--dataset=npz:mine.npz", *SMALL),
    ):
        outcome = run(name, *arguments)
        assert outcome.code == 2, (name, outcome.err)
        assert "the data have changed since the" in outcome.err
        assert "wolf" in outcome.err
        assert "Traceback" not in outcome.err


def test_the_same_data_elsewhere_and_other_data_by_option_pass(run, tmp_path):
    write_images(tmp_path / "other.npz", num=130, seed=1)
    assert run("evaluate", "--dataset=npz:other.npz").code == 0
    outcome = run("retrain", "--dataset=npz:other.npz", "--overwrite")
    assert outcome.code == 0, outcome.err


def test_other_images_of_the_same_number_are_noticed(run, tmp_path):
    write_images(tmp_path / "mine.npz", seed=1)
    outcome = run("evaluate")
    assert outcome.code == 2
    assert "the data have changed" in outcome.err
