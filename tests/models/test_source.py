"""Source of a network: it builds the same network with Keras alone."""

import dataclasses

import keras
import numpy as np
import pytest

from enas_tf.data.values import ValueRange
from enas_tf.errors import InputError
from enas_tf.models.images import ImageConfig
from enas_tf.models.language import LanguageConfig, TextShape
from enas_tf.models.networks import NETWORKS
from enas_tf.models.recurrent_child import RecurrentCell
from enas_tf.models.source import to_source
from enas_tf.spaces.architectures import read_architecture
from enas_tf.spaces.recurrent import LstmBaseline
from enas_tf.spaces.vocabulary import ACTIVATIONS
from enas_tf.tasks.image_values import take_values

IMAGE = ImageConfig(8, 8, 3, 10, (100.0, 101.5, 90.25), (3000.0, 2000.5, 1.0))
#: Space, arc, and what keeps its child small. Together they have every operation and every part of a network.
CASES = {
    "macro": ("0 3 0 2 1 0", {"channels": 4}),
    "micro": ("0 1 0 2 1 3 1 0", {"channels": 4, "cells_per_stage": 1}),
    "nasnet": ("1 8 1 12 0 0 4 0 10 1 1 8 1 9 1 2 9 1 9 1", {"channels": 4, "cells_per_stage": 1}),
    "pnas": ("0 3 1 12 0 3 0 12", {"channels": 4, "cells_per_stage": 1}),
    "nas_conv": ("3x5x4 7x1x6/2x1 1 pool 1x1x3 0 0 3x3x5/2x3 1 1 1", {}),
}


def build_child(space):
    arc, small = CASES[space]
    architecture, networks = read_architecture(arc, space), NETWORKS[space]
    keras.utils.set_random_seed(2)
    return networks.build_child(architecture, dataclasses.replace(networks.child.default, **small), IMAGE)


def run(source):
    """Return the model that a source builds, after what has to hold of every source."""
    assert "enas_tf" not in source
    assert [line for line in source.splitlines() if line.startswith(("import", "from"))] == ["import keras"]
    assert max(map(len, source.splitlines())) <= 120
    namespace = {"__name__": "generated"}
    exec(compile(source, "generated.py", "exec"), namespace)
    return namespace["build_model"]()


def check_equal(model, built, *inputs):
    assert built.name == model.name
    assert [layer.get_config() for layer in built.layers] == [layer.get_config() for layer in model.layers]
    assert built.count_params() == model.count_params()
    # Other numbers than those that layers begin with, the moving averages too.
    rng = np.random.default_rng(0)
    model.set_weights([rng.uniform(0.2, 1.0, weight.shape) for weight in model.get_weights()])
    built.set_weights(model.get_weights())
    expected, found = (keras.tree.flatten(each(list(inputs) if inputs[1:] else inputs[0])) for each in (model, built))
    for one, other in zip(expected, found, strict=True):
        assert np.std(one) > 0
        np.testing.assert_allclose(other, one, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("space", CASES)
def test_the_source_of_a_child_builds_the_child(space):
    child = build_child(space)
    images = np.random.default_rng(1).integers(0, 256, (3, 8, 8, 3), dtype=np.uint8)
    check_equal(child, run(to_source(child, f"A child of {space}.")), images)


def test_a_child_that_takes_other_values_is_written_with_its_conversion():
    """Its conversion has functions of keras.ops, which are no layers."""
    child = take_values(build_child("nas_conv"), ValueRange(-1.0, 3.0, "float32"))
    source = to_source(child, "A child.")
    assert "keras.ops.clip(" in source
    images = np.random.default_rng(1).uniform(-1.5, 3.5, (3, 8, 8, 3)).astype("float32")
    check_equal(child, run(source), images)


def test_layers_that_are_called_twice_and_several_inputs_and_outputs_are_kept():
    one, other = keras.Input((6,), name="one"), keras.Input((6,), name="other")
    dense = keras.layers.Dense(6, activation="tanh", kernel_regularizer=keras.regularizers.L2(0.01), name="dense")
    x = keras.layers.Multiply(name="gate")([dense(one), dense(other)])
    left, right = keras.ops.split(x, 2, axis=1)
    model = keras.Model([one, other], [keras.layers.Dropout(0.5, name="drop")(left + 2.0), right], name="pair")
    source = to_source(model, "Two inputs.")
    assert source.count("keras.layers.Dense(") == 1
    data = np.random.default_rng(1).normal(size=(2, 3, 6)).astype("float32")
    check_equal(model, run(source), *data)


def test_arguments_that_are_defaults_are_left_out():
    inputs = keras.Input((8, 8, 1), name="image")
    x = keras.layers.Conv2D(24, 3, padding="same", use_bias=False, name="a")(inputs)
    x = keras.layers.MaxPooling2D(3, strides=2, name="b")(keras.layers.MaxPooling2D(2, name="c")(x))
    lines = to_source(keras.Model(inputs, x, name="m"), "Short.").splitlines()
    assert [line.strip() for line in lines if " = " in line] == [
        'image = keras.Input((8, 8, 1), name="image")',
        'x1 = keras.layers.Conv2D(24, 3, padding="same", use_bias=False, name="a")(image)',
        'x2 = keras.layers.MaxPooling2D(name="c")(x1)',
        'x3 = keras.layers.MaxPooling2D(pool_size=3, strides=2, name="b")(x2)',
    ]


LANGUAGE_MODELS = {
    "cell": read_architecture("0 0 1 1 1 2 0 3 2", "recurrent"),
    "lstm": LstmBaseline(nodes=4),
    "tree": read_architecture("nas_cell"),
}


@pytest.mark.parametrize("name", LANGUAGE_MODELS)
def test_the_source_of_a_language_model_defines_its_cell(name):
    """As a class of a few lines, whose scores and states are those of the child."""
    architecture = LANGUAGE_MODELS[name]
    networks = NETWORKS[architecture.space_name]
    child = networks.build_child(architecture, LanguageConfig(units=3), TextShape(7))
    built = run(to_source(child, "A language model."))
    rng = np.random.default_rng(0)
    child.set_weights([rng.normal(size=weight.shape) for weight in child.get_weights()])
    built.set_weights(child.get_weights())
    assert [layer.name for layer in built.layers] == [layer.name for layer in child.layers]
    assert [weight.path for weight in built.weights] == [weight.path for weight in child.weights]
    ids, state = rng.integers(0, 7, (2, 5)), rng.normal(size=(2, child.input_shape[1][-1])).astype("float32")
    for one, other in zip(built([ids, state]), child([ids, state]), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


class OwnLayer(keras.layers.Layer):
    def call(self, inputs):
        return inputs


def test_a_layer_that_is_not_of_keras_alone_is_refused():
    inputs = keras.Input((3,))
    with pytest.raises(InputError, match=r"own is a .*OwnLayer, .* Export the child"):
        to_source(keras.Model(inputs, OwnLayer(name="own")(inputs)), "Of my own.")


@pytest.fixture
def own_activation():
    ACTIVATIONS.add("softsign")
    yield "softsign"
    ACTIVATIONS.remove("softsign")


def test_an_activation_of_one_s_own_is_refused(own_activation):
    cell = RecurrentCell(3, LANGUAGE_MODELS["cell"].to_json())
    node = dataclasses.replace(cell.architecture.nodes[0], activation=own_activation)
    cell.architecture = dataclasses.replace(cell.architecture, nodes=(node,))
    with pytest.raises(InputError, match="the activation softsign, which is your own"):
        cell.write_class()
