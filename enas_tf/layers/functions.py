"""Functions of a tensor from which operations are built, in forms that are fast inside a supernet.

They compute in the type of that tensor. Weights are float32 and are cast to it (mixed precision).
"""

import math

import keras
import tensorflow as tf

from enas_tf.layers import collectives

#: The number added to a variance before its square root is taken (image_ops.py of the reference, `batch_norm`).
EPSILON = 1e-5


def he_normal(fan_in: int) -> keras.initializers.Initializer:
    """Return the initializer of the reference (common_ops.py).

    It is normal with a standard deviation of sqrt(2 / fan_in), truncated at two of these. The fan-in is not derived
    from a shape, since each row of a bank is initialised like a weight of its own.
    """
    return keras.initializers.TruncatedNormal(stddev=math.sqrt(2.0 / fan_in))


def batch_normalize(x: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor) -> tf.Tensor:
    """Normalise `x` [batch, height, width, channels] by the statistics of this batch.

    Statistics are the batch's in training and in scoring. Moving averages do not fit: many architectures share the
    weights, and each has its own statistics. (The reference's macro search keeps moving averages and ranks by them.)
    Statistics are float32 for every type of `x`.
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
    """Return normalised `x` [batch, height, width, channels]; its mean and unbiased variance, float32 [channels]."""
    # On a CPU the kernel for bfloat16 takes five times as long as two casts and the kernel for float32.
    fused = x if tf.config.list_physical_devices("GPU") else tf.cast(x, tf.float32)
    y, mean, variance = tf.compat.v1.nn.fused_batch_norm(fused, gamma, beta, epsilon=epsilon, is_training=True)
    return tf.cast(y, x.dtype), mean, variance


def convolve(x: tf.Tensor, kernel: tf.Tensor, strides: int | tuple[int, int] = 1) -> tf.Tensor:
    """Convolve `x` [batch, height, width, c] with `kernel` [k, k, c, channels], padded with zeros at the borders."""
    down, right = (strides, strides) if isinstance(strides, int) else strides
    if kernel.shape[0] == kernel.shape[1] == 1:
        # oneDNN's gradient of a 1x1 kernel with strides may be wrong (`Layers.convolve`).
        x, down, right = (x[:, ::down, ::right] if (down, right) != (1, 1) else x), 1, 1
    return tf.nn.conv2d(x, tf.cast(kernel, x.dtype), strides=(down, right), padding="SAME")


def convolve_dilated(x: tf.Tensor, kernel: tf.Tensor, rate: int) -> tf.Tensor:
    """Convolve `x` as `convolve` does, with `rate` - 1 pixels left out between each two that the kernel reads."""
    # Unlike tf.nn.conv2d, this has a gradient in every build for CPUs.
    return tf.nn.convolution(x, tf.cast(kernel, x.dtype), padding="SAME", dilations=rate)


def convolve_depthwise(x: tf.Tensor, kernel: tf.Tensor, strides: int = 1) -> tf.Tensor:
    """Convolve each channel of `x` [batch, height, width, c] with its filter of `kernel` [k, k, c, 1], zero-padded."""
    return tf.nn.depthwise_conv2d(x, tf.cast(kernel, x.dtype), [1, strides, strides, 1], padding="SAME")


def average_pool(x: tf.Tensor, size: int, strides: int = 1) -> tf.Tensor:
    """Return the means of size x size windows of `x`; positions outside the image do not count.

    `strides` is 1, or 2 for an even height and width. The gradient is written as a pooling too: with n pixels in the
    window of each position it is the sum over size x size windows of dy / n. TensorFlow's kernel of this gradient is
    slow on a CPU inside a branch (measurements: benchmarks/README.md).
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
    """Return the number of pixels of the image in each window, [1, height / strides, width / strides, 1]."""
    rows, columns = (
        tf.constant([_window_length(i, side, size, strides) for i in range(side // strides)], dtype)
        for side in (height, width)
    )
    return tf.reshape(rows, [1, -1, 1, 1]) * tf.reshape(columns, [1, 1, -1, 1])


def _window_length(i: int, side: int, size: int, strides: int) -> int:
    """Return how many of the positions 0..side-1 lie in window `i`; TensorFlow pads the smaller half in front."""
    first = i * strides - (size - strides) // 2
    return min(first + size, side) - max(first, 0)


def _spread(x: tf.Tensor) -> tf.Tensor:
    """Return [b, 2 h, 2 w, c]: the pixels of `x` [b, h, w, c] at the middles of windows of stride 2, else zeros."""
    height, width, channels = x.shape[1:]
    x = tf.reshape(x, [-1, height, 1, width, 1, channels])
    x = tf.pad(x, [[0, 0], [0, 0], [1, 0], [0, 0], [1, 0], [0, 0]])
    return tf.reshape(x, [-1, 2 * height, 2 * width, channels])


def max_pool(x: tf.Tensor, size: int, strides: int = 1) -> tf.Tensor:
    """Return the maxima of size x size windows of `x`.

    The gradient repeats the pooling. On a CPU TensorFlow chooses the fast kernel of the gradient only where the forward
    op is in the same graph. Inside a branch it is in another graph, and the kernel is far slower.
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

    # The identity is in the branch's own graph; without it the input would be a capture from the outer graph.
    return pool(tf.identity(x))


def sum_of_squares(tensors: list[tf.Tensor]) -> tf.Tensor:
    """Return the sum of all squared elements, a scalar without a factor 1/2, for the L2 term of the loss."""
    return 2.0 * tf.add_n([tf.nn.l2_loss(tensor) for tensor in tensors]) if tensors else tf.zeros([])


def masked_squares(rows: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """Return the sum of squares of `rows` [cells, n, ...] where `mask` bool [n] holds."""
    squares = tf.reduce_sum(tf.square(rows), axis=list(range(2, len(rows.shape))))
    return tf.reduce_sum(tf.where(mask, squares, 0.0))
