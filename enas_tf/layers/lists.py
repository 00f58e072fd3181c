"""Growing lists of tensors of any shapes, for loops and branches of a graph.

A list is a variant tensor, as inside `tf.TensorArray`, but with a cheaper gradient. A write to a `tf.TensorArray`
replaces an element, so its gradient fills the element with zeros; the gradient of a push only removes the last element.
The gradient of a list from which nothing is read starts with zeros for every element. To avoid this, a list here begins
with a scalar zero: adding `zero(values)` to a result reads from the list.
"""

import tensorflow as tf


def new_list(dtype: tf.DType) -> tf.Tensor:
    """Return a list without tensors."""
    values = tf.raw_ops.EmptyTensorList(element_shape=-1, max_num_elements=-1, element_dtype=dtype)
    return push(values, tf.zeros([], dtype))


def push(values: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    """Return the list `values` with `x` appended."""
    # Without the identity a loop mistakes the list for one that its own gradient has made to keep `x`.
    return tf.raw_ops.TensorListPushBack(input_handle=tf.identity(values), tensor=x)


def read(values: tf.Tensor, place, shape, dtype: tf.DType) -> tf.Tensor:
    """Return the tensor that was pushed as number `place` (from 0); its static shape is `shape`."""
    x = tf.raw_ops.TensorListGetItem(input_handle=values, index=place + 1, element_shape=-1, element_dtype=dtype)
    return tf.ensure_shape(x, shape)


def zero(values: tf.Tensor, dtype: tf.DType) -> tf.Tensor:
    """Return a scalar 0 that is read from the list."""
    return read(values, -1, [], dtype)


@tf.custom_gradient
def keep_shape(x: tf.Tensor):
    """Return `x`, to be pushed. Its gradient is read from a list, which loses the static shape; it is restored here."""
    return tf.identity(x), lambda gradient: tf.ensure_shape(gradient, x.shape)


def array_of(rows: tf.Tensor) -> tf.TensorArray:
    """Return the rows of a tensor of known length as an array, whose elements can be read more than once."""
    return tf.TensorArray(rows.dtype, rows.shape[0], clear_after_read=False).unstack(rows)
