"""Lists of tensors of any shapes that grow, for loops and branches of a graph: variants, as `tf.TensorArray` keeps too.

What `tf.TensorArray` writes to a place it overwrites, so its gradient fills the place with zeros; the gradient of what
is put behind the last takes the last away. And the gradient of a list of which nothing is read begins with zeros for
all that is in it, so that a list here has a scalar zero in front: `zero(values)`, made part of a result, is a reading.
"""

import tensorflow as tf


def new_list(dtype: tf.DType) -> tf.Tensor:
    """A list without tensors."""
    values = tf.raw_ops.EmptyTensorList(element_shape=-1, max_num_elements=-1, element_dtype=dtype)
    return push(values, tf.zeros([], dtype))


def push(values: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    """`values` and `x` behind them."""
    # Without the identity a loop takes the list for one that its own gradient has made, to keep `x`.
    return tf.raw_ops.TensorListPushBack(input_handle=tf.identity(values), tensor=x)


def read(values: tf.Tensor, place, shape, dtype: tf.DType) -> tf.Tensor:
    """The tensor that was pushed as number `place` (from 0), of static shape `shape`."""
    x = tf.raw_ops.TensorListGetItem(input_handle=values, index=place + 1, element_shape=-1, element_dtype=dtype)
    return tf.ensure_shape(x, shape)


def zero(values: tf.Tensor, dtype: tf.DType) -> tf.Tensor:
    """A scalar 0."""
    return read(values, -1, [], dtype)


@tf.custom_gradient
def keep_shape(x: tf.Tensor):
    """`x`, to be pushed: its gradient comes out of a list too, and has its static shape from here."""
    return tf.identity(x), lambda gradient: tf.ensure_shape(gradient, x.shape)
