"""What cells are made of: sampled activations are the named ones, the highway is its formula, time is a plain loop."""

import numpy as np
import pytest
import tensorflow as tf

from enas_tf.layers import recurrence
from enas_tf.spaces import recurrent

ACTIVATIONS = tuple(recurrence.ACTIVATIONS)
# Without 0, where the slope of relu jumps.
POINTS = np.array([-40.0, -3.0, -0.5, -1e-3, 1e-3, 0.5, 3.0, 40.0], np.float32)


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


#: Value and slope.
PLAIN = {
    "tanh": (np.tanh, lambda z: 1 - np.tanh(z) ** 2),
    "relu": (lambda z: np.maximum(z, 0), lambda z: np.where(z > 0, 1.0, 0.0)),
    "identity": (lambda z: z, np.ones_like),
    "sigmoid": (sigmoid, lambda z: sigmoid(z) * (1 - sigmoid(z))),
}


@tf.function(autograph=False)
def differentiate(order, index, z):
    with tf.GradientTape() as tape:
        tape.watch(z)
        y = recurrence.sampled_activation(order, index)(z)
    return y, tape.gradient(y, z)


def test_every_activation_of_the_space_is_there():
    assert ACTIVATIONS == recurrent.ACTIVATIONS
    assert set(ACTIVATIONS) == set(PLAIN)


@pytest.mark.parametrize("order", [ACTIVATIONS, ACTIVATIONS[::-1], ("sigmoid", "relu"), ("identity",)], ids=str)
def test_a_sampled_activation_is_the_one_that_its_index_names(order):
    for index, name in enumerate(order):
        value, slope = PLAIN[name]
        found = differentiate(order, tf.constant(index), tf.constant(POINTS))
        np.testing.assert_allclose(found[0], value(POINTS), rtol=1e-5, atol=1e-6, err_msg=name)
        np.testing.assert_allclose(found[1], slope(POINTS), rtol=1e-4, atol=1e-6, err_msg=name)
        np.testing.assert_allclose(found[0], recurrence.ACTIVATIONS[name](POINTS), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("index", range(4))
def test_a_sampled_activation_has_the_named_one_s_slope_at_zero(index):
    """Products are exactly 0 where all that a node reads is dropped, or is the zeros of a dead relu."""
    zero = tf.constant([0.0])
    with tf.GradientTape() as tape:
        tape.watch(zero)
        y = recurrence.ACTIVATIONS[ACTIVATIONS[index]](zero)
    found = differentiate(ACTIVATIONS, tf.constant(index), zero)
    np.testing.assert_array_equal(found[0], y)
    np.testing.assert_array_equal(found[1], tape.gradient(y, zero))


def test_one_trace_serves_every_index():
    def call(index, z):
        return recurrence.sampled_activation(ACTIVATIONS, index)(z)

    traced = tf.function(call, autograph=False)
    found = [traced(tf.constant(index), tf.constant(POINTS)).numpy() for index in range(4)]
    assert traced.experimental_get_tracing_count() == 1
    assert len({values.tobytes() for values in found}) == 4


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_highway_is_its_formula(name):
    random = np.random.default_rng(0)
    previous, content, gate = random.normal(size=(3, 4, 5))
    expected = sigmoid(gate) * PLAIN[name][0](content) + (1 - sigmoid(gate)) * previous
    product = tf.constant(np.concatenate([content, gate], axis=1), tf.float32)
    found = recurrence.highway(tf.constant(previous, tf.float32), product, recurrence.ACTIVATIONS[name])
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_highway_with_an_open_and_a_closed_gate():
    """A gate far below 0 lets through what was there, one far above 0 the new content."""
    previous, product = tf.constant([[0.3, 0.3]]), tf.constant([[0.7, 0.7, -50.0, 50.0]])
    np.testing.assert_allclose(recurrence.highway(previous, product, tf.identity), [[0.3, 0.7]], atol=1e-6)


@pytest.mark.parametrize("time", [1, 6])
def test_run_over_time_is_a_plain_loop(time):
    """From the state that is given, in the order of time, each row for itself; `time` is not known to the trace."""
    random = np.random.default_rng(1)
    inputs = random.normal(size=(2, time, 3)).astype(np.float32)
    start = random.normal(size=(2, 4)).astype(np.float32)
    mix, keep = random.normal(size=(3, 4)).astype(np.float32), random.normal(size=(4, 4)).astype(np.float32)

    @tf.function(autograph=False, input_signature=[tf.TensorSpec([None, None, 3]), tf.TensorSpec([None, 4])])
    def run(inputs, state):
        return recurrence.run_over_time(lambda state, x: tf.tanh(x @ mix + state @ keep), inputs, state)

    state, expected = start, []
    for step in range(time):
        state = np.tanh(inputs[:, step] @ mix + state @ keep)
        expected.append(state)
    outputs, last = run(inputs, start)
    np.testing.assert_allclose(outputs, np.stack(expected, axis=1), atol=1e-5)
    np.testing.assert_array_equal(last, outputs[:, -1])
