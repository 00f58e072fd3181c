"""Batch normalisation of a child in training, in one kernel."""

import keras
import tensorflow as tf

from enas_tf.layers import functions


class FusedBatchNormalization(keras.layers.BatchNormalization):
    """Keras' layer by TensorFlow's fused kernel in training; Keras' own is some ten operations (benchmarks/README.md).

    The same numbers, weights and names. It is for training only: the child that is kept has Keras' layer in its place,
    and loads without this package. Inputs are [batch, height, width, channels].
    """

    def call(self, inputs, training=None, mask=None):
        # Keras' own knows statistics of several replicas.
        if not (training and self.trainable) or self.synchronized:
            return super().call(inputs, training=training, mask=mask)
        gamma, beta = tf.convert_to_tensor(self.gamma), tf.convert_to_tensor(self.beta)
        y, mean, variance = functions.normalize_by_batch(inputs, gamma, beta, self.epsilon)
        # The kernel's variance is the unbiased one, Keras keeps the other.
        num = tf.cast(tf.reduce_prod(tf.shape(inputs)[:3]), tf.float32)
        for moving, found in ((self.moving_mean, mean), (self.moving_variance, variance * (num - 1.0) / num)):
            moving.assign(moving * self.momentum + found * (1.0 - self.momentum))
        return y
