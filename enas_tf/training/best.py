"""The best epoch of a child's training: its weights, and how long none has been better."""

import math

import numpy as np
import tensorflow as tf

from enas_tf.runtime import cluster


class BestEpoch:
    """Remembers the weights of the epoch whose validation metric was best.

    Args:
      weights: all weights of the child, those that are not trained too, such as moving statistics.
      metric: the name of the metric, such as valid_accuracy.
      is_higher_better: whether more of it is better.
      keeps_weights: whether `finish` gives the child the weights of that epoch.
      patience: the training is over after so many epochs that were not better; 0 = never.
    """

    def __init__(self, weights: list, metric: str, is_higher_better: bool, keeps_weights: bool, patience: int):
        self.weights, self.metric, self.patience = weights, metric, patience
        self._sign = 1.0 if is_higher_better else -1.0
        self._value = tf.Variable(-math.inf, trainable=False, name="best_value")
        self._num_worse = tf.Variable(0, dtype=tf.int64, trainable=False, name="num_worse")
        kept = weights if keeps_weights else []
        self._kept = [tf.Variable(np.asarray(w), trainable=False, name=f"best_{w.name}") for w in kept]

    @property
    def tracked(self) -> list[tf.Variable]:
        """What a checkpoint holds."""
        return [self._value, self._num_worse, *self._kept]

    @property
    def keeps_weights(self) -> bool:
        """Whether `finish` gives the child other weights than the last."""
        return bool(self._kept)

    @property
    def is_over(self) -> bool:
        """Whether so many epochs in a row were not better that the training is over."""
        return 0 < self.patience <= int(self._num_worse.numpy())

    def decide(self, metrics: dict[str, float]) -> None:
        """Hear of the metrics of an epoch, while the child has the weights that they were measured with.

        Of equal epochs the first one is kept. A metric that is not a number is no better than any.
        """
        # All processes end at the same epoch, by the chief's number.
        value = float(cluster.agree(tf.constant(self._sign * metrics[self.metric], tf.float32)))
        if not value > float(self._value.numpy()):
            self._num_worse.assign_add(1)
            return
        self._value.assign(value)
        self._num_worse.assign(0)
        for kept, weight in zip(self._kept, self.weights, strict=False):
            kept.assign(np.asarray(weight))

    def finish(self) -> None:
        """Give the child the weights of the best epoch, where they are kept and there was one."""
        if math.isfinite(float(self._value.numpy())):
            for kept, weight in zip(self._kept, self.weights, strict=False):
                weight.assign(kept.numpy())
