"""The temperature of a sampled text: logits are divided by it, and nothing else changes."""

import keras
import numpy as np

from enas_tf.experiments.export_stage import at_temperature


def test_logits_are_divided_by_the_temperature():
    ids, state = keras.Input((None,), dtype="int32"), keras.Input((4,))
    logits = keras.layers.Embedding(7, 5)(ids)
    child = keras.Model([ids, state], [logits, state * 2])
    colder = at_temperature(child, 0.25)
    inputs = [np.array([[1, 2, 3]], np.int32), np.ones([1, 4], np.float32)]
    np.testing.assert_array_equal(colder(inputs)[0], child(inputs)[0] * 4)
    np.testing.assert_array_equal(colder(inputs)[1], child(inputs)[1])
    assert colder.input_shape == child.input_shape
    assert at_temperature(child, 1.0) is child
