"""Laws of stand-ins: results, gradients and moving averages equal those of stock layers, in training and without."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from enas_tf.layers.stand_ins import FusedBatchNormalization, SlicedCropping2D


def run(make, dtype, training, trainable=True):
    """Return the dtype, the result, the gradients of input, scale and offset, and all weights after the call."""
    layer = make(momentum=0.9, epsilon=1e-3, dtype=dtype)
    x = tf.constant(np.random.default_rng(0).normal(1.0, 2.0, (4, 3, 5, 2)).astype(np.float32))
    layer.build(x.shape)
    layer.set_weights(np.array([[1.5, 0.5], [0.1, -0.2], [0.3, 0.4], [2.0, 3.0]], np.float32))
    layer.trainable = trainable
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = layer(x, training=training)
        loss = tf.reduce_sum(tf.square(tf.cast(y, tf.float32)) * tf.cast(tf.range(5)[:, None], tf.float32))
    gradients = tape.gradient(loss, [x, layer.gamma.value, layer.beta.value])
    return y.dtype, [y, *gradients, *layer.get_weights()]


@pytest.mark.parametrize(("training", "trainable"), [(True, True), (True, False), (False, True)])
def test_it_is_keras_own_layer(training, trainable):
    _, found = run(FusedBatchNormalization, "float32", training, trainable)
    _, expected = run(keras.layers.BatchNormalization, "float32", training, trainable)
    for mine, its in zip(found, expected, strict=True):
        np.testing.assert_allclose(mine, its, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("dtype", ["mixed_bfloat16", "mixed_float16"])
def test_in_mixed_precision_statistics_are_float32(dtype):
    computed, found = run(FusedBatchNormalization, dtype, True)
    _, expected = run(FusedBatchNormalization, "float32", True)
    assert computed == tf.as_dtype(dtype.removeprefix("mixed_"))
    # Moving averages differ only by the rounding of the input.
    for mine, its in zip(found[-2:], expected[-2:], strict=True):
        np.testing.assert_allclose(mine, its, rtol=2e-3, atol=1e-3)


def test_a_slice_is_the_cropping():
    x, found = tf.constant(np.random.default_rng(0).normal(size=(2, 4, 5, 3))), []
    for make in (SlicedCropping2D, keras.layers.Cropping2D):
        layer = make(cropping=((1, 0), (2, 1)), dtype="float64")
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x)
            loss = tf.reduce_sum(y**2)
        assert layer.compute_output_shape(x.shape) == y.shape == (2, 3, 2, 3)
        found.append((y, tape.gradient(loss, x)))
    for mine, its in zip(*found, strict=True):
        np.testing.assert_array_equal(mine, its)
