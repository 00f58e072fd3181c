"""The bundled digits: every image is used once, and the parts never change."""

import numpy as np
from sklearn.datasets import load_digits

from enas_tf.data.sources import DataConfig, load_images


def test_parts_hold_every_digit_once():
    data = load_images(DataConfig())
    assert (data.image_shape, data.num_classes) == ((8, 8, 1), 10)
    assert [len(data.train), len(data.valid), len(data.test)] == [1294, 144, 359]
    pixels = np.concatenate([split.images for split in (data.train, data.valid, data.test)])
    bundled = load_digits().images
    ours, theirs = (
        sorted(image.tobytes() for image in images)
        for images in (np.round(pixels[..., 0] * (16 / 255)).astype(np.uint8), bundled.astype(np.uint8))
    )
    assert ours == theirs
    assert (pixels.min(), pixels.max()) == (0, 255)


def test_parts_are_stratified_and_always_the_same():
    first, second = load_images(DataConfig()), load_images(DataConfig())
    np.testing.assert_array_equal(first.valid.images, second.valid.images)
    np.testing.assert_array_equal(first.test.labels, second.test.labels)
    share = np.bincount(first.test.labels) / np.bincount(load_digits().target)
    np.testing.assert_allclose(share, 0.2, atol=0.006)


def test_digits_can_be_resized():
    data = load_images(DataConfig(image_size=12))
    assert data.image_shape == (12, 12, 1)
    np.testing.assert_allclose(data.channel_mean, load_images(DataConfig()).channel_mean, rtol=0.05)
