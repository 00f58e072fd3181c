"""NAS in small: every network is trained from scratch, deeper ones later; then the best is retrained and exported."""

import csv
import json

import keras
import numpy as np
import pytest
import tensorflow as tf

COMMON = (
    "--searcher=reinforce",
    "--evaluator=scratch",
    "--trial_epochs=1",
    "--batch_size=32",
    "--retrain_epochs=1",
    "--retrain_batch_size=32",
)
NETWORKS = (
    "--space=nas_conv",
    "--dataset=digits",
    "--limit_train=96",
    "--num_layers=2",
    "--filters=2,3",
    "--grow_every=1",
    "--grow_from=1",
    "--grow_by=1",
    "--trials=2",
    "--samples_per_update=1",
    "--controller_layers=2",
    "--reward_power=3",
)
CELLS = (
    "--space=nas_recurrent",
    "--dataset=pydoc",
    "--limit_train=4000",
    "--cell_base=2",
    "--units=8",
    "--trials=1",
    "--samples_per_update=1",
    "--learning_rate=5",
    "--reward_scale=9",
    "--reward_power=2",
    "--retrain_units=8",
)


def read_trials(workdir) -> list[dict]:
    return [json.loads(line) for line in (workdir / "trials.jsonl").read_text().splitlines()]


@pytest.mark.slow
def test_networks_of_growing_depth(command, tmp_path):
    workdir = tmp_path / "run"
    command("search", *COMMON, *NETWORKS, f"--workdir={workdir}", "--then=retrain,export")
    records = read_trials(workdir)
    arcs = [record["arc"] for record in records if "arc" in record]
    assert [sum("x" in word for word in arc.split()) for arc in arcs] == [1, 2]
    values = [record["value"] for record in records if record.get("status") == "done"]
    rewards = [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]
    rewards = [row["reward"] for row in rewards if row["phase"] == "trial"]
    np.testing.assert_allclose(rewards, np.power(values, 3), rtol=1e-5)
    with (workdir / "candidates.csv").open() as file:
        assert {row["arc"] for row in csv.DictReader(file)} == set(arcs)
    kept = keras.models.load_model(workdir / "child/child.keras")
    loaded = tf.saved_model.load(str(workdir / "child/saved_model"))
    images = np.zeros((2, 8, 8, 1), np.float32)
    np.testing.assert_allclose(loaded.serve(images), kept(images), atol=1e-5)
    for rank in (1, 2):
        command("describe", "--space=nas_conv", f"--architecture={workdir / 'candidates.csv'}#{rank}", "--json")


@pytest.mark.slow
def test_cells(command, tmp_path):
    workdir = tmp_path / "run"
    command("search", *COMMON, *CELLS, f"--workdir={workdir}", "--then=retrain,export")
    (value,) = [record["value"] for record in read_trials(workdir) if record.get("status") == "done"]
    rows = [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]
    (reward,) = [row["reward"] for row in rows if row["phase"] == "trial"]
    assert reward == pytest.approx((9 / value) ** 2, rel=1e-4)
    loaded = tf.saved_model.load(str(workdir / "child/saved_model"))
    step = loaded.signatures["step"](ids=tf.constant([1, 2]), state=tf.zeros([2, 16]))
    assert step["state"].shape == (2, 16)
