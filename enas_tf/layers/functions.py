"""The functions of a tensor that operations are made of, in the forms that are fast where the supernet uses them.

They compute in the type of that tensor; weights are float32, and cast on the way (mixed precision).
"""

import math

import keras
import tensorflow as tf

from enas_tf.layers import collectives

#: Added to a variance before its root (image_ops.py of the reference, `batch_norm`).
EPSILON = 1e-5


def he_normal(fan_in: int) -> keras.initializers.Initializer:
    """Normal, truncated at two standard deviations of sqrt(2 / fan_in), as in the reference (common_ops.py).

    The fan-in is given, not read off a shape: every row of a bank is initialised as if it stood alone.
    """
    return keras.initializers.TruncatedNormal(stddev=math.sqrt(2.0 / fan_in))


def batch_normalize(x: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor) -> tf.Tensor:
    """Batch normalisation of `x` [batch, height, width, channels] by the statistics of this very batch.

    Weights that many architectures share have no moving averages that fit any one of them (the reference's macro
    search used some, and ranked by them), so the statistics are the batch's in training and in the reward. They are
    float32 whatever `x` is.
    """
    if not collectives.is_synchronized():
        return normalize_by_batch(x, gamma, beta, EPSILON)[0]
    dtype, x = x.dtype, tf.cast(x, tf.float32)
    local = tf.stack([tf.reduce_mean(x, axis=[0, 1, 2]), tf.reduce_mean(tf.square(x), axis=[0, 1, 2])])
    mean, mean_square = tf.unstack(collectives.mean_over_replicas(local))
    y = tf.nn.batch_normalization(x, mean, mean_square - tf.square(mean), beta, gamma, EPSILON)
    return tf.cast(y, dtype)


def normalize_by_batch(
    x: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor, epsilon: float
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """`x` [batch, height, width, channels] normalised by itself; mean and unbiased variance, float32 [channels]."""
    # On a CPU the kernel for bfloat16 takes five times as long as the one for float32 and two casts.
    fused = x if tf.config.list_physical_devices("GPU") else tf.cast(x, tf.float32)
    y, mean, variance = tf.compat.v1.nn.fused_batch_norm(fused, gamma, beta, epsilon=epsilon, is_training=True)
    return tf.cast(y, x.dtype), mean, variance


def convolve(x: tf.Tensor, kernel: tf.Tensor, strides: int = 1) -> tf.Tensor:
    """`x` [batch, height, width, c] with `kernel` [k, k, c, channels]; padded with zeros, one result per stride."""
    return tf.nn.conv2d(x, tf.cast(kernel, x.dtype), strides=strides, padding="SAME")


def convolve_depthwise(x: tf.Tensor, kernel: tf.Tensor, strides: int = 1) -> tf.Tensor:
    """`x` [batch, height, width, c] with one filter per channel, `kernel` [k, k, c, 1]; padded like `convolve`."""
    return tf.nn.depthwise_conv2d(x, tf.cast(kernel, x.dtype), [1, strides, strides, 1], padding="SAME")


def average_pool(x: tf.Tensor, size: int, strides: int = 1) -> tf.Tensor:
    """Mean over size x size windows, one per stride; positions outside the image do not count.

    Strides of 1, or of 2 for an even height and width. The gradient is a pooling too: with n pixels in the window of
    each position it is the sum over size x size windows of dy / n. On a CPU the gradient's own kernel is the slow one
    inside a branch (before and after: benchmarks/README.md).
    """

    @tf.custom_gradient
    def pool(x):
        height, width = x.shape[1:3]

        def gradient(dy):
            shares = dy / _window_sizes(height, width, size, strides, dy.dtype)
            counts = _window_sizes(height, width, size, 1, dy.dtype)
            spread = _spread(shares) if strides == 2 else shares
            return counts * tf.nn.avg_pool2d(spread, size, strides=1, padding="SAME")

        return tf.nn.avg_pool2d(x, size, strides=strides, padding="SAME"), gradient

    return pool(x)


def _window_sizes(height: int, width: int, size: int, strides: int, dtype) -> tf.Tensor:
    """How many pixels of the image lie in each window, [1, height / strides, width / strides, 1]."""
    rows, columns = (
        tf.constant([_window_length(i, side, size, strides) for i in range(side // strides)], dtype)
        for side in (height, width)
    )
    return tf.reshape(rows, [1, -1, 1, 1]) * tf.reshape(columns, [1, 1, -1, 1])


def _window_length(i: int, side: int, size: int, strides: int) -> int:
    """How many of the positions 0..side-1 lie in window `i`; TensorFlow pads the smaller half in front."""
    first = i * strides - (size - strides) // 2
    return min(first + size, side) - max(first, 0)


def _spread(x: tf.Tensor) -> tf.Tensor:
    """Each pixel at the middle of its window of stride 2, zeros elsewhere: [b, h, w, c] to [b, 2 h, 2 w, c]."""
    height, width, channels = x.shape[1:]
    x = tf.reshape(x, [-1, height, 1, width, 1, channels])
    x = tf.pad(x, [[0, 0], [0, 0], [1, 0], [0, 0], [1, 0], [0, 0]])
    return tf.reshape(x, [-1, 2 * height, 2 * width, channels])


def max_pool(x: tf.Tensor, size: int, strides: int = 1) -> tf.Tensor:
    """Maximum over size x size windows, one per stride.

    The gradient pools again. On a CPU the fast kernel of the pooling gradient is chosen only where it stands beside
    its forward op; inside a branch the forward op is in another graph, and a far slower kernel takes its place.
    """

    @tf.custom_gradient
    def pool(x):
        def gradient(dy):
            again = tf.nn.max_pool2d(x, size, strides=strides, padding="SAME")
            return tf.raw_ops.MaxPoolGrad(
                orig_input=x,
                orig_output=again,
                grad=dy,
                ksize=[1, size, size, 1],
                strides=[1, strides, strides, 1],
                padding="SAME",
            )

        return tf.nn.max_pool2d(x, size, strides=strides, padding="SAME"), gradient

    # The identity belongs to the branch's own graph; without it the capture belongs to the one outside.
    return pool(tf.identity(x))


def sum_of_squares(tensors: list[tf.Tensor]) -> tf.Tensor:
    """The sum of all squared elements, a scalar: what the L2 term of the loss multiplies (no factor 1/2)."""
    return 2.0 * tf.add_n([tf.nn.l2_loss(tensor) for tensor in tensors]) if tensors else tf.zeros([])
