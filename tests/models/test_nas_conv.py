"""The children of the nas_conv space against a forward pass that is written out, and sizes from the paper's numbers."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from enas_tf.models.images import ImageConfig
from enas_tf.models.nas_conv_child import build_nas_conv_child, count_nas_conv_child, pooled_nodes
from enas_tf.models.nas_conv_config import NasConvConfig
from enas_tf.spaces.nas_conv import NasConvArchitecture, NasConvSpace

IMAGE = ImageConfig(9, 8, 3, num_classes=5, mean=(120.0, 110.0, 100.0), variance=(3000.0, 3500.0, 4000.0))
CIFAR = ImageConfig(32, 32, 3, 10, (120.0,) * 3, (3600.0,) * 3)


def layer(child, name, x, size, strides=(1, 1)):
    """Compute a layer by its definition: pad, convolve, normalise by the batch, cut off at zero."""
    kernel = child.get_layer(f"{name}_conv").kernel.numpy()
    assert kernel.shape[:2] == size
    x = tf.nn.conv2d(x, kernel, strides, "SAME").numpy()
    x = (x - x.mean((0, 1, 2))) / np.sqrt(x.var((0, 1, 2)) + 1e-5)
    return np.maximum(x, 0)


def pool(x):
    """Take the maximum of each 2x2 square, of fewer pixels at an odd border."""
    return tf.nn.max_pool2d(x, 2, 2, "SAME").numpy()


def test_a_child_is_the_network_of_its_architecture():
    """Zeros around smaller maps, the image for layers without an input, loose ends before the classifier."""
    architecture = NasConvArchitecture.from_arc("3x5x4 7x1x6/2x3 1 pool 1x1x3 0 0 3x3x5 1 1 1")
    assert architecture.loose_ends == (4,)
    keras.utils.set_random_seed(0)
    child = build_nas_conv_child(architecture, NasConvConfig(), IMAGE)
    images = np.random.default_rng(0).integers(0, 256, (4, 9, 8, 3), dtype=np.uint8)
    x = ((images - np.array(IMAGE.mean)) / np.sqrt(IMAGE.variance)).astype(np.float32)
    first = layer(child, "layer_1", x, (3, 5))
    second = layer(child, "layer_2", first, (7, 1), (2, 3))
    first, second, x = pool(first), pool(second), pool(x)  # 5x4, 3x2 and 5x4 pixels.
    third = layer(child, "layer_3", x, (1, 1))
    around = np.pad(second, ((0, 0), (1, 1), (1, 1), (0, 0)))
    last = layer(child, "layer_4", np.concatenate([first, around, third], axis=3), (3, 3))
    expected = last.mean((1, 2)) @ child.get_layer("logits").kernel.numpy()
    np.testing.assert_allclose(child(images, training=True), expected, atol=1e-4)


def test_several_loose_ends_reach_the_classifier():
    architecture = NasConvArchitecture.from_arc("1x1x4 1x1x6/2x2 0 1x1x3 1 0")
    child = build_nas_conv_child(architecture, NasConvConfig(), IMAGE)
    assert architecture.loose_ends == (2, 3)
    assert child.get_layer("logits").kernel.shape == (6 + 3, 5)


def test_what_is_read_behind_a_pooling_is_pooled():
    architecture = NasConvArchitecture.from_arc("1x1x4 1x1x4 1 pool 1x1x4 1 0 1x1x4 0 0 1")
    assert pooled_nodes(architecture, 1) == []
    assert pooled_nodes(architecture, 2) == [1, 2]  # Nothing reads layer 2 but the classifier.
    apart = NasConvArchitecture.from_arc("1x1x4 1x1x4 1 pool 1x1x4 0 0")
    assert pooled_nodes(apart, 2) == [0, 2]


def test_more_filters_widen_every_layer():
    """The paper's largest network has 40 more in each layer."""
    architecture = NasConvArchitecture.from_arc("3x3x24 3x3x36 1")
    wide = NasConvArchitecture.from_arc("3x3x64 3x3x76 1")
    costs = [count_nas_conv_child(a, NasConvConfig(more_filters=n), CIFAR) for a, n in ((architecture, 40), (wide, 0))]
    assert costs[0] == costs[1]


def test_networks_have_sizes_like_those_of_the_paper():
    """Its 15 layers have 4.2 million parameters: between those of few skips and of all."""
    space = NasConvSpace()
    largest = space.decode(space.token_ranges - 1)
    chain = NasConvArchitecture.from_arc(" ".join(f"3x3x36 {'0 ' * (n - 2)}{'1' * (n > 1)}" for n in range(1, 16)))
    sizes = [count_nas_conv_child(a, NasConvConfig(), CIFAR).parameters for a in (chain, largest)]
    assert sizes[0] < 4.2e6 < sizes[1]
    assert sizes[0] == 3 * 3 * (3 * 36 + 14 * 36 * 36) + 15 * 2 * 36 + 36 * 10


@pytest.mark.parametrize("strides", ["1x1", "3x3"])
def test_images_of_any_size_fit(strides):
    """Maps of one pixel stay so."""
    tiny = ImageConfig(1, 3, 1, 2, (0.0,), (1.0,))
    architecture = NasConvArchitecture.from_arc(f"7x7x2/{strides} pool 7x7x2/{strides} 1")
    child = build_nas_conv_child(architecture, NasConvConfig(), tiny)
    assert child(np.zeros((2, 1, 3, 1), np.uint8)).shape == (2, 2)
