"""The stock Keras layers that children are made of, by name, so that a second model can be made of the same layers."""

from collections.abc import Callable

import keras

from enas_tf.layers import functions
from enas_tf.layers.stand_ins import FusedBatchNormalization, SlicedCropping2D

#: Share of the old moving average that a step keeps (image_ops.py of the reference).
MOMENTUM = 0.9
#: The size of a kernel, or strides: of both axes alike, or of height and width.
Size = int | tuple[int, int]


class Layers:
    """Layers by name. Each is made when it is first asked for, unless a model has it already.

    Args:
      known: a model whose layers are used.
      dtype: the Keras policy of all layers but those before the first convolution and after the last, which compute
        in float32.
      for_training: use layers that are faster in training and have the weights of the stock ones.
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
        """Return the layer `name`; make it with `options` if there is none."""
        if name not in self._layers:
            self._layers[name] = make(name=name, **{"dtype": self.dtype, **options})
        return self._layers[name]

    def standardize(self, images, mean: tuple[float, ...], variance: tuple[float, ...]):
        """Subtract the mean of each channel and divide by its standard deviation, always in float32."""
        make = keras.layers.Normalization
        return self.get(make, "normalization", mean=mean, variance=variance, dtype="float32")(images)

    def relu(self, x, name: str):
        """Apply the layer `name`_relu."""
        return self.get(keras.layers.ReLU, f"{name}_relu")(x)

    def concatenate(self, tensors: list, name: str):
        """Join `tensors` along the channels by the layer `name`_concat; a single one needs no layer."""
        return self.get(keras.layers.Concatenate, f"{name}_concat")(tensors) if len(tensors) > 1 else tensors[0]

    def normalize(self, x, name: str):
        """Apply the batch normalisation `name`_bn."""
        return self.get(self.normalization, f"{name}_bn", momentum=MOMENTUM, epsilon=functions.EPSILON)(x)

    def convolve(
        self, x, channels: int, size: Size, name: str, strides: Size = 1, padding: str = "same", rate: int = 1
    ):
        """Apply the convolution `name`_conv, which has no bias; "same" pads with zeros. `rate` is that of dilation.

        Of a 1x1 kernel with strides the layer `name`_skip takes the pixels first, as in the reference's reductions.
        oneDNN 3 computes a wrong gradient of such a convolution where it reads fewer than 8 channels, on processors
        with AVX2 (https://github.com/uxlfoundation/oneDNN/issues/6035).
        """
        height, width = (size, size) if isinstance(size, int) else size
        if height == width == 1 and strides not in (1, (1, 1)):
            x = self.get(keras.layers.AveragePooling2D, f"{name}_skip", pool_size=1, strides=strides)(x)
            strides = 1
        layer = self.get(
            keras.layers.Conv2D,
            f"{name}_conv",
            filters=channels,
            kernel_size=size,
            strides=strides,
            padding=padding,
            dilation_rate=rate,
            use_bias=False,
            kernel_initializer=functions.he_normal(height * width * x.shape[-1]),
        )
        return layer(x)

    def relu_convolve_normalize(self, x, channels: int, size: Size, name: str, strides: Size = 1, **options):
        """Apply `relu`, `convolve` with its options, and `normalize`."""
        return self.normalize(self.convolve(self.relu(x, name), channels, size, name, strides, **options), name)

    def classify(self, x, num_classes: int, dropout: float, name: str = "", use_bias: bool = False):
        """Return the logits of `x`: global average pooling, dropout and a matrix, always in float32."""
        x = self.get(keras.layers.GlobalAveragePooling2D, f"{name}pool", dtype="float32")(x)
        x = self.get(keras.layers.Dropout, f"{name}dropout", rate=dropout, dtype="float32")(x)
        layer = self.get(
            keras.layers.Dense,
            f"{name}logits",
            units=num_classes,
            use_bias=use_bias,
            kernel_initializer=functions.he_normal(x.shape[-1]),
            dtype="float32",
        )
        return layer(x)


def set_weights(child: keras.Model, name: str, kernels: list, gamma, beta) -> None:
    """Set the kernels of the convolution `name`_conv of `child`, and scale and offset of `name`_bn."""
    child.get_layer(f"{name}_conv").set_weights(kernels)
    set_normalization(child, name, gamma, beta)


def set_normalization(child: keras.Model, name: str, gamma, beta) -> None:
    """Set scale and offset of the batch normalisation `name`_bn of `child`."""
    layer = child.get_layer(f"{name}_bn")
    layer.set_weights([gamma, beta, layer.moving_mean, layer.moving_variance])
