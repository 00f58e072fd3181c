"""Laws of resizing."""

import numpy as np

from enas_tf.data import decoding
from enas_tf.data.decoding import resize_array


def test_a_plain_image_keeps_its_colour(monkeypatch):
    monkeypatch.setattr(decoding, "_CHUNK", 2)  # 5 images: several chunks
    colours = np.array([0, 1, 127, 254, 255], np.uint8)
    images = np.tile(colours[:, None, None, None], (1, 8, 6, 3))
    for side in (3, 20):
        resized = resize_array(images, side)
        assert resized.shape == (5, side, side, 3)
        np.testing.assert_array_equal(resized, np.broadcast_to(colours[:, None, None, None], resized.shape))


def test_shrinking_averages():
    stripes = np.zeros((1, 8, 8, 1), np.uint8)
    stripes[:, :, ::2] = 200  # without antialiasing only every other column would be read
    assert 60 < resize_array(stripes, 2).min() <= resize_array(stripes, 2).max() < 140


def test_nothing_to_do_copies_nothing():
    images = np.zeros((2, 5, 5, 1), np.uint8)
    assert resize_array(images, 5) is images
    assert resize_array(images, None) is images
