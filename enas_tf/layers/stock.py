"""The stock Keras layers that children are made of, by name, so that a second model can be made of the same ones."""

from collections.abc import Callable

import keras

from enas_tf.layers import functions
from enas_tf.layers.stand_ins import FusedBatchNormalization, SlicedCropping2D

#: Share of the old moving average that a step keeps (image_ops.py of the reference).
MOMENTUM = 0.9


class Layers:
    """Layers by name: each is made when it is first asked for. `known` are those of a model that is there already.

    `dtype` is the Keras policy of all layers but those in front of the first convolution and behind the last, which
    compute in float32. Layers `for_training` are faster there, and have the weights of the stock ones.
    """

    def __init__(
        self,
        known: keras.Model | None = None,
        dtype: str | keras.DTypePolicy = "float32",
        for_training: bool = False,
    ):
        self.dtype = dtype
        self.normalization = FusedBatchNormalization if for_training else keras.layers.BatchNormalization
        self.cropping = SlicedCropping2D if for_training else keras.layers.Cropping2D
        self._layers = {layer.name: layer for layer in known.layers} if known is not None else {}

    def get(self, make: Callable[..., keras.layers.Layer], name: str, **options) -> keras.layers.Layer:
        if name not in self._layers:
            self._layers[name] = make(name=name, **{"dtype": self.dtype, **options})
        return self._layers[name]

    def standardize(self, images, mean: tuple[float, ...], variance: tuple[float, ...]):
        """Each channel of the images less its mean, over its standard deviation; float32 whatever the rest is."""
        make = keras.layers.Normalization
        return self.get(make, "normalization", mean=mean, variance=variance, dtype="float32")(images)

    def relu(self, x, name: str):
        return self.get(keras.layers.ReLU, f"{name}_relu")(x)

    def concatenate(self, tensors: list, name: str):
        return self.get(keras.layers.Concatenate, f"{name}_concat")(tensors) if len(tensors) > 1 else tensors[0]

    def normalize(self, x, name: str):
        return self.get(self.normalization, f"{name}_bn", momentum=MOMENTUM, epsilon=functions.EPSILON)(x)

    def convolve(self, x, channels: int, size: int, name: str, strides: int = 1):
        layer = self.get(
            keras.layers.Conv2D,
            f"{name}_conv",
            filters=channels,
            kernel_size=size,
            strides=strides,
            padding="same",
            use_bias=False,
            kernel_initializer=functions.he_normal(size * size * x.shape[-1]),
        )
        return layer(x)

    def relu_convolve_normalize(self, x, channels: int, size: int, name: str, strides: int = 1):
        return self.normalize(self.convolve(self.relu(x, name), channels, size, name, strides), name)

    def relu_separate_normalize(self, x, channels: int, size: int, name: str, strides: int = 1):
        """ReLU, depthwise and pointwise convolution, batch normalisation."""
        layer = self.get(
            keras.layers.SeparableConv2D,
            f"{name}_conv",
            filters=channels,
            kernel_size=size,
            strides=strides,
            padding="same",
            use_bias=False,
            depthwise_initializer=functions.he_normal(size * size),
            pointwise_initializer=functions.he_normal(x.shape[-1]),
        )
        return self.normalize(layer(self.relu(x, name)), name)

    def pool(self, x, op: str, name: str, strides: int = 1):
        """`op` is avg_pool_KxK or max_pool_KxK."""
        make = keras.layers.AveragePooling2D if op.startswith("avg") else keras.layers.MaxPooling2D
        return self.get(make, name, pool_size=int(op[-1]), strides=strides, padding="same")(x)

    def reduce(self, x, channels: int, name: str):
        """Factorized reduction to `channels` channels: every second pixel, and every second of the image shifted.

        Height and width are even: the shifted image needs no padding to have as many second pixels.
        """
        shifted = self.get(self.cropping, f"{name}_crop", cropping=((1, 0), (1, 0)))(x)
        halves = [
            self.convolve(x, channels // 2, 1, f"{name}_even", strides=2),
            self.convolve(shifted, channels // 2, 1, f"{name}_odd", strides=2),
        ]
        return self.normalize(self.concatenate(halves, name), name)

    def classify(self, x, num_classes: int, dropout: float, name: str = ""):
        """Global average pooling, dropout and a matrix of classes: float32 whatever the rest is."""
        x = self.get(keras.layers.GlobalAveragePooling2D, f"{name}pool", dtype="float32")(x)
        x = self.get(keras.layers.Dropout, f"{name}dropout", rate=dropout, dtype="float32")(x)
        layer = self.get(
            keras.layers.Dense,
            f"{name}logits",
            units=num_classes,
            use_bias=False,
            kernel_initializer=functions.he_normal(x.shape[-1]),
            dtype="float32",
        )
        return layer(x)


def set_weights(child: keras.Model, name: str, kernels: list, gamma, beta) -> None:
    """Sets the kernels of the convolution `name`_conv of `child`, and scale and offset of `name`_bn."""
    child.get_layer(f"{name}_conv").set_weights(kernels)
    set_normalization(child, name, gamma, beta)


def set_reduction(child: keras.Model, name: str, kernels, gamma, beta) -> None:
    """Sets a factorized reduction: `kernels` [2, 1, 1, inputs, channels / 2]."""
    child.get_layer(f"{name}_even_conv").set_weights([kernels[0]])
    child.get_layer(f"{name}_odd_conv").set_weights([kernels[1]])
    set_normalization(child, name, gamma, beta)


def set_normalization(child: keras.Model, name: str, gamma, beta) -> None:
    layer = child.get_layer(f"{name}_bn")
    layer.set_weights([gamma, beta, layer.moving_mean, layer.moving_variance])
