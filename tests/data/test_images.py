"""Laws of the containers of images."""

import numpy as np
import pytest

from enas_tf.data import images
from enas_tf.data.images import ImageData, Split, channel_moments


def make_split(count, shape=(4, 5, 3), seed=0):
    random = np.random.default_rng(seed)
    labels = np.arange(count, dtype=np.int32) % 2
    return Split(random.integers(0, 256, (count, *shape), np.uint8), labels)


def test_moments_are_those_of_the_float_images(monkeypatch):
    monkeypatch.setattr(images, "_CHUNK", 4)  # 11 images: two whole chunks and a part of one
    pixels = make_split(11).images
    mean, variance = channel_moments(pixels)
    np.testing.assert_allclose(mean, pixels.astype(np.float64).mean((0, 1, 2)), rtol=1e-6)
    np.testing.assert_allclose(variance, pixels.astype(np.float64).var((0, 1, 2)), rtol=1e-6)
    assert mean.dtype == variance.dtype == np.float32


def test_moments_do_not_overflow():
    mean, variance = channel_moments(np.full((2048, 2, 2, 1), 255, np.uint8))
    assert (mean[0], variance[0]) == (255, 0)


def test_statistics_come_from_the_training_part():
    train, valid, test = (make_split(8, seed=seed) for seed in range(3))
    data = ImageData("name", ("a", "b"), train, valid, test)
    np.testing.assert_array_equal(data.channel_mean, channel_moments(train.images)[0])
    np.testing.assert_array_equal(data.channel_variance, channel_moments(train.images)[1])
    assert data.channel_mean is data.channel_mean  # computed once
    assert (data.image_shape, data.num_classes) == ((4, 5, 3), 2)


def test_concatenate_keeps_order():
    first, second = make_split(3, seed=1), make_split(2, seed=2)
    both = first.concatenate(second)
    assert len(both) == 5
    np.testing.assert_array_equal(both.images[3:], second.images)
    np.testing.assert_array_equal(both.labels, [0, 1, 0, 0, 1])
    assert both.name == "given and given"


@pytest.mark.parametrize(
    ("pixels", "labels"),
    [
        (np.zeros((2, 4, 4, 1), np.float32), np.zeros(2, np.int32)),
        (np.zeros((2, 4, 4), np.uint8), np.zeros(2, np.int32)),
        (np.zeros((2, 4, 4, 1), np.uint8), np.zeros(2, np.int64)),
        (np.zeros((2, 4, 4, 1), np.uint8), np.zeros(3, np.int32)),
    ],
)
def test_split_refuses_other_types_and_shapes(pixels, labels):
    with pytest.raises(TypeError, match="must be"):
        Split(pixels, labels)
