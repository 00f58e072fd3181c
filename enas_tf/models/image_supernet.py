"""The base class of supernets for images: how images enter, and how logits leave."""

import keras
import tensorflow as tf

from enas_tf.layers import collectives, functions
from enas_tf.models.images import ImageConfig, ImageNetworkConfig
from enas_tf.spaces.space import Space


class ImageSupernet(keras.layers.Layer):
    """`supernet(images, tokens)` is the child of `tokens` applied to `images`, with shared weights.

    Subclasses add their weights in `__init__`, the classifier last, and then set `built`.

    Args:
      space: what can be built.
      network: size and dropout.
      image: shape, statistics and classes of the images.
      dtype: a Keras policy. With mixed_bfloat16 or mixed_float16 the weights, batch statistics and logits stay
        float32, and all else is computed in the shorter type.
    """

    def __init__(self, space: Space, network: ImageNetworkConfig, image: ImageConfig, dtype: str = "float32"):
        # The layer's own policy stays float32, since Keras would cast whole banks: functions cast the rows that they
        # use.
        super().__init__(name="supernet")
        self.computed_in = keras.DTypePolicy(dtype).compute_dtype
        self.space, self.network, self.image = space, network, image
        self.normalization = keras.layers.Normalization(mean=image.mean, variance=image.variance, dtype="float32")
        # Built here, outside of any trace: it keeps tensors, not variables.
        self.normalization.build((None, image.height, image.width, image.channels))

    def add_convolution(self, name: str, inputs: int, channels: int) -> list[keras.Variable]:
        """Add the kernel of a 3x3 convolution, and scale and offset of its batch normalisation."""
        kernel_init = functions.he_normal(9 * inputs)
        return [
            self.add_weight(name=name, shape=(3, 3, inputs, channels), initializer=kernel_init),
            self.add_weight(name=f"{name}_gamma", shape=(channels,), initializer="ones"),
            self.add_weight(name=f"{name}_beta", shape=(channels,), initializer="zeros"),
        ]

    def add_classifier(self, channels: int) -> keras.Variable:
        """Add the matrix of the classes."""
        shape = (channels, self.image.num_classes)
        return self.add_weight(name="classifier", shape=shape, initializer=functions.he_normal(channels))

    def call(
        self, images: tf.Tensor, tokens: tf.Tensor, dropout_seed: tf.Tensor | None = None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Compute one child.

        Args:
          images: uint8 [batch, height, width, channels], 0..255.
          tokens: int32 [num_tokens], of `space`.
          dropout_seed: int32 [2]; dropout is applied before the classifier when it is given.

        Returns:
          logits float32 [batch, num_classes], and the sum of squares of the weights that the child is made of.
        """
        raise NotImplementedError

    def standardize(self, images: tf.Tensor) -> tf.Tensor:
        """Return uint8 `images` with mean 0 and variance 1, in the type that the network computes in."""
        return tf.cast(self.normalization(images), self.computed_in)

    def classify(self, x: tf.Tensor, classifier: tf.Tensor, dropout_seed: tf.Tensor | None) -> tf.Tensor:
        """Return the logits of `x` [batch, height, width, channels], float32 [batch, num_classes].

        Features are the means over all pixels. Dropout is applied to them when a seed is given (int32 [2]).
        """
        features = tf.reduce_mean(tf.cast(x, tf.float32), axis=[1, 2])
        if dropout_seed is not None and self.network.dropout > 0:
            features = collectives.dropout(features, self.network.dropout, dropout_seed)
        return tf.matmul(features, classifier)
