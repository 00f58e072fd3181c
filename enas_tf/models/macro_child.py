"""The child of a macro architecture: an ordinary functional Keras model of stock layers, and its cost.

The child is the same function as the supernet computes for the architecture, with batch normalisation that keeps moving
averages.
"""

import keras

from enas_tf.layers.stock import Layers
from enas_tf.models.images import ImageConfig, check_halvings
from enas_tf.models.macro_config import MacroChildConfig
from enas_tf.ops.costs import Cost
from enas_tf.ops.op import LAYER_OPS
from enas_tf.ops.reduction import REDUCTION
from enas_tf.spaces.macro import MacroArchitecture, reduction_places


def used_nodes(architecture: MacroArchitecture, place: int) -> list[int]:
    """Return the nodes 0 .. `place` that layers after `place` read, always with the last one, ascending."""
    later = {node for layer in architecture.layers[place:] for node in layer.skips if node <= place}
    return sorted(later | {place})


def build_macro_child(
    architecture: MacroArchitecture,
    config: MacroChildConfig,
    image: ImageConfig,
    dtype: str = "float32",
    for_training: bool = False,
) -> keras.Model:
    """Build the model: uint8 images [batch, height, width, channels] to float32 logits [batch, num_classes].

    The arguments are those of `Networks.build_child`.

    Raises:
      InputError: the depth or the images do not fit the two reductions, or the width is odd.
    """
    places = _check(architecture, config, image)
    channels, layers = config.channels, Layers(dtype=dtype, for_training=for_training)
    inputs = keras.Input((image.height, image.width, image.channels), dtype="uint8", name="image")
    x = layers.standardize(inputs, image.mean, image.variance)
    nodes = {0: layers.normalize(layers.convolve(x, channels, 3, "stem"), "stem")}
    for number, layer in enumerate(architecture.layers, start=1):
        name = f"layer_{number}"
        y = layers.relu_convolve_normalize(nodes[number - 1], channels, 1, f"{name}_entry")
        y = LAYER_OPS[layer.op].apply(layers, y, channels, f"{name}_op")
        y = layers.concatenate([y, *(nodes[node] for node in layer.skips)], name)
        nodes[number] = layers.relu_convolve_normalize(y, channels, 1, f"{name}_merge")
        if number in places:
            channels *= config.channel_growth
            stage = places.index(number)
            nodes = {
                node: REDUCTION.apply(layers, nodes[node], channels, f"reduction_{stage}_node_{node}")
                for node in used_nodes(architecture, number)
            }
    logits = layers.classify(nodes[architecture.num_layers], image.num_classes, config.dropout)
    return keras.Model(inputs, logits, name="macro_child")


def count_macro_child(architecture: MacroArchitecture, config: MacroChildConfig, image: ImageConfig) -> Cost:
    """Return the cost of the child per image from formulas; raise `InputError` where `build_macro_child` does."""
    places = _check(architecture, config, image)
    channels, pixels = config.channels, image.height * image.width
    cost = Cost.convolution(3, image.channels, channels, pixels)
    for number, layer in enumerate(architecture.layers, start=1):
        cost += Cost.convolution(1, channels, channels, pixels) + LAYER_OPS[layer.op].count(channels, pixels)
        cost += Cost.convolution(1, (1 + len(layer.skips)) * channels, channels, pixels)
        if number in places:
            pixels //= 4
            inputs, channels = channels, channels * config.channel_growth
            cost += len(used_nodes(architecture, number)) * REDUCTION.count(channels, pixels, inputs=inputs)
    return cost + Cost.dense(channels, image.num_classes)


def _check(architecture: MacroArchitecture, config: MacroChildConfig, image: ImageConfig) -> tuple[int, int]:
    """Return the places of the two reductions; raise `InputError` when the child does not fit them."""
    places = reduction_places(architecture.num_layers)
    check_halvings(image, config.channels, num_halvings=len(places))
    return places
