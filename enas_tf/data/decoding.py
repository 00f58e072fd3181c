"""Encoded images (PNG, JPEG, GIF, BMP) and images of other sizes made into equal arrays of bytes."""

from collections.abc import Iterator

import numpy as np
import tensorflow as tf

# Images resized at once: the float copy stays small for every data set.
_CHUNK = 1024


def decode(encoded: tf.Tensor, channels: int, image_size: int | None) -> tf.Tensor:
    """One encoded image (string scalar) as uint8 [h, w, channels], resized to a square if `image_size` is given.

    `channels` = 0 keeps those of the file. Of an animation the first frame is taken. Raises
    `tf.errors.InvalidArgumentError` where the bytes are not an image.
    """
    image = tf.io.decode_image(encoded, channels=channels, expand_animations=False)
    return image if image_size is None else resize(image, image_size)


def resize(images: tf.Tensor, side: int) -> tf.Tensor:
    """`images` (uint8 [..., h, w, c]) as [..., side, side, c]: bilinear, with antialiasing where they shrink."""
    resized = tf.image.resize(images, [side, side], antialias=True)
    return tf.cast(tf.round(tf.clip_by_value(resized, 0.0, 255.0)), tf.uint8)


def resize_array(images: np.ndarray, side: int | None) -> np.ndarray:
    """`images` (uint8 [n, h, w, c]) as [n, side, side, c]; unchanged if `side` is None or already theirs."""
    if side is None or images.shape[1:3] == (side, side) or not len(images):
        return images
    chunks = (images[start : start + _CHUNK] for start in range(0, len(images), _CHUNK))
    return np.concatenate([resize(chunk, side).numpy() for chunk in chunks])


def decode_each(encoded: tf.data.Dataset, channels: int, image_size: int | None) -> Iterator[np.ndarray]:
    """Decodes a dataset of string scalars on all cores, in order; yields uint8 [h, w, c], of any sizes."""
    images = encoded.map(
        lambda item: decode(item, channels, image_size), num_parallel_calls=tf.data.AUTOTUNE, deterministic=True
    )
    return images.prefetch(tf.data.AUTOTUNE).as_numpy_iterator()
