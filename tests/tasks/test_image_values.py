"""A kept child takes images in the range and of the type of the user's data, and computes the same as on bytes."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from enas_tf.data.values import BYTES, ValueRange
from enas_tf.models.images import ImageConfig
from enas_tf.models.macro_config import MacroChildConfig
from enas_tf.models.networks import NETWORKS
from enas_tf.spaces.macro import MacroSpace
from enas_tf.tasks.export import export_classifier, save_keras
from enas_tf.tasks.image_values import inputs_for, take_values, values_of

IMAGE = ImageConfig(4, 4, 1, num_classes=3, mean=(100.0,), variance=(3000.0,))
RANGES = [
    ValueRange(0, 16, "float64"),
    ValueRange(0, 1, "float32"),
    ValueRange(-1, 1, "float32"),
    ValueRange(0, 4095, "uint16"),
]


@pytest.fixture(scope="module")
def child():
    architecture = MacroSpace(num_layers=3).decode([0] * 6)
    return NETWORKS["macro"].build_child(architecture, MacroChildConfig(channels=2), IMAGE)


@pytest.fixture(scope="module")
def images():
    return np.arange(256, dtype=np.uint8).reshape(16, 4, 4, 1)


@pytest.mark.parametrize("values", RANGES, ids=str)
def test_a_child_takes_the_users_values(child, images, values, tmp_path):
    kept = take_values(child, values)
    expected = child(images, training=False)
    # As the user has them, in the user's own type.
    np.testing.assert_array_equal(kept(values.from_bytes(images), training=False), expected)
    save_keras(kept, tmp_path / "child.keras")
    loaded = keras.models.load_model(tmp_path / "child.keras")
    np.testing.assert_array_equal(loaded.predict(values.from_bytes(images), verbose=0), expected)
    found = values_of(loaded)
    assert (found.low, found.high) == pytest.approx((values.low, values.high))
    np.testing.assert_array_equal(loaded(inputs_for(loaded, images), training=False), expected)


def test_layers_of_the_child_are_layers_of_what_is_kept(child):
    kept = take_values(child, RANGES[0])
    assert {layer.name for layer in child.layers} <= {layer.name for layer in kept.layers}
    assert [weight.path for weight in kept.weights] == [weight.path for weight in child.weights]


def test_bytes_stay_bytes(child, images):
    assert take_values(child, BYTES) is child
    assert values_of(child).is_bytes
    assert inputs_for(child, images) is images


def test_the_saved_model_takes_them_too(child, images, tmp_path):
    kept = take_values(child, RANGES[1])
    given = inputs_for(kept, images)
    assert export_classifier(kept, tmp_path / "saved", given, ("cat", "dog", "emu")) == 0
    loaded = tf.saved_model.load(str(tmp_path / "saved"))
    expected = child(images, training=False)
    np.testing.assert_array_equal(loaded.serve(given), expected)
    named = loaded.signatures["serving_default"](images=tf.constant(given))
    np.testing.assert_array_equal(named["logits"], expected)
    np.testing.assert_allclose(named["probabilities"], tf.nn.softmax(expected), atol=1e-6)
    assert (tmp_path / "saved/assets.extra/labels.txt").read_text() == "cat\ndog\nemu\n"
