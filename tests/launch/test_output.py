"""What launchers print of their results: where numbers come from, what a model takes, and nothing that says nothing."""

import json
import re

import pytest


@pytest.fixture
def exported_anew(run_directory, launch, monkeypatch):
    """`exported_anew(difference)`: what `export` prints where the models differ by so much."""

    def run(difference: float) -> str:
        path = run_directory / "child/metrics.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"export_max_difference": None}))

        def write(self, child, directory, data):
            directory.mkdir(exist_ok=True)
            return difference

        monkeypatch.setattr("enas_tf.tasks.classification.Classification.export", write)
        outcome = launch("export", "--workdir=run")
        assert outcome.code == 0, outcome.err
        return outcome.out

    return run


def test_numbers_that_do_not_differ_are_said_to_be_equal(exported_anew):
    line, _ = exported_anew(0.0).split("\n", 1)
    assert line == "export: run/child/saved_model, its numbers are equal to the Keras model's"


def test_numbers_that_differ_are_said_to_by_how_much(exported_anew):
    assert "its numbers differ from the Keras model's by up to 1.2e-07\n" in exported_anew(1.25e-7)


def test_derive_says_at_which_width_parameters_are_counted(run_directory, launch):
    lines = launch("derive", "--workdir=run").out.splitlines()
    words = "with parameters and FLOPs at the searched width: 4 channels, times 1 at each reduction"
    assert f"derive: run/candidates.csv, {words}" in lines
    assert [line for line in lines if line.startswith("derive  ") and "epoch" in line] == []


def test_the_closing_block_says_which_images_the_model_takes(run_directory, launch):
    """The digits of scikit-learn, as they are given there."""
    outcome = launch("retrain", "--workdir=run", "--overwrite", "--then=export")
    assert outcome.code == 0, outcome.err
    assert "\n  model takes   images of 8x8x1, values of 0..16 (float32)\n" in outcome.out
    (tested,) = [line for line in outcome.out.splitlines() if line.startswith("test ")]
    assert "epoch" not in tested
    assert "skipped files" not in outcome.out, "the search has reported on the data"
    assert re.search(r"\n  trained on +64 images of train\n", outcome.out)


@pytest.mark.parametrize("content", ["{", '{"input": 7}', None])
def test_a_child_that_says_nothing_of_its_images_does_not_disturb_derive(run_directory, launch, content):
    path = run_directory / "child/metrics.json"
    if content is None:
        path.unlink()
    else:
        path.write_text(content)
    outcome = launch("derive", "--workdir=run")
    assert (outcome.code, "model takes" in outcome.out) == (0, False), outcome.err


def test_the_first_block_reports_on_the_data(run_directory, launch):
    """Counts of parts and classes, sizes, channels, values, skipped files; and one child is not "children"."""
    lines = dict(
        line.strip().split("  ", 1)
        for line in launch("search", "--flagfile=run/run.flags", "--workdir=run").out.splitlines()
        if line.startswith("  ")
    )
    found = {name: words.strip() for name, words in lines.items()}
    assert found["images"] == "64 training, 144 validation, 359 test"
    assert found["size"] == "8x8 pixels (height x width), 1 channel"
    assert found["classes"].startswith("10; training images per class: 4 (9) to 10 (5)")
    assert found["pixels"] == "0..16 (float64), read as bytes"
    assert found["skipped files"] == "none"
    assert found["epochs"] == "1 of 2 steps"
