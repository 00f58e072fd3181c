"""Exported children: a SavedModel computes what the child does, and samples are a function of a seed."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from enas_tf.data.values import ValueRange
from enas_tf.models.images import ImageConfig
from enas_tf.models.language import LanguageConfig, TextShape
from enas_tf.models.networks import NETWORKS
from enas_tf.runtime.files import replace_directory
from enas_tf.spaces.architectures import read_architecture
from enas_tf.spaces.recurrent import LstmBaseline, RecurrentArchitecture
from enas_tf.tasks.export import export_classifier, export_language_model, sample_ids, save_keras, score_ids
from enas_tf.tasks.image_values import take_values
from enas_tf.tasks.litert import run_litert, to_litert

VOCABULARY = 9
ROWS = np.random.default_rng(0).integers(0, VOCABULARY, (3, 7), dtype=np.int32)
ARCHITECTURES = {
    "cell": RecurrentArchitecture.from_arc("0 0 1 1 1 0 0"),
    "lstm": LstmBaseline(nodes=4),
    "tree": read_architecture("nas_cell"),
}


def make_child(name):
    keras.utils.set_random_seed(3)
    architecture, config = ARCHITECTURES[name], LanguageConfig(units=5, init_scale=0.9)
    return NETWORKS[architecture.space_name].build_child(architecture, config, TextShape(VOCABULARY))


@pytest.fixture(scope="module")
def saved_to(tmp_path_factory):
    """Where the SavedModel lies."""
    return tmp_path_factory.mktemp("export") / "saved_model"


@pytest.fixture(scope="module", params=ARCHITECTURES)
def exported(request, saved_to):
    """The child, the difference that was reported, and what plain TensorFlow loads."""
    child = make_child(request.param)
    with replace_directory(saved_to) as aside:
        difference = export_language_model(child, aside, ROWS)
    return child, difference, tf.saved_model.load(str(saved_to))


def log_probs_of(child, ids, state):
    logits, state = child([tf.constant(ids), state])
    return tf.nn.log_softmax(logits).numpy(), state


def zeros(child, rows):
    return tf.zeros([rows, child.input_shape[1][-1]])


def test_scores_are_the_log_softmax_of_the_child(exported):
    child, difference, loaded = exported
    log_probs, _ = log_probs_of(child, ROWS[:, :-1], zeros(child, len(ROWS)))
    expected = np.take_along_axis(log_probs, ROWS[:, 1:, None], axis=2)[..., 0]
    found = loaded.signatures["serving_default"](tf.constant(ROWS))
    assert set(found) == {"log_probs"}
    assert found["log_probs"].shape == (3, 6)
    np.testing.assert_allclose(found["log_probs"], expected, atol=1e-5)
    np.testing.assert_allclose(score_ids(child, tf.constant(ROWS)), expected, atol=1e-5)
    assert 0 <= difference < 1e-5


@pytest.mark.parametrize("shape", [(1, 2), (5, 20)], ids=str)
def test_rows_of_any_number_and_length_are_scored(exported, shape):
    child, _, loaded = exported
    ids = np.random.default_rng(1).integers(0, VOCABULARY, shape, dtype=np.int32)
    found = loaded.signatures["serving_default"](tf.constant(ids))["log_probs"]
    np.testing.assert_allclose(found, score_ids(child, tf.constant(ids)), atol=1e-5)


def test_a_row_of_one_id_has_no_scores(exported):
    child, _, loaded = exported
    assert loaded.signatures["serving_default"](tf.constant(ROWS[:, :1]))["log_probs"].shape == (3, 0)
    assert score_ids(child, tf.constant(ROWS[:, :1])).shape == (3, 0)


def test_steps_give_the_scores(exported):
    """Stepping through a row from a state of zeros gives the probabilities that scoring gives."""
    child, _, loaded = exported
    expected = loaded.signatures["serving_default"](tf.constant(ROWS))["log_probs"].numpy()
    state = zeros(child, len(ROWS))
    for step in range(ROWS.shape[1] - 1):
        found = loaded.signatures["step"](ids=tf.constant(ROWS[:, step]), state=state)
        assert set(found) == {"log_probs", "state"}
        log_probs, state = found["log_probs"].numpy(), found["state"]
        np.testing.assert_allclose(np.exp(log_probs).sum(axis=1), 1.0, atol=1e-5)
        np.testing.assert_allclose(log_probs[np.arange(3), ROWS[:, step + 1]], expected[:, step], atol=1e-5)
    _, last = log_probs_of(child, ROWS[:, :-1], zeros(child, len(ROWS)))
    np.testing.assert_allclose(state, last, atol=1e-5)


def test_a_step_is_the_child_s(exported):
    """From any state, with all probabilities of the next id."""
    child, _, loaded = exported
    state = tf.constant(np.random.default_rng(2).normal(size=zeros(child, 3).shape), tf.float32)
    log_probs, after = log_probs_of(child, ROWS[:, :1], state)
    found = loaded.signatures["step"](ids=tf.constant(ROWS[:, 0]), state=state)
    np.testing.assert_allclose(found["log_probs"], log_probs[:, 0], atol=1e-5)
    np.testing.assert_allclose(found["state"], after, atol=1e-5)


@pytest.mark.parametrize("rows", [1, 3])
def test_a_step_converts_to_litert(exported, saved_to, rows):
    """To its own operations alone, with the numbers of the SavedModel, for any number of rows."""
    child, _, loaded = exported
    content = to_litert(saved_to, "step")
    state = zeros(child, rows).numpy()
    for ids in ROWS[:rows].T:
        expected = loaded.signatures["step"](ids=tf.constant(ids), state=tf.constant(state))
        found = run_litert(content, "step", {"ids": ids, "state": state})
        np.testing.assert_allclose(found["log_probs"], expected["log_probs"], atol=1e-5)
        np.testing.assert_allclose(found["state"], expected["state"], atol=1e-5)
        state = found["state"]


def test_an_export_leaves_the_layers_of_the_child_as_they_were(exported):
    child, _, _ = exported
    assert not child.get_layer("rnn").unroll


def test_an_export_takes_the_place_of_another(tmp_path):
    """It is written beside its place and renamed, as a stage does."""
    child, ids = make_child("cell"), tf.constant(ROWS)
    for factor in (1.0, -0.5):
        for variable in child.trainable_variables:
            variable.assign(factor * variable)
        with replace_directory(tmp_path / "model") as aside:
            assert export_language_model(child, aside, ROWS) < 1e-5
    loaded = tf.saved_model.load(str(tmp_path / "model"))
    np.testing.assert_allclose(loaded.signatures["serving_default"](ids)["log_probs"], score_ids(child, ids), atol=1e-5)
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_a_classifier_is_exported_with_its_logits(tmp_path):
    """The SavedModel takes bytes; the Keras file can be evaluated at once."""
    keras.utils.set_random_seed(4)
    inputs = keras.Input((6, 6, 3), dtype="uint8")
    x = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(inputs))
    child = keras.Model(inputs, keras.layers.Dense(4)(x))
    images = np.random.default_rng(0).integers(0, 256, (5, 6, 6, 3), dtype=np.uint8)
    names = ("a", "ö", '"c"', "d e")
    assert 0 <= export_classifier(child, tmp_path / "model", images, names) < 1e-5
    loaded = tf.saved_model.load(str(tmp_path / "model"))
    np.testing.assert_allclose(loaded.serve(images), child(images), atol=1e-5)
    np.testing.assert_allclose(
        loaded.signatures["serving_default"](tf.constant(images))["probabilities"],
        tf.nn.softmax(child(images)),
        atol=1e-5,
    )
    known = loaded.signatures["class_names"]()["class_names"].numpy()
    assert tuple(name.decode() for name in known) == names
    save_keras(child, tmp_path / "child.keras")
    labels = np.argmax(child(images), axis=1)
    kept = keras.models.load_model(tmp_path / "child.keras")
    assert kept.evaluate(images, labels, verbose=0, return_dict=True)["accuracy"] == 1.0


@pytest.mark.parametrize(
    ("space", "arc", "small"),
    [
        ("macro", "0 3 0 2 1 0", {"channels": 4}),
        ("micro", "0 1 0 2 1 3 1 0", {"channels": 4, "cells_per_stage": 1}),
        ("nas_conv", "3x5x4 7x1x6/2x1 1 pool 1x1x3 0 0 3x3x5/2x3 1 1 1", {}),
    ],
    ids=["macro", "micro", "nas_conv"],
)
def test_a_classifier_converts_to_litert(tmp_path, space, arc, small):
    """With separable convolutions, poolings, reductions and zeros around maps."""
    architecture = read_architecture(arc, space)
    networks = NETWORKS[architecture.space_name]
    shape = ImageConfig(8, 8, 1, 10, (0.0,), (1.0,))
    child = networks.build_child(architecture, dataclasses.replace(networks.child.default, **small), shape)
    images = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 1), dtype=np.uint8)
    export_classifier(child, tmp_path / "model", images, tuple("0123456789"))
    content = to_litert(tmp_path / "model", "serving_default")
    found, logits = run_litert(content, "serving_default", {"images": images}), child(images, training=False)
    assert set(found) == {"logits", "probabilities"}
    np.testing.assert_allclose(found["logits"], logits, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(found["probabilities"].sum(axis=1), 1.0, atol=1e-5)


@pytest.fixture
def kept(tmp_path):
    """A classifier of floats of 0..16, as it is loaded by Keras, and new images with labels."""
    networks, keras_file = NETWORKS["macro"], tmp_path / "child.keras"
    keras.utils.set_random_seed(5)
    config = dataclasses.replace(networks.child.default, channels=4, dropout=0.5)
    child = networks.build_child(
        read_architecture("0 3 0 2 1 0", "macro"), config, ImageConfig(8, 8, 1, 10, (100.0,), (900.0,))
    )
    save_keras(take_values(child, ValueRange(0.0, 16.0, "float32")), keras_file)
    rng = np.random.default_rng(0)
    images = rng.uniform(0, 16, (16, 8, 8, 1)).astype("float32")
    return keras.models.load_model(keras_file), images, rng.integers(0, 3, 16)


def test_a_loaded_child_is_fine_tuned_on_other_classes(kept):
    """Its layers but the last are frozen, batch statistics too, and a new last one is trained."""
    child, images, labels = kept
    child.trainable = False
    logits = keras.layers.Dense(3, name="new")(child.get_layer("pool").output)
    model = keras.Model(child.input, logits)
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    before = child.get_weights(), model.get_layer("new").get_weights()
    loss = model.fit(images, labels, batch_size=16, verbose=0).history["loss"]
    assert np.isfinite(loss).all()
    for one, other in zip(before[0], child.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert not np.array_equal(before[1][0], model.get_layer("new").get_weights()[0])


def test_a_loaded_child_is_trained_as_it_is(kept):
    """As it was compiled: every weight moves, averages of batch statistics too, and dropout drops."""
    child, images, labels = kept
    assert not np.allclose(child(images, training=True), child(images, training=True))
    before = [(variable.path, variable.numpy()) for variable in child.weights]
    child.fit(images, labels, batch_size=16, verbose=0)
    same = [path for (path, old), new in zip(before, child.get_weights(), strict=True) if np.array_equal(old, new)]
    assert same == []


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_keras_file_holds_the_child(name, tmp_path):
    child = make_child(name)
    save_keras(child, tmp_path / "child.keras")
    loaded = keras.models.load_model(tmp_path / "child.keras")
    np.testing.assert_array_equal(score_ids(loaded, tf.constant(ROWS)), score_ids(child, tf.constant(ROWS)))


@pytest.fixture(scope="module")
def child():
    return make_child("cell")


def test_samples_are_a_function_of_the_seed(child):
    drawn = [sample_ids(child, ROWS[0], 30, avoided=0, seed=seed) for seed in (1, 1, 2)]
    assert (drawn[0].dtype, drawn[0].shape) == (np.int32, (30,))
    np.testing.assert_array_equal(drawn[0], drawn[1])
    assert not np.array_equal(drawn[0], drawn[2])
    np.testing.assert_array_equal(sample_ids(child, ROWS[0], 10, 0, 1), drawn[0][:10])


@pytest.mark.parametrize("avoided", [0, VOCABULARY - 1])
def test_an_id_is_avoided(child, avoided):
    """One that would come up otherwise, and no other."""
    drawn = set(sample_ids(child, ROWS[0], 200, avoided, seed=1).tolist())
    assert drawn == set(range(VOCABULARY)) - {avoided}


def test_a_temperature_divides_the_logits(child):
    """Cold logits are those of a child whose logits are larger; 1 changes nothing."""
    sharper = make_child("cell")
    logits, state = sharper.outputs
    sharper = keras.Model(sharper.inputs, [logits * 4.0, state])
    drawn = sample_ids(child, ROWS[0], 30, avoided=0, seed=1, temperature=0.25)
    np.testing.assert_array_equal(drawn, sample_ids(sharper, ROWS[0], 30, avoided=0, seed=1))
    plain = sample_ids(child, ROWS[0], 30, avoided=0, seed=1)
    assert not np.array_equal(drawn, plain)
    np.testing.assert_array_equal(sample_ids(child, ROWS[0], 30, avoided=0, seed=1, temperature=1.0), plain)


def test_samples_follow_the_child(child):
    """An id that the child is sure of, given what it has read and drawn, is the one that is drawn."""
    sure = make_child("cell")
    sure.get_layer("embedding").set_weights([400 * child.get_layer("embedding").get_weights()[0]])
    drawn = sample_ids(sure, ROWS[0], 12, avoided=0, seed=1)
    ids = np.concatenate([ROWS[0], drawn])
    log_probs, _ = log_probs_of(sure, ids[None, :-1], zeros(sure, 1))
    log_probs = log_probs[0, len(ROWS[0]) - 1 :]
    log_probs[:, 0] = -np.inf
    is_sure = np.sort(log_probs, axis=1)[:, -1] - np.sort(log_probs, axis=1)[:, -2] > 20
    assert is_sure.sum() >= 6
    np.testing.assert_array_equal(drawn[is_sure], log_probs.argmax(axis=1)[is_sure])
