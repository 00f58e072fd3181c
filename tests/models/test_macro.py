"""The macro networks against published sizes, and what they refuse."""

import pytest
import tensorflow as tf

from enas_tf.errors import InputError
from enas_tf.models.images import ImageConfig
from enas_tf.models.macro_child import build_macro_child, count_macro_child, used_nodes
from enas_tf.models.macro_config import MacroChildConfig, MacroNetworkConfig
from enas_tf.models.macro_supernet import MacroSupernet
from enas_tf.spaces.architectures import read_architecture
from enas_tf.spaces.macro import MacroSpace

CIFAR = ImageConfig(32, 32, 3, 10, (120.0,) * 3, (3600.0,) * 3)


def test_parameters_of_the_published_architecture():
    """30.95 M as the authors' script builds it, if its separable layers were separable (facts 4.1 f)."""
    published = read_architecture("enas_macro")
    cost = count_macro_child(published, MacroChildConfig(channels=96, channel_growth=2), CIFAR)
    assert cost.parameters == pytest.approx(30.95e6, rel=1e-3)


def test_graph_does_not_grow_with_depth():
    nodes = {}
    for depth in (6, 12):
        space = MacroSpace(num_layers=depth)
        supernet = MacroSupernet(space, MacroNetworkConfig(channels=2), ImageConfig(8, 8, 1, 2, (0.0,), (1.0,)))
        forward = tf.function(supernet, autograph=False)
        tokens = tf.TensorSpec([space.num_tokens], tf.int32)
        graph = forward.get_concrete_function(tf.TensorSpec([2, 8, 8, 1], tf.uint8), tokens).graph.as_graph_def()
        nodes[depth] = len(graph.node) + sum(len(function.node_def) for function in graph.library.function)
    assert nodes[12] / nodes[6] < 1.1


def test_reductions_keep_only_what_is_used():
    architecture = read_architecture("0 3 0 0 0 0 2 0 0 1 0 0 0 0 0 0 0 0 0 0 1")
    # After layer 2: layer 4 joins layer 2, layer 6 joins layer 4; nothing later reads the stem or layer 1.
    assert used_nodes(architecture, 2) == [2]
    assert used_nodes(architecture, 4) == [4]
    joined = read_architecture("layers: 0 0 0 0 0 0 0 1 0 0 0 0 0 0 0 0 0 1 0 0 0")
    assert used_nodes(joined, 2) == [1, 2]
    assert used_nodes(joined, 4) == [2, 4]


@pytest.mark.parametrize(
    ("image", "channels", "words"),
    [
        (ImageConfig(30, 32, 3, 10, (0.0,) * 3, (1.0,) * 3), 4, "30x32.*4 divides.*image_size=32"),
        (CIFAR, 5, "channels=5.*even"),
    ],
)
def test_what_does_not_fit_is_refused(image, channels, words):
    architecture = read_architecture("0 3 0 0 1 0")
    with pytest.raises(InputError, match=words):
        MacroSupernet(architecture.space(), MacroNetworkConfig(channels=channels), image)
    with pytest.raises(InputError, match=words):
        build_macro_child(architecture, MacroChildConfig(channels=channels), image)
    with pytest.raises(InputError, match=words):
        count_macro_child(architecture, MacroChildConfig(channels=channels), image)


@pytest.mark.parametrize("options", [{"channels": 0}, {"dropout": 1.0}, {"dropout": -0.1}], ids=str)
@pytest.mark.parametrize("make", [MacroNetworkConfig, MacroChildConfig])
def test_wrong_options_are_named(make, options):
    (name, value) = next(iter(options.items()))
    with pytest.raises(InputError, match=f"{name}={value}"):
        make(**options)


def test_a_wrong_growth_is_named():
    with pytest.raises(InputError, match="channel_growth=0"):
        MacroChildConfig(channel_growth=0)
