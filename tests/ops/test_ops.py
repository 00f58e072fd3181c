"""Laws of operations: each name has one, its two forms are one function, and its cost is that of its layers."""

import itertools

import keras
import numpy as np
import pytest

from enas_tf.errors import InputError
from enas_tf.layers.stock import Layers
from enas_tf.ops.convolution import Convolution
from enas_tf.ops.narrowing import Narrowed
from enas_tf.ops.op import CELL_OPS, KINDS, LAYER_OPS, register
from enas_tf.ops.pooling import Pooling
from enas_tf.ops.reduction import REDUCTION
from enas_tf.spaces import vocabulary
from tests.ops.banks import CHANNELS, OPS, STRIDED, draw, randomize


@pytest.mark.parametrize("kind", KINDS)
def test_every_name_has_an_operation_and_every_operation_a_name(kind):
    registry, names = KINDS[kind]
    assert set(registry) == set(names)


def test_every_vocabulary_is_of_a_kind():
    known = [value for value in vars(vocabulary).values() if isinstance(value, vocabulary.Vocabulary)]
    assert len(known) == 3
    assert all(any(names is known_one for _, names in KINDS.values()) for known_one in known)


@pytest.mark.parametrize("kind", KINDS)
def test_every_operation_is_registered_under_its_own_name(kind):
    registry, _ = KINDS[kind]
    assert [registry[name].name for name in registry] == list(registry)


@pytest.mark.parametrize("kinds", [["layer", "cell"], ["activation"]], ids=str)
def test_operations_differ_in_colour(kinds):
    """One name has one colour, in layers and in cells."""
    from matplotlib.colors import to_rgb

    found = {(name, KINDS[kind][0][name].colour) for kind in kinds for name in KINDS[kind][0]}
    for (one, colour), (other, its_colour) in itertools.combinations(sorted(found), 2):
        difference = np.subtract(to_rgb(colour), to_rgb(its_colour))
        assert np.linalg.norm(difference) > 0.2, f"{one} looks like {other}"


def test_drop_path_acts_on_all_but_the_identity():
    assert [name for name, op in OPS.items() if not op.drops_path] == ["cell identity"]


def build_child(op, strides):
    """Return a model of the stock layers of `op` alone."""
    inputs = keras.Input((8, 8, CHANNELS))
    return keras.Model(inputs, op.apply(Layers(), inputs, CHANNELS, "op", strides))


FORMS = [(name, op, 1) for name, op in OPS.items()] + [(name, op, 2) for name, op in STRIDED.items()]


@pytest.mark.parametrize(("op", "strides"), [form[1:] for form in FORMS], ids=[form[0] for form in FORMS])
def test_bank_and_stock_layers_are_one_function(op, strides):
    bank, child, x = randomize(op.build_bank(2, CHANNELS)), build_child(op, strides), draw(4, 8, 8, CHANNELS)
    op.copy_weights(child, "op", bank.rows(1))
    expected = bank.compute(x, bank.rows(1), strides)
    assert expected.shape == (4, 8 // strides, 8 // strides, CHANNELS)
    np.testing.assert_allclose(child(x, training=True), expected, atol=1e-4)


@pytest.mark.parametrize(("op", "strides"), [form[1:] for form in FORMS], ids=[form[0] for form in FORMS])
def test_an_operation_costs_what_its_layers_cost(op, strides):
    child, pixels = build_child(op, strides), (8 // strides) ** 2
    cost = op.count(CHANNELS, pixels, strides)
    assert cost.parameters == sum(int(np.prod(v.shape)) for v in child.trainable_variables)
    assert cost.statistics == sum(int(np.prod(v.shape)) for v in child.non_trainable_variables)
    # Every kernel is used once for each pixel of its layer's result; scale and offset are not counted.
    kernels = [(layer, v) for layer in child.layers for v in layer.trainable_variables if v.name not in NORMS]
    assert cost.flops == sum(2 * int(np.prod(layer.output.shape[1:3]) * np.prod(v.shape)) for layer, v in kernels)


#: Cell operations of an input of another width, but for identities, which cells of NASNet replace there.
CHANGING = [
    (name, CELL_OPS[name] if CELL_OPS[name].reads_any_width else Narrowed(CELL_OPS[name]), strides)
    for name in CELL_OPS
    for strides in (1, 2)
    if name != "identity"
]


@pytest.mark.parametrize(("name", "op", "strides"), CHANGING, ids=[f"{form[0]} /{form[2]}" for form in CHANGING])
def test_an_operation_that_changes_the_width_is_one_function_and_costs_what_is_counted(name, op, strides):
    inputs = keras.Input((8, 8, 10))
    child = keras.Model(inputs, op.apply(Layers(), inputs, CHANNELS, "op", strides))
    bank, x, pixels = randomize(op.build_bank(2, CHANNELS, inputs=10)), draw(4, 8, 8, 10), (8 // strides) ** 2
    op.copy_weights(child, "op", bank.rows(1))
    expected = bank.compute(x, bank.rows(1), strides)
    assert expected.shape == (4, 8 // strides, 8 // strides, CHANNELS)
    np.testing.assert_allclose(child(x, training=True), expected, atol=1e-4)
    parameters = op.count(CHANNELS, pixels, strides, inputs=10).parameters
    assert parameters == sum(int(np.prod(v.shape)) for v in child.trainable_variables)
    assert parameters == sum(int(np.prod(stack.shape[1:])) for stack in bank.stacks)


NORMS = ("gamma", "beta")


@pytest.mark.parametrize(("op", "strides"), [form[1:] for form in FORMS], ids=[form[0] for form in FORMS])
def test_names_of_layers_begin_with_the_name_that_is_given(op, strides):
    assert all(layer.name.startswith("op") for layer in build_child(op, strides).layers[1:])


def test_a_taken_name_is_refused():
    convolution = LAYER_OPS["conv_3x3"]
    with pytest.raises(InputError, match="'conv_3x3' is registered already"):
        register(Pooling("conv_3x3", 3, "#000000", lambda x, *_: x, keras.layers.MaxPooling2D))
    assert LAYER_OPS["conv_3x3"] is convolution


def test_a_file_that_is_read_again_changes_no_number():
    before = vocabulary.CELL_OPS.names
    register(Convolution("conv_3x3", 3, CELL_OPS["conv_3x3"].colour))
    assert vocabulary.CELL_OPS.names == before


def test_a_reduction_halves_odd_sizes_with_zeros_behind_the_shifted_image():
    """Slim's factorized_reduction: the image moved up and left by a pixel has zeros in its last row and column."""
    inputs, x = keras.Input((7, 8, CHANNELS)), draw(2, 7, 8, CHANNELS)
    child = keras.Model(inputs, REDUCTION.apply(Layers(), inputs, 5, "op"))
    even, odd = (child.get_layer(f"op_{part}_conv").kernel for part in ("even", "odd"))
    moved = np.pad(x[:, 1:, 1:], [(0, 0), (0, 1), (0, 1), (0, 0)])
    halves = [np.array(part)[:, ::2, ::2] @ kernel[0, 0] for part, kernel in ((x, even), (moved, odd))]
    joined = keras.Model(inputs, child.get_layer("op_concat").output)(x)
    assert joined.shape == (2, 4, 4, 5)
    np.testing.assert_allclose(joined, np.concatenate(halves, axis=-1), atol=1e-5)
    cost = REDUCTION.count(5, 16, inputs=CHANNELS)
    assert cost.parameters == sum(int(np.prod(v.shape)) for v in child.trainable_variables)
