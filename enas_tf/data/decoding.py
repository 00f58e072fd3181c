"""Decoding of image files (PNG, JPEG, GIF, BMP) and resizing of images, both to arrays of bytes."""

from collections.abc import Iterator, Sequence

import numpy as np
import tensorflow as tf

# Number of images resized at once; it keeps the float copy small for every data set.
_CHUNK = 1024


def decode(encoded: tf.Tensor, channels: int, image_size: int | None) -> tf.Tensor:
    """Return one encoded image (string scalar) as uint8 [h, w, channels], a square if `image_size` is given.

    `channels` = 0 keeps the number of channels of the file. An animation gives its first frame. Of 16 bits per channel
    only the upper 8 are kept.

    Raises:
        tf.errors.InvalidArgumentError: the bytes are not an image.
    """
    image = tf.io.decode_image(encoded, channels=channels, expand_animations=False)
    return image if image_size is None else resize(image, image_size)


def decode_wide(encoded: tf.Tensor, channels: int, image_size: int | None, high: float) -> tf.Tensor:
    """Return one PNG image of 16 bits per channel as `decode` does, with its values 0..`high` scaled to bytes.

    Raises:
        tf.errors.InvalidArgumentError: the bytes are not a PNG image.
    """
    image = tf.cast(tf.io.decode_png(encoded, channels, tf.uint16), tf.float32) * (255 / high)
    image = tf.cast(tf.round(tf.minimum(image, 255.0)), tf.uint8)
    return image if image_size is None else resize(image, image_size)


def resize(images: tf.Tensor, side: int) -> tf.Tensor:
    """Resize `images` (uint8 [..., h, w, c]) to squares, [..., side, side, c]."""
    return resize_to(images, side, side)


def resize_to(images: tf.Tensor, height: int, width: int) -> tf.Tensor:
    """Resize `images` (uint8 [..., h, w, c]): bilinear, with antialiasing where they shrink."""
    resized = tf.image.resize(images, [height, width], antialias=True)
    return tf.cast(tf.round(tf.clip_by_value(resized, 0.0, 255.0)), tf.uint8)


def resize_array(images: np.ndarray, side: int | None) -> np.ndarray:
    """Resize `images` (uint8 [n, h, w, c]) to [n, side, side, c]; return them as they are if nothing is to be done."""
    if side is None or images.shape[1:3] == (side, side) or not len(images):
        return images
    chunks = (images[start : start + _CHUNK] for start in range(0, len(images), _CHUNK))
    return np.concatenate([resize(chunk, side).numpy() for chunk in chunks])


def decode_each(encoded: tf.data.Dataset, channels: int, image_size: int | None) -> Iterator[np.ndarray]:
    """Decode a dataset of string scalars on all cores, in order; yield uint8 [h, w, c] of any sizes."""
    return _on_all_cores(encoded, lambda item: decode(item, channels, image_size))


def decode_files(
    paths: Sequence[bytes], is_wide: Sequence[bool], high: float, channels: int, image_size: int | None
) -> Iterator[np.ndarray]:
    """Decode image files on all cores, in order; yield uint8 [h, w, c] of any sizes.

    Args:
        paths: the names of the files as the system has them: they need not be UTF-8.
        is_wide: which of them have 16 bits per channel.
        high: the largest value that pixels of those files can have.
        channels: the number of channels; 0 keeps that of each file.
        image_size: the side of the square to resize to; None keeps the size of each file.

    Raises:
        tf.errors.OpError: a file cannot be read or decoded.
    """
    encoded = read_files(paths)
    if not any(is_wide):
        return decode_each(encoded, channels, image_size)

    def decode_either(item: tf.Tensor, wide: tf.Tensor) -> tf.Tensor:
        return tf.cond(
            wide,
            lambda: decode_wide(item, channels, image_size, high),
            lambda: decode(item, channels, image_size),
        )

    flags = tf.data.Dataset.from_tensor_slices(list(is_wide))
    return _on_all_cores(tf.data.Dataset.zip((encoded, flags)), decode_either)


def largest_wide_value(paths: Sequence[bytes]) -> int:
    """Return the largest colour value in PNG files of 16 bits per channel, whose transparency does not count.

    Raises:
        tf.errors.OpError: a file cannot be read or decoded.
    """
    largest = _on_all_cores(read_files(paths), lambda item: tf.reduce_max(tf.io.decode_png(item, 3, tf.uint16)))
    return max(map(int, largest))


def read_files(paths: Sequence[bytes]) -> tf.data.Dataset:
    """Return the contents of files, string scalars, in order."""
    return tf.data.Dataset.from_tensor_slices(list(paths)).map(tf.io.read_file, num_parallel_calls=tf.data.AUTOTUNE)


def _on_all_cores(elements: tf.data.Dataset, function) -> Iterator[np.ndarray]:
    """Yield `function` of each of the `elements`, in order."""
    results = elements.map(function, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    return results.prefetch(tf.data.AUTOTUNE).as_numpy_iterator()
