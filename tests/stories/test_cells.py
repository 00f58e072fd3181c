"""The micro space in small: one command from search to SavedModel; the child keeps nothing of what trained it."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from enas_tf.data.sources import DataConfig, load_images

FLAGS = (
    "--space=micro",
    "--dataset=digits",
    "--valid_fraction=0.2",
    "--limit_train=192",
    "--cell_blocks=1",
    "--cells_per_stage=1",
    "--channels=2",
    "--batch_size=32",
    "--epochs=1",
    "--updates_per_epoch=1",
    "--samples_per_update=2",
    "--derive_samples=2",
    "--finalists=0",
    "--retrain_cells_per_stage=1",
    "--retrain_channels=2",
    "--retrain_epochs=1",
    "--retrain_batch_size=64",
    "--retrain_auxiliary_weight=0.4",
    "--retrain_drop_path_keep=0.9",
)


pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def workdir(command, tmp_path_factory):
    workdir = tmp_path_factory.mktemp("cells") / "run"
    command("search", *FLAGS, f"--workdir={workdir}", "--then=retrain,export")
    return workdir


def test_the_child_of_the_files_was_measured_and_has_no_auxiliary_classifier(workdir):
    trained = [name for name, _ in tf.train.list_variables(str(workdir / "checkpoints/retrain"))]
    assert any("auxiliary" in name for name in trained), "it should have been trained with one"
    child = keras.models.load_model(workdir / "child/child.keras")
    assert not [layer.name for layer in child.layers if "auxiliary" in layer.name]
    metrics = json.loads((workdir / "child/metrics.json").read_text())
    assert metrics["parameters"] == sum(int(np.prod(variable.shape)) for variable in child.trainable_variables)
    data = load_images(DataConfig("digits", valid_fraction=0.2))
    test = data.test
    logits = child.predict(data.values.from_bytes(test.images), batch_size=256, verbose=0)
    assert metrics["test_accuracy"] == pytest.approx(np.mean(logits.argmax(axis=1) == test.labels), abs=1e-6)
    assert metrics["arc"] == json.loads((workdir / "architecture.json").read_text())["arc"]


def test_models_load_where_enas_tf_is_not(workdir, load_elsewhere):
    logits = load_elsewhere(workdir)
    expected = keras.models.load_model(workdir / "child/child.keras")(logits.pop("images")).numpy()
    assert expected.std() > 1e-6
    for name in ("child", "saved_model", "signature"):
        np.testing.assert_allclose(logits[name], expected, atol=1e-5, err_msg=name)
