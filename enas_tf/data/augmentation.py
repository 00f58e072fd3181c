"""Augmentation of a batch of byte images: crop, flip and cutout as a pure function of the images and a seed."""

import dataclasses

import tensorflow as tf

from enas_tf.options import Group, option, require

_CHOICES = ("none", "crop", "crop_flip")


@dataclasses.dataclass(frozen=True)
class AugmentationConfig:
    """The augmentation of training images; by default that of the ENAS paper for CIFAR-10: crop, flip and no cutout."""

    augment: str = option(
        "crop_flip", "augmentation of training images; use crop where left and right matter", _CHOICES
    )
    crop_padding: int = option(4, "pixels added on each side before an image-sized piece is cut out")
    cutout_size: int = option(
        0, "side in pixels of the square that is blanked out in each image; 0 = off", stages=("retrain",)
    )

    def __post_init__(self):
        require(self.augment in _CHOICES, "augment", self.augment, "one of " + ", ".join(_CHOICES))
        require(self.crop_padding >= 0, "crop_padding", self.crop_padding, "a number of pixels, 0 or more")
        require(self.cutout_size >= 0, "cutout_size", self.cutout_size, "a number of pixels, 0 (off) or more")


AUGMENTATION = Group(AugmentationConfig())


def augment_batch(images: tf.Tensor, config: AugmentationConfig, fill_color, seed: tf.Tensor) -> tf.Tensor:
    """Return a batch with every image cropped, then flipped, then cut out, each independently of the others.

    Padding and cutout are filled with `fill_color`, the mean colour of the training images. The published recipe
    normalises images to mean zero first and pads with zeros; the mean colour is that zero, up to rounding to a byte.

    Args:
        images: uint8 [b, h, w, c], with static h, w and c.
        config: the augmentation to apply.
        fill_color: [c], float (it is rounded) or uint8, in units of 0..255.
        seed: int32 or int64 [2]; the result depends on the images and this seed only.

    Returns:
        uint8 [b, h, w, c].
    """
    crop_seed, flip_seed, cutout_seed = (_derive_seed(seed, purpose) for purpose in range(3))
    fill = tf.cast(tf.round(tf.clip_by_value(tf.cast(fill_color, tf.float32), 0.0, 255.0)), tf.uint8)
    # With zero in the place of the fill colour, padding and blanking need no colour.
    images = _exchange(images, fill)
    if config.augment != "none":
        images = _crop_and_flip(images, config.crop_padding, config.augment == "crop_flip", crop_seed, flip_seed)
    if config.cutout_size:
        images = _cut_out(images, config.cutout_size, cutout_seed)
    return _exchange(images, fill)


def _exchange(images: tf.Tensor, color: tf.Tensor) -> tf.Tensor:
    """Return `images` with `color` (uint8 [c]) and zero exchanged; the mapping of all colours is one to one."""
    height, width, channels = images.shape[1:]
    # Broadcasting along whole rows is several times faster than along the few channels of an image.
    rows = tf.bitwise.bitwise_xor(tf.reshape(images, [-1, height, width * channels]), tf.tile(color, [width]))
    return tf.reshape(rows, [-1, height, width, channels])


def _derive_seed(seed: tf.Tensor, purpose: int) -> tf.Tensor:
    """Return a seed for one purpose, independent of those for other purposes."""
    return tf.random.experimental.stateless_fold_in(seed, purpose)


def _uniform(shape, seed: tf.Tensor, limit: int) -> tf.Tensor:
    """Draw integers in 0..limit-1, int32. The algorithm is fixed, so that a seed means the same on every machine."""
    return tf.random.stateless_uniform(shape, seed, 0, limit, tf.int32, alg="philox")


def _crop_and_flip(images: tf.Tensor, padding: int, flips: bool, crop_seed: tf.Tensor, flip_seed: tf.Tensor):
    """Pad with zeros, then gather a random window of each image; a flip gathers its columns in reverse order."""
    batch, (height, width) = tf.shape(images)[0], images.shape[1:3]
    offsets = _uniform([batch, 2], crop_seed, 2 * padding + 1)
    rows = offsets[:, :1] + tf.range(height)
    columns = tf.tile(tf.range(width)[tf.newaxis], [batch, 1])
    if flips:
        is_flipped = _uniform([batch, 1], flip_seed, 2)
        columns = tf.where(is_flipped == 1, width - 1 - columns, columns)
    padded = tf.pad(images, [[0, 0], [padding, padding], [padding, padding], [0, 0]])
    cropped = tf.gather(padded, rows, axis=1, batch_dims=1)
    return tf.gather(cropped, offsets[:, 1:] + columns, axis=2, batch_dims=1)


def _cut_out(images: tf.Tensor, size: int, seed: tf.Tensor) -> tf.Tensor:
    """Set a square with sides of `size` pixels to zero in each image.

    Its centre is uniform over the image and the square is clipped at the borders (DeVries & Taylor 2017). The code
    published with ENAS draws the top-left corner instead, which blanks the lower right more often than the upper left.
    """
    batch, (height, width, channels) = tf.shape(images)[0], images.shape[1:]
    row_seed, column_seed = (_derive_seed(seed, axis) for axis in range(2))
    in_rows = _is_covered(_uniform([batch, 1], row_seed, height), size, height)
    in_columns = _is_covered(_uniform([batch, 1], column_seed, width), size, width)
    # One column per channel, for the reason given in `_exchange`.
    is_blank = in_rows[:, :, tf.newaxis] & tf.repeat(in_columns, channels, axis=1)[:, tf.newaxis, :]
    return images * tf.reshape(tf.cast(~is_blank, tf.uint8), [-1, height, width, channels])


def _is_covered(center: tf.Tensor, size: int, length: int) -> tf.Tensor:
    """Return bool [b, length]: which positions lie within the `size` pixels around `center` (int32 [b, 1])."""
    distance = tf.range(length) - (center - size // 2)
    return (distance >= 0) & (distance < size)
