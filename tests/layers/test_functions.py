"""Laws of functions: fast and plain forms have equal values and gradients, also in a branch inside a loop."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from enas_tf.layers import functions
from enas_tf.layers.stock import Layers

POOLS = {
    "average": (functions.average_pool, tf.nn.avg_pool2d),
    "max": (functions.max_pool, tf.nn.max_pool2d),
}


def random(*shape, seed=0):
    return tf.constant(np.random.default_rng(seed).normal(size=shape), tf.float32)


def differentiate(function, x):
    """Return the value at `x`, and the gradient of the sum of all elements with random weights."""
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = function(x)
        loss = tf.reduce_sum(y * random(*y.shape, seed=1))
    return y, tape.gradient(loss, x)


@pytest.mark.parametrize("shape", [(2, 8, 8, 3), (1, 5, 7, 2), (2, 2, 1, 1)], ids=str)
@pytest.mark.parametrize("size", [3, 5])
@pytest.mark.parametrize("kind", POOLS)
def test_pools_are_those_of_tensorflow(kind, size, shape):
    mine, plain = POOLS[kind]
    found = differentiate(lambda x: mine(x, size), random(*shape))
    expected = differentiate(lambda x: plain(x, size, strides=1, padding="SAME"), random(*shape))
    for value, its in zip(found, expected, strict=True):
        np.testing.assert_allclose(value, its, atol=1e-5)


@pytest.mark.parametrize("shape", [(2, 8, 6, 3), (1, 2, 2, 2)], ids=str)
@pytest.mark.parametrize("size", [3, 5, 7])
@pytest.mark.parametrize("kind", POOLS)
def test_pools_with_a_stride_are_those_of_tensorflow(kind, size, shape):
    mine, plain = POOLS[kind]
    found = differentiate(lambda x: mine(x, size, 2), random(*shape))
    expected = differentiate(lambda x: plain(x, size, strides=2, padding="SAME"), random(*shape))
    for value, its in zip(found, expected, strict=True):
        np.testing.assert_allclose(value, its, atol=1e-5)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 0)], ids=str)
def test_pools_in_a_branch_within_a_loop(order):
    """A loop has three steps, and a tensor picks the operation of each."""
    x = random(2, 6, 6, 3)
    plain = [
        lambda x: tf.nn.avg_pool2d(x, 3, strides=1, padding="SAME"),
        lambda x: tf.nn.max_pool2d(x, 3, strides=1, padding="SAME"),
        tf.nn.relu,
    ]

    def compose(x):
        for op in order:
            x = plain[op](x)
        return x

    def loop(x, ops):
        def step(i, x):
            branches = [
                lambda: functions.average_pool(x, 3),
                lambda: functions.max_pool(x, 3),
                lambda: tf.nn.relu(x),
            ]
            return i + 1, tf.ensure_shape(tf.switch_case(ops[i], branches), x.shape)

        return tf.while_loop(lambda i, _: i < 3, step, (0, x), maximum_iterations=3)[1]

    found = tf.function(lambda ops: differentiate(lambda x: loop(x, ops), x), autograph=False)(tf.constant(order))
    for value, its in zip(found, differentiate(compose, x), strict=True):
        np.testing.assert_allclose(value, its, atol=1e-5)


@pytest.mark.parametrize("fan_in", [4, 900])
def test_he_normal_has_the_deviation_of_its_fan_in(fan_in):
    """A normal distribution of deviation s = sqrt(2 / fan_in) that is cut at 2 s has the deviation 0.8796 s."""
    values = functions.he_normal(fan_in)((10, 100, 100)).numpy()
    deviation = np.sqrt(2.0 / fan_in)
    assert values.std() == pytest.approx(0.8796 * deviation, rel=0.02)
    assert values.mean() == pytest.approx(0.0, abs=0.02 * deviation)
    assert np.abs(values).max() <= 2 * deviation * (1 + 1e-6)


def test_batch_normalize_is_its_formula():
    x, gamma, beta = 3.0 + 2.0 * random(4, 5, 6, 3), random(3, seed=2), random(3, seed=3)
    mean, variance = np.mean(x, axis=(0, 1, 2)), np.var(x, axis=(0, 1, 2))
    expected = gamma * (x - mean) / np.sqrt(variance + functions.EPSILON) + beta
    np.testing.assert_allclose(functions.batch_normalize(x, gamma, beta), expected, atol=1e-5)


def test_batch_normalize_of_a_constant_is_beta():
    beta = random(3)
    np.testing.assert_allclose(
        functions.batch_normalize(tf.fill([2, 2, 2, 3], 7.0), tf.ones(3), beta), np.tile(beta, (2, 2, 2, 1)), atol=1e-5
    )


def test_sum_of_squares():
    assert float(functions.sum_of_squares([tf.constant([1.0, 2.0]), tf.constant([[3.0]])])) == 14.0
    assert float(functions.sum_of_squares([])) == 0.0


@pytest.mark.parametrize("strides", [1, 2, (2, 3)], ids=str)
@pytest.mark.parametrize("size", [8, 9])
def test_a_kernel_of_one_pixel_with_strides_has_the_gradient_of_its_formula(size, strides):
    """As a function and as a layer; kernels of libraries have been wrong here, with few channels."""
    down, right = (strides, strides) if isinstance(strides, int) else strides
    x, kernel = random(8, size, size, 3), random(1, 1, 3, 4, seed=2)
    inputs = keras.Input((size, size, 3))
    model = keras.Model(inputs, Layers().convolve(inputs, 4, 1, "one", strides))
    model.set_weights([kernel])
    for compute, weights in (
        (lambda: functions.convolve(x, kernel, strides), kernel),
        (lambda: model(x), model.trainable_variables[0].value),
    ):
        with tf.GradientTape() as tape:
            tape.watch(weights)
            y = compute()
            loss = tf.reduce_sum(y * random(*y.shape, seed=1))
        taken = x.numpy()[:, ::down, ::right]
        np.testing.assert_allclose(y, np.einsum("bhwc,cd->bhwd", taken, kernel[0, 0]), atol=1e-5)
        expected = np.einsum("bhwc,bhwd->cd", taken, random(*y.shape, seed=1))
        np.testing.assert_allclose(tape.gradient(loss, weights)[0, 0], expected, atol=1e-3)


def test_squares_are_those_of_the_rows_that_are_chosen():
    rows = tf.reshape(tf.range(12.0), [2, 3, 2])
    expected = sum(float(value) ** 2 for value in (0, 1, 4, 5, 6, 7, 10, 11))
    assert float(functions.masked_squares(rows, tf.constant([True, False, True]))) == expected
