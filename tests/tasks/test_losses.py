"""The loss and the metric of a choice among classes are their formulas."""

import numpy as np
import pytest
import tensorflow as tf

from enas_tf.tasks.losses import count_correct, cross_entropy

LOGITS = np.random.default_rng(0).normal(size=(7, 4)).astype(np.float32)
LABELS = np.array([0, 1, 2, 3, 0, 1, 2], np.int32)


def log_softmax(logits):
    return logits - np.log(np.sum(np.exp(logits), axis=1, keepdims=True))


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.6])
def test_cross_entropy(smoothing):
    """The target gives 1 - s to the label, and s / classes to every class, the label included."""
    targets = (1 - smoothing) * np.eye(4)[LABELS] + smoothing / 4
    expected = -np.mean(np.sum(targets * log_softmax(LOGITS), axis=1))
    found = cross_entropy(tf.constant(LABELS), tf.constant(LOGITS), smoothing)
    assert float(found) == pytest.approx(expected, rel=1e-5)


def test_smoothing_is_least_at_its_own_target():
    """With smoothing, certainty is punished: the best logits are the logarithms of the target."""
    best = np.log(0.9 * np.eye(4)[LABELS] + 0.1 / 4).astype(np.float32)
    losses = [float(cross_entropy(tf.constant(LABELS), tf.constant(scale * best), 0.1)) for scale in (0.8, 1.0, 1.2)]
    assert losses[1] == min(losses)


def test_count_correct():
    found = count_correct(tf.constant(LABELS), tf.constant(LOGITS))
    assert float(found) == np.sum(LOGITS.argmax(axis=1) == LABELS)
    assert float(count_correct(tf.constant(LABELS), tf.one_hot(LABELS, 4))) == len(LABELS)
    assert float(count_correct(tf.constant(LABELS), tf.one_hot((LABELS + 1) % 4, 4))) == 0
