"""A kept child takes images as the user has them: in the range and of the type of the data that it was trained on.

In training, images are bytes of 0 to 255, whatever they were. What is kept of a child converts its inputs first, by
layers and operations of Keras alone, so that it needs no help of enas_tf.
"""

import keras
import numpy as np

from enas_tf.data.values import BYTES, ValueRange

#: The layer that brings a user's values to 0..255.
_LAYER = "to_bytes"


def take_values(child: keras.Model, values: ValueRange) -> keras.Model:
    """Return `child`, which takes bytes, as a model of the same layers that takes `values`.

    The conversion is that of `ValueRange.to_bytes`, so that the model computes the same for the same images.
    """
    if values.is_bytes:
        return child
    dtype = "float32" if np.issubdtype(values.dtype, np.floating) else values.dtype
    inputs = keras.Input(child.input_shape[1:], dtype=dtype, name="image")
    rescale = keras.layers.Rescaling(values.scale, -values.low * values.scale, name=_LAYER, dtype="float32")
    images = keras.ops.clip(keras.ops.round(rescale(inputs)), 0.0, 255.0)
    # Calls the layers of the child one by one: they are layers of the new model, not of a model within it.
    return keras.Model(inputs, child.call(images), name=child.name)


def values_of(child: keras.Model) -> ValueRange:
    """Return the range and the type of images that a kept child takes."""
    layer = next((layer for layer in child.layers if layer.name == _LAYER), None)
    if layer is None:
        return BYTES
    low = -float(layer.offset) / float(layer.scale)
    dtype = keras.backend.standardize_dtype(child.inputs[0].dtype)
    return ValueRange(low, low + 255 / float(layer.scale), dtype)


def inputs_for(child: keras.Model, images: np.ndarray) -> np.ndarray:
    """Return `images` (uint8 [n, height, width, channels]) as `child` takes them."""
    return values_of(child).from_bytes(images)
