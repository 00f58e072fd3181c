"""Image files that were not among the data, as a child takes them: read as the run has read its own."""

import os

import keras
import numpy as np
import tensorflow as tf

from enas_tf.data.decoding import decode, decode_wide, resize_to
from enas_tf.data.headers import read_header, turn_upright
from enas_tf.data.paths import show_path
from enas_tf.errors import InputError
from enas_tf.tasks.image_values import inputs_for, values_of


def load_image(path: str | os.PathLike, model: keras.Model) -> np.ndarray:
    """Return the image file at `path` as a batch of one for `model`, a child that was trained on images.

    It is turned upright, resized and scaled as images of a folder are (`data.folder`). Of an image of 16 bits per
    channel the range is that of the child's data.

    Raises:
      InputError: the file cannot be read as an image, or the model does not take images.
    """
    name = os.fspath(path)
    if len(model.input_shape) != 4 or model.input_shape[-1] not in (1, 3):
        raise InputError(
            f"the model {model.name} takes inputs of shape {list(model.input_shape)}: expected one of images with 1 or "
            "3 channels, such as child.keras of a search on a folder of images."
        )
    _, height, width, channels = model.input_shape
    header, values = read_header(name), values_of(model)
    try:
        encoded = tf.io.read_file(os.fsencode(name))
        high = values.high if np.issubdtype(values.dtype, np.integer) and not values.is_bytes else 65535.0
        image = decode_wide(encoded, channels, None, high) if header.is_wide else decode(encoded, channels, None)
    except tf.errors.OpError as error:
        raise InputError(
            f"{show_path(name)} cannot be read as an image ({type(error).__name__}): expected a PNG, JPEG, GIF or BMP "
            "file. Check its name, or save it as one of these."
        ) from None
    upright = turn_upright(image.numpy(), header.orientation)
    return inputs_for(model, resize_to(upright, height, width).numpy()[np.newaxis])
