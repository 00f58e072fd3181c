"""Laws of activations: value and written gradient are their formulas."""

import numpy as np
import pytest
import tensorflow as tf

from enas_tf.ops.activations import ACTIVATIONS

# 0 is left out: the slope of relu is not defined there.
POINTS = np.array([-40.0, -3.0, -0.5, -1e-3, 1e-3, 0.5, 3.0, 40.0], np.float32)


def sigmoid(z):
    return (1 + np.tanh(z / 2)) / 2


#: Name of an activation -> its value and its slope in NumPy.
PLAIN = {
    "tanh": (np.tanh, lambda z: 1 - np.tanh(z) ** 2),
    "relu": (lambda z: np.maximum(z, 0), lambda z: np.where(z > 0, 1.0, 0.0)),
    "identity": (lambda z: z, np.ones_like),
    "sigmoid": (sigmoid, lambda z: sigmoid(z) * (1 - sigmoid(z))),
}


def test_every_activation_is_tested():
    assert set(ACTIVATIONS) == set(PLAIN)


@pytest.mark.parametrize("name", PLAIN)
def test_an_activation_and_its_gradient_are_their_formulas(name):
    value, slope = PLAIN[name]
    y = ACTIVATIONS[name].call(tf.constant(POINTS))
    np.testing.assert_allclose(y, value(POINTS), rtol=1e-5, atol=1e-6)
    gradient = ACTIVATIONS[name].gradient(y, tf.constant(POINTS))
    np.testing.assert_allclose(gradient, POINTS * slope(POINTS), rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("name", PLAIN)
def test_an_activation_has_tensorflow_s_slope_at_zero(name):
    """Products are exactly 0 where all inputs of a node are dropped, or are zeros of a relu."""
    zero = tf.constant([0.0])
    with tf.GradientTape() as tape:
        tape.watch(zero)
        y = ACTIVATIONS[name].call(zero)
    found = ACTIVATIONS[name].gradient(y, tf.ones_like(y))
    np.testing.assert_array_equal(found, tape.gradient(y, zero))
