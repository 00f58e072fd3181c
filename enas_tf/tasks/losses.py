"""Cross-entropy and the number of correct predictions, for classes and for tokens."""

import numpy as np
import tensorflow as tf


def cross_entropy(
    labels: tf.Tensor, logits: tf.Tensor, label_smoothing: float = 0.0, class_weights: np.ndarray | None = None
) -> tf.Tensor:
    """Return the mean cross-entropy in nats of `logits` [..., classes] for `labels` int32 [...], float32 scalar.

    With `label_smoothing`, that share of the target is spread evenly over all classes; labels are then [batch]. With
    `class_weights` float32 [classes], each cross-entropy is multiplied by the weight of its label before the mean.
    """
    if not label_smoothing:
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
    else:
        num_classes = logits.shape[-1]
        low = label_smoothing / num_classes
        targets = tf.one_hot(labels, num_classes, 1.0 - label_smoothing + low, low)
        losses = tf.nn.softmax_cross_entropy_with_logits(targets, logits)
    return tf.reduce_mean(losses if class_weights is None else losses * tf.gather(class_weights, labels))


def count_correct(labels: tf.Tensor, logits: tf.Tensor, class_weights: np.ndarray | None = None) -> tf.Tensor:
    """Return how many of `logits` [batch, classes] have their maximum at `labels` int32 [batch], float32 scalar.

    With `class_weights` float32 [classes], each counts as much as the weight of its label.
    """
    is_correct = tf.cast(tf.equal(tf.argmax(logits, axis=1, output_type=tf.int32), labels), tf.float32)
    return tf.reduce_sum(is_correct if class_weights is None else is_correct * tf.gather(class_weights, labels))


def balance(labels: np.ndarray, num_classes: int) -> np.ndarray:
    """Return weights of classes, float32 [num_classes], by which all classes of `labels` weigh alike.

    The weight of a class is n / (k * n_c), with n labels of k classes, n_c of them of this one; their mean over the
    labels is 1. A class without labels has the weight 0.
    """
    counts = np.bincount(labels, minlength=num_classes)
    num_present = np.count_nonzero(counts)
    return np.where(counts, len(labels) / (num_present * np.maximum(counts, 1)), 0.0).astype(np.float32)


def accuracy_by_class(confusion: np.ndarray) -> np.ndarray:
    """Return the share of correct predictions of each class, float64 [classes]; NaN of a class without images.

    Args:
      confusion: int [classes, classes], how many images of each class (row) are taken for each (column).
    """
    totals = confusion.sum(axis=1)
    return np.where(totals, np.diag(confusion) / np.maximum(totals, 1), np.nan)


def balanced_accuracy(confusion: np.ndarray) -> float:
    """Return the mean of the accuracies of all classes that have images."""
    return float(np.nanmean(accuracy_by_class(confusion)))
