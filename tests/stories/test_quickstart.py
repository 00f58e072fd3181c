"""The main job: one command searches, derives, retrains, tests and exports; docs/running.md says what it leaves."""

import csv
import json
import shutil
import time
import xml.etree.ElementTree as ElementTree

import keras
import numpy as np
import pytest
import tensorflow as tf

from enas_tf.data.sources import DataConfig, load_images
from enas_tf.models.images import ImageConfig
from enas_tf.models.macro_config import MacroChildConfig
from enas_tf.models.networks import NETWORKS
from enas_tf.spaces.architectures import read_architecture

DIGITS = ImageConfig(8, 8, 1, 10, (0.0,), (1.0,))


def read_json(path):
    return json.loads(path.read_text())


def test_every_file_is_there(finished):
    expected = """
        run.flags environment.json metrics.jsonl candidates.csv architecture.json architecture.svg
        tensorboard/search tensorboard/controller tensorboard/retrain checkpoints/search checkpoints/retrain
        child/child.keras child/labels.txt child/metrics.json child/saved_model/saved_model.pb
        child/confusion.csv report.html
    """
    assert [name for name in expected.split() if not (finished / name).exists()] == []
    assert not [path.name for path in finished.rglob("*") if "aside" in path.name or path.suffix == ".new"]


def test_metrics_hold_every_epoch_of_every_phase_once(finished):
    records = [json.loads(line) for line in (finished / "metrics.jsonl").read_text().splitlines()]
    assert [(r["phase"], r["epoch"]) for r in records] == [
        ("search", 0), ("controller", 0), ("search", 1), ("controller", 1),
        ("derive", 0), ("retrain", 0), ("retrain", 1), ("test", 0),
    ]  # fmt: skip
    keys = {
        "search": {"loss", "accuracy", "learning_rate", "images_per_second"},
        "controller": {"reward", "entropy", "skip_rate", "loss", "gradient_norm"},
        "derive": {"num_candidates", "best_valid_accuracy", "mean_valid_accuracy", "worst_valid_accuracy"},
        "retrain": {"loss", "accuracy", "valid_accuracy", "learning_rate", "images_per_second"},
        "test": {"loss", "accuracy"},
    }
    for record in records:
        assert keys[record["phase"]] <= record.keys()
        assert all(np.isfinite(record[name]) for name in keys[record["phase"]])


def test_candidates_are_ranked_and_the_first_is_the_architecture(finished):
    rows = list(csv.DictReader((finished / "candidates.csv").open()))
    accuracies = [float(row["valid_accuracy"]) for row in rows]
    assert 1 <= len(rows) <= 3
    assert accuracies == sorted(accuracies, reverse=True)
    architecture = read_architecture(str(finished / "architecture.json"))
    assert rows[0]["arc"] == architecture.to_arc()
    for number, row in enumerate(rows, start=1):
        assert read_architecture(f"{finished / 'candidates.csv'}#{number}", "macro").to_arc() == row["arc"]
    cost = NETWORKS["macro"].count(architecture, MacroChildConfig(channels=4), DIGITS)
    assert (int(rows[0]["parameters"]), int(rows[0]["flops"])) == (cost.parameters, cost.flops)
    assert read_json(finished / "architecture.json")["valid_accuracy"] == pytest.approx(accuracies[0], abs=1e-6)


def test_files_are_well_formed(finished):
    assert ElementTree.parse(finished / "architecture.svg").getroot().tag.endswith("svg")
    environment = read_json(finished / "environment.json")
    assert environment["data"]["images"]["train"] == 192
    assert environment["packages"]["tensorflow"] == tf.__version__
    assert (environment["seed"], environment["enas_tf"] > "") == (0, True)
    lines = (finished / "run.flags").read_text().splitlines()
    assert {"--num_layers=3", "--retrain_channels=4", "--deterministic=True"} <= set(lines)
    assert (finished / "child/labels.txt").read_text().split() == [str(digit) for digit in range(10)]
    for phase in ("search", "controller", "derive", "retrain", "test"):
        events = [path for path in (finished / "tensorboard" / phase).iterdir() if path.stat().st_size]
        assert events, f"TensorBoard has nothing of {phase}"


def test_the_metrics_of_the_child_are_those_of_the_files(finished):
    """They can be measured again from child.keras alone."""
    metrics = read_json(finished / "child/metrics.json")
    child = keras.models.load_model(finished / "child/child.keras")
    data = load_images(DataConfig("digits", valid_fraction=0.2))
    test = data.test
    # The child takes the images as scikit-learn has them, 0..16.
    logits = child.predict(data.values.from_bytes(test.images), batch_size=256, verbose=0)
    assert metrics["test_accuracy"] == pytest.approx(np.mean(logits.argmax(axis=1) == test.labels), abs=1e-6)
    loss = -np.mean(keras.ops.log_softmax(logits).numpy()[np.arange(len(test)), test.labels])
    assert metrics["test_loss"] == pytest.approx(float(loss), rel=1e-4)
    assert metrics["parameters"] == sum(int(np.prod(v.shape)) for v in child.trainable_variables)
    assert metrics["flops"] > 0
    assert 0 <= metrics["export_max_difference"] < 1e-4


def test_models_load_where_enas_tf_is_not(finished, load_elsewhere):
    """Law 7: both files give the same logits in a process that cannot import enas_tf."""
    logits = load_elsewhere(finished)
    expected = keras.models.load_model(finished / "child/child.keras")(logits.pop("images")).numpy()
    assert expected.std() > 1e-3
    assert set(logits) == {"child", "saved_model", "signature"}
    for name in logits:
        np.testing.assert_allclose(logits[name], expected, atol=1e-5, err_msg=name)


def test_the_report_has_the_test_and_the_confusion_of_the_child(finished):
    """It was written last after the export, by processes of their own: pictures and all."""
    page = (finished / "report.html").read_text()
    metrics = read_json(finished / "child/metrics.json")
    assert f"{metrics['test_accuracy']:.4g}" in page
    assert "child/saved_model" in page
    assert "left out" not in page
    rows = list(csv.DictReader((finished / "child/confusion.csv").open()))
    right, every = (sum(int(row["images"]) for row in some) for some in (
        [row for row in rows if row["class"] == row["predicted"]], rows))  # fmt: skip
    assert metrics["test_accuracy"] == pytest.approx(right / every, abs=1e-6)


def content(directory):
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def test_the_same_command_again_changes_nothing(finished, search):
    before, begin = content(finished), time.monotonic()
    assert search(finished) == 0
    seconds, after = time.monotonic() - begin, content(finished)
    assert [name for name in before.keys() | after.keys() if before.get(name) != after.get(name)] == []
    assert seconds < 60, "nothing is left to do but to import, to read the data and to look"


def test_an_architecture_of_fewer_epochs_is_derived_anew(finished, launch, tmp_path):
    """A search that went on since its last derive does not keep the architecture of then."""
    workdir = shutil.copytree(finished, tmp_path / "run")
    architecture = read_json(workdir / "architecture.json")
    stale = architecture | {"derived": architecture["derived"] | {"searched_epochs": 1}, "valid_accuracy": 0.0}
    (workdir / "architecture.json").write_text(json.dumps(stale))
    assert launch("search", f"--flagfile={finished / 'run.flags'}", f"--workdir={workdir}").code == 0
    assert read_json(workdir / "architecture.json") == architecture


def test_retraining_something_else_leaves_the_search_alone(finished, launch, tmp_path):
    workdir = shutil.copytree(finished, tmp_path / "run")
    before = content(workdir)
    outcome = launch(
        "retrain", f"--workdir={workdir}", "--architecture=0 3 0 0 1 0", "--retrain_epochs=1", "--overwrite"
    )
    assert outcome.code == 0
    after = content(workdir)
    kept = [name for name in before if not name.startswith(("child/", "checkpoints/retrain", "tensorboard/"))]
    changed = ("metrics.jsonl", "report.html")
    assert [name for name in kept if name not in changed and before[name] != after[name]] == []
    assert read_json(workdir / "child/metrics.json")["arc"] == "0 3 0 0 1 0"


@pytest.mark.parametrize("flag", ["--channels=6", "--seed=1", "--retrain_epochs=3"])
def test_another_flag_needs_overwrite(finished, launch, flag):
    """A workdir of another configuration is refused with the flag that differs, and nothing in it is touched."""
    before = content(finished)
    outcome = launch("search", f"--flagfile={finished / 'run.flags'}", f"--workdir={finished}", "--then=retrain", flag)
    assert outcome.code == 2
    name, _, value = flag.partition("=")
    assert f"{name} was " in outcome.err
    assert f"is {value})" in outcome.err
    assert "--overwrite" in outcome.err
    assert content(finished) == before


def test_describe_for_programs(finished, launch):
    outcome = launch("describe", f"--workdir={finished}", "--json")
    described = json.loads(outcome.out)
    names = {"space", "architecture", "arc", "tokens", "parameters", "parameters_total", "flops", "space_size"}
    assert described.keys() == names
    metrics = read_json(finished / "child/metrics.json")
    assert {name: described[name] for name in ("arc", "parameters", "flops")} == {
        name: metrics[name] for name in ("arc", "parameters", "flops")
    }
    assert described["space_size"] == 6**3 * 2**3
    assert described["arc"] == described["architecture"]["arc"]


def test_evaluate_measures_what_retraining_measured(finished, launch):
    measured = json.loads(launch("evaluate", f"--workdir={finished}").out)
    metrics = read_json(finished / "child/metrics.json")
    assert measured["test_accuracy"] == metrics["test_accuracy"]
    assert measured["test_loss"] == pytest.approx(metrics["test_loss"], rel=1e-5)
