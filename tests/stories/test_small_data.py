"""A folder of few images and the default sizes of batches: they are lowered to what fits, and every stage agrees."""

import json
import re

import numpy as np
import pytest
import tensorflow as tf
from absl import flags

#: No sizes of batches: the defaults are those of the paper, 128 and 100.
SMALL = (
    "--dataset=folder:photos",
    "--num_layers=3",
    "--channels=2",
    "--retrain_channels=2",
    "--epochs=1",
    "--updates_per_epoch=1",
    "--samples_per_update=2",
    "--derive_samples=2",
    "--finalists=0",
    "--retrain_epochs=1",
)
TRAINING = "the training part has 57 images"
LOWERED = f"lowered --batch_size from 128 to 6, since {TRAINING} and the validation part 6\n"
LOWERED_CHILD = f"lowered --retrain_batch_size from 100 to 56, since {TRAINING}\n"


def write_photos(directory, num=35, seed=0):
    random = np.random.default_rng(seed)
    for name in ("cat", "dog"):
        (directory / name).mkdir(parents=True, exist_ok=True)
        for number in range(num):
            image = random.integers(0, 256, (8, 8, 3), dtype=np.uint8)
            (directory / name / f"{number:03}.png").write_bytes(tf.io.encode_png(image).numpy())


def narrow(text):
    """Return what a launcher has printed with one blank between words."""
    return re.sub(" +", " ", text)


@pytest.fixture
def run(tmp_path, launch):
    """Return a function that runs a launcher; each call is a run of its own."""
    write_photos(tmp_path / "photos")

    def again(name, *arguments):
        outcome = launch(name, *arguments)
        for flag in list(flags.FLAGS):
            if str(flags.FLAGS.find_module_defining_flag(flag)).startswith("enas_tf"):
                delattr(flags.FLAGS, flag)
        return outcome

    return again


def test_all_stages_lower_the_batch_alike(run, tmp_path):
    first = run("search", *SMALL, "--workdir=run", "--then=retrain,export")
    assert first.code == 0, first.err
    assert "batch 6 images, 1 child per step\n" in narrow(first.out)
    assert LOWERED in narrow(first.out)
    assert LOWERED_CHILD in narrow(first.out)
    # The flags of a run are those that were asked for: they are lowered again for other data.
    assert "batch_size" not in (tmp_path / "run/run.flags").read_text()
    asked = json.loads((tmp_path / "run/checkpoints/search/flags.json").read_text())
    assert asked["batch_size"] == 128

    resumed = run("search", *SMALL, "--workdir=run", "--then=retrain,export")
    assert resumed.code == 0, resumed.err
    assert LOWERED in narrow(resumed.out)
    assert "search: finished, its only epoch is done" in resumed.out

    for name, *arguments in (("derive",), ("evaluate", "--weights=shared"), ("evaluate",), ("retrain", "--overwrite")):
        outcome = run(name, "--workdir=run", *arguments)
        assert outcome.code == 0, (name, outcome.err)
    assert LOWERED_CHILD in narrow(outcome.out)


def test_changed_data_are_named_as_such(run, tmp_path):
    assert run("search", *SMALL, "--workdir=run").code == 0
    write_photos(tmp_path / "photos", num=60)
    outcome = run("search", *SMALL, "--workdir=run")
    assert outcome.code == 2
    assert "the data have changed since the search" in outcome.err
    assert "--batch_size" not in outcome.err


def test_batches_that_are_typed_are_refused_before_anything_is_written(run, tmp_path):
    typed = ("--batch_size=58", "--retrain_batch_size=59")
    outcome = run("search", *SMALL, *typed, "--workdir=run", "--then=retrain")
    assert outcome.code == 2
    assert outcome.err == (
        f"--batch_size=58 and --retrain_batch_size=59 are too large for the data: {TRAINING} and the validation part "
        "6. Use --batch_size=6 or less and --retrain_batch_size=57 or less, or more images (a larger --valid_fraction "
        "for the validation part).\n"
    )
    assert not (tmp_path / "run").exists()
    outcome = run("search", *SMALL, "--batch_size=6", "--retrain_batch_size=57", "--workdir=run", "--dry_run")
    assert outcome.code == 0, outcome.err
    assert "lowered" not in outcome.out


def test_a_trial_without_training_says_it_too(run):
    outcome = run("search", *SMALL, "--dry_run")
    assert outcome.code == 0, outcome.err
    assert LOWERED in narrow(outcome.out)


def test_batches_of_a_flagfile_are_lowered(run, tmp_path):
    (tmp_path / "mine.flags").write_text("--batch_size=64\n--retrain_batch_size=64\n")
    outcome = run("search", *SMALL, "--flagfile=mine.flags", "--dry_run")
    assert outcome.code == 0, outcome.err
    assert f"lowered --batch_size from 64 to 6, since {TRAINING} and the validation part 6\n" in narrow(outcome.out)
    outcome = run("search", *SMALL, "--flagfile=mine.flags", "--batch_size=64", "--dry_run")
    assert outcome.code == 2
    assert outcome.err.startswith("--batch_size=64 is too large for the data")
