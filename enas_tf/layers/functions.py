"""The functions of a tensor that operations are made of, in the forms that are fast where the supernet uses them."""

import math

import keras
import tensorflow as tf

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
    search used some, and ranked by them), so the statistics are the batch's in training and in the reward.
    """
    return tf.compat.v1.nn.fused_batch_norm(x, gamma, beta, epsilon=EPSILON, is_training=True)[0]


def convolve(x: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """`x` [batch, height, width, c] with `kernel` [k, k, c, channels]; stride 1, zero padding to the same size."""
    return tf.nn.conv2d(x, kernel, strides=1, padding="SAME")


def convolve_depthwise(x: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """`x` [batch, height, width, c] with one filter per channel, `kernel` [k, k, c, 1]; stride 1, same size."""
    return tf.nn.depthwise_conv2d(x, kernel, strides=[1, 1, 1, 1], padding="SAME")


def average_pool(x: tf.Tensor, size: int) -> tf.Tensor:
    """Mean over size x size windows, stride 1, same size; positions outside the image do not count.

    The gradient is a pooling too: with n pixels in the window of each position it is n * average_pool(dy / n). On a CPU
    the gradient's own kernel is the slow one inside a branch (before and after: benchmarks/README.md).
    """

    @tf.custom_gradient
    def pool(x):
        def gradient(dy):
            counts = _window_sizes(dy, size)
            return counts * tf.nn.avg_pool2d(dy / counts, size, strides=1, padding="SAME")

        return tf.nn.avg_pool2d(x, size, strides=1, padding="SAME"), gradient

    return pool(x)


def _window_sizes(like: tf.Tensor, size: int) -> tf.Tensor:
    """How many pixels of the image lie in the window around each position, [1, height, width, 1]."""
    rows, columns = (
        tf.constant(
            [sum(0 <= i + d < side for d in range(-(size // 2), size // 2 + 1)) for i in range(side)], like.dtype
        )
        for side in like.shape[1:3]
    )
    return tf.reshape(rows, [1, -1, 1, 1]) * tf.reshape(columns, [1, 1, -1, 1])


def max_pool(x: tf.Tensor, size: int) -> tf.Tensor:
    """Maximum over size x size windows, stride 1, same size.

    The gradient pools again. On a CPU the fast kernel of the pooling gradient is chosen only where it stands beside
    its forward op; inside a branch the forward op is in another graph, and a far slower kernel takes its place.
    """

    @tf.custom_gradient
    def pool(x):
        def gradient(dy):
            again = tf.nn.max_pool2d(x, size, strides=1, padding="SAME")
            return tf.raw_ops.MaxPoolGrad(
                orig_input=x, orig_output=again, grad=dy, ksize=[1, size, size, 1], strides=[1, 1, 1, 1], padding="SAME"
            )

        return tf.nn.max_pool2d(x, size, strides=1, padding="SAME"), gradient

    # The identity belongs to the branch's own graph; without it the capture belongs to the one outside.
    return pool(tf.identity(x))


def sum_of_squares(tensors: list[tf.Tensor]) -> tf.Tensor:
    """The sum of all squared elements, a scalar: what the L2 term of the loss multiplies (no factor 1/2)."""
    return 2.0 * tf.add_n([tf.nn.l2_loss(tensor) for tensor in tensors]) if tensors else tf.zeros([])
