"""Laws of lists: what is pushed is read, and a list that grows in a loop has a gradient."""

import numpy as np
import pytest
import tensorflow as tf

from enas_tf.layers import lists


def make(dtype):
    """Return a list of a vector and a matrix."""
    values = lists.push(lists.new_list(dtype), tf.constant([1.0, 2.0], dtype))
    return lists.push(values, tf.constant([[3.0], [4.0], [5.0]], dtype))


@pytest.mark.parametrize("dtype", [tf.float32, tf.bfloat16])
def test_what_is_pushed_is_read(dtype):
    values = make(dtype)
    np.testing.assert_array_equal(lists.read(values, 0, [2], dtype), [1, 2])
    np.testing.assert_array_equal(lists.read(values, tf.constant(1), [3, 1], dtype), [[3], [4], [5]])
    assert lists.zero(values, dtype) == 0


def test_a_wrong_shape_is_an_error():
    with pytest.raises(tf.errors.InvalidArgumentError):
        lists.read(make(tf.float32), 0, [3], tf.float32)


@tf.function(autograph=False)
def powers(x, num):
    """Push x^2, x^3, ...; return x^2 and the gradient of the sum of x^3 and the last power."""
    with tf.GradientTape() as tape:
        tape.watch(x)
        values = lists.push(lists.new_list(x.dtype), x)
        read = lambda values, i: lists.read(values, i, x.shape, x.dtype)  # noqa: E731
        _, values = tf.while_loop(
            lambda i, _: i < num, lambda i, values: (i + 1, lists.push(values, x * read(values, i))), (0, values)
        )
        total = tf.reduce_sum(read(values, 2) + read(values, num)) + lists.zero(values, x.dtype)
    return read(values, 1), tape.gradient(total, x)


@pytest.mark.parametrize("num", [2, 4])
def test_a_list_grows_in_a_loop_and_has_a_gradient(num):
    x = np.array([0.5, 2.0], np.float32)
    squares, gradient = powers(tf.constant(x), tf.constant(num))
    np.testing.assert_allclose(squares, x**2)
    np.testing.assert_allclose(gradient, 3 * x**2 + (num + 1) * x**num, rtol=1e-6)
