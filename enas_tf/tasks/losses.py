"""Cross-entropy and the number of correct predictions, for classes and for tokens."""

import tensorflow as tf


def cross_entropy(labels: tf.Tensor, logits: tf.Tensor, label_smoothing: float = 0.0) -> tf.Tensor:
    """Return the mean cross-entropy in nats of `logits` [..., classes] for `labels` int32 [...], float32 scalar.

    With `label_smoothing`, that share of the target is spread evenly over all classes; labels are then [batch].
    """
    if not label_smoothing:
        return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits))
    num_classes = logits.shape[-1]
    low = label_smoothing / num_classes
    targets = tf.one_hot(labels, num_classes, 1.0 - label_smoothing + low, low)
    return tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(targets, logits))


def count_correct(labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Return how many of `logits` [batch, classes] have their maximum at `labels` int32 [batch], float32 scalar."""
    return tf.reduce_sum(tf.cast(tf.equal(tf.argmax(logits, axis=1, output_type=tf.int32), labels), tf.float32))
