"""SGD that takes the gradients of a bank as they come: of the few rows that one architecture uses."""

import keras
import tensorflow as tf


class RowSgd(keras.optimizers.SGD):
    """SGD whose Nesterov momentum takes gradients of some rows of a bank as they are.

    The momentum of all rows decays and moves them, as with a dense gradient of zeros for the others. But that gradient
    is never made: it would be written, measured and added, many times the size of what one architecture uses.
    """

    def update_step(self, gradient, variable, learning_rate):
        """Update a weight by its gradient, a tensor or `tf.IndexedSlices` in which no row stands twice."""
        if not isinstance(gradient, tf.IndexedSlices) or not self.nesterov:
            super().update_step(gradient, variable, learning_rate)
            return
        momentum = self.momentums[self._get_variable_index(variable)].value
        rate, values = (tf.cast(x, variable.dtype) for x in (learning_rate, gradient.values))
        step = tf.IndexedSlices(rate * values, gradient.indices)
        momentum.assign(self.momentum * momentum)
        momentum.scatter_sub(step)
        # One pass over the weights: they move by the new momentum times its factor, and by the step.
        ahead = {"alpha": tf.constant(-self.momentum, momentum.dtype), "delta": momentum.read_value()}
        tf.raw_ops.ResourceApplyGradientDescent(var=variable.handle, **ahead)
        variable.scatter_sub(step)


def sum_of_each_row(gradient: tf.Tensor | tf.IndexedSlices) -> tf.Tensor | tf.IndexedSlices:
    """Return the gradient with each of its rows once."""
    if not isinstance(gradient, tf.IndexedSlices):
        return gradient
    rows, places = tf.unique(gradient.indices)
    values = tf.math.unsorted_segment_sum(gradient.values, places, tf.size(rows))
    return tf.IndexedSlices(values, rows, gradient.dense_shape)
