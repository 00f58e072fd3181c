"""Layers that replace stock Keras layers while a child is trained: equal functions and weights, faster kernels.

A saved child has the stock layers, so it can be loaded without this package. Gains: benchmarks/README.md.
"""

import keras
import tensorflow as tf

from enas_tf.layers import functions


class FusedBatchNormalization(keras.layers.BatchNormalization):
    """Keras' layer with TensorFlow's fused kernel in training, where Keras uses about ten operations.

    Inputs are [batch, height, width, channels].
    """

    def call(self, inputs, training=None, mask=None):
        # Keras' own code takes statistics over several replicas.
        if not (training and self.trainable) or self.synchronized:
            return super().call(inputs, training=training, mask=mask)
        gamma, beta = tf.convert_to_tensor(self.gamma), tf.convert_to_tensor(self.beta)
        y, mean, variance = functions.normalize_by_batch(inputs, gamma, beta, self.epsilon)
        # The kernel returns the unbiased variance, but Keras keeps the biased one.
        num = tf.cast(tf.reduce_prod(tf.shape(inputs)[:3]), tf.float32)
        for moving, found in ((self.moving_mean, mean), (self.moving_variance, variance * (num - 1.0) / num)):
            moving.assign(moving * self.momentum + found * (1.0 - self.momentum))
        return y


class SlicedCropping2D(keras.layers.Cropping2D):
    """Keras' layer with a slice, whose gradient is a padding: that of Keras' strided slice is several times slower."""

    def call(self, inputs):
        (top, bottom), (left, right) = self.cropping
        height, width = inputs.shape[1:3]
        return tf.slice(inputs, [0, top, left, 0], [-1, height - top - bottom, width - left - right, -1])
