"""The loss and the metric of a choice among classes are their formulas."""

import numpy as np
import pytest
import tensorflow as tf

from enas_tf.tasks.losses import accuracy_by_class, balance, balanced_accuracy, count_correct, cross_entropy

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


#: Of class 2 there is none.
UNEVEN = np.array([0, 0, 0, 1, 3, 3], np.int32)
SCORES = np.random.default_rng(1).normal(size=(6, 4)).astype(np.float32)
WEIGHTS = np.array([0.5, 2.0, 9.0, 1.0], np.float32)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_a_weighted_cross_entropy(smoothing):
    targets = (1 - smoothing) * np.eye(4)[UNEVEN] + smoothing / 4
    losses = -(targets * log_softmax(SCORES)).sum(axis=1) * WEIGHTS[UNEVEN]
    assert float(cross_entropy(UNEVEN, SCORES, smoothing, WEIGHTS)) == pytest.approx(losses.mean(), rel=1e-5)


def test_correct_ones_count_as_much_as_their_class():
    is_correct = SCORES.argmax(axis=1) == UNEVEN
    assert float(count_correct(UNEVEN, tf.constant(SCORES))) == is_correct.sum()
    expected = (is_correct * WEIGHTS[UNEVEN]).sum()
    assert float(count_correct(UNEVEN, tf.constant(SCORES), WEIGHTS)) == pytest.approx(expected)


def test_balanced_classes_weigh_alike():
    weights = balance(UNEVEN, 4)
    per_class = [weights[UNEVEN][label == UNEVEN].sum() for label in range(4)]
    np.testing.assert_allclose(per_class, [2, 2, 0, 2])
    assert weights[UNEVEN].mean() == pytest.approx(1)
    assert weights.dtype == np.float32


def test_the_balanced_accuracy_is_that_of_the_classes_that_are_there():
    confusion = np.array([[3, 1, 0], [0, 0, 0], [2, 0, 2]])
    np.testing.assert_array_equal(accuracy_by_class(confusion), [0.75, np.nan, 0.5])
    assert balanced_accuracy(confusion) == 0.625


def test_a_weighted_reward_over_a_whole_part_is_the_balanced_accuracy():
    predicted = SCORES.argmax(axis=1)
    confusion = np.zeros((4, 4), int)
    np.add.at(confusion, (UNEVEN, predicted), 1)
    weights = balance(UNEVEN, 4)
    weighted = float(count_correct(UNEVEN, tf.constant(SCORES), weights)) / weights[UNEVEN].sum()
    assert weighted == pytest.approx(balanced_accuracy(confusion), rel=1e-6)
