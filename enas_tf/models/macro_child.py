"""The child of a macro architecture: an ordinary functional Keras model of stock layers, and its size.

The same function as the supernet computes for the architecture, with batch normalisation that keeps moving averages.
"""

import keras

from enas_tf.layers.stock import Layers, set_reduction, set_weights
from enas_tf.models.images import ChildConfig, ImageConfig, check_halvings
from enas_tf.models.macro_supernet import MacroSupernet
from enas_tf.ops.costs import Cost
from enas_tf.spaces.macro import MacroArchitecture, reduction_places, skip_candidates


def used_nodes(architecture: MacroArchitecture, place: int) -> list[int]:
    """The nodes 0 .. `place` that layers behind `place` read, the last one always among them, ascending."""
    later = {node for layer in architecture.layers[place:] for node in layer.skips if node <= place}
    return sorted(later | {place})


def build_macro_child(
    architecture: MacroArchitecture,
    config: ChildConfig,
    image: ImageConfig,
    dtype: str = "float32",
    for_training: bool = False,
) -> keras.Model:
    """Builds the model: uint8 images [batch, height, width, channels] to float32 logits [batch, num_classes].

    `dtype` is the Keras policy of its layers; `for_training` gives it the layers that train fastest, else they are
    stock Keras layers, of the same weights. Raises `InputError` when the depth or the images do not fit the two
    reductions, or the width is odd.
    """
    places = reduction_places(architecture.num_layers)
    check_halvings(image, config.channels, num_halvings=len(places))
    channels, layers = config.channels, Layers(dtype=dtype, for_training=for_training)
    inputs = keras.Input((image.height, image.width, image.channels), dtype="uint8", name="image")
    x = layers.standardize(inputs, image.mean, image.variance)
    nodes = {0: layers.normalize(layers.convolve(x, channels, 3, "stem"), "stem")}
    for number, layer in enumerate(architecture.layers, start=1):
        y = _apply_op(layers, nodes[number - 1], layer.op, channels, f"layer_{number}")
        y = layers.concatenate([y, *(nodes[node] for node in layer.skips)], f"layer_{number}")
        nodes[number] = layers.relu_convolve_normalize(y, channels, 1, f"layer_{number}_merge")
        if number in places:
            channels *= config.channel_growth
            stage = places.index(number)
            nodes = {
                node: layers.reduce(nodes[node], channels, f"reduction_{stage}_node_{node}")
                for node in used_nodes(architecture, number)
            }
    logits = layers.classify(nodes[architecture.num_layers], image.num_classes, config.dropout)
    return keras.Model(inputs, logits, name="macro_child")


def _apply_op(layers: Layers, x, op: str, channels: int, name: str):
    """ReLU-1x1-BN, then the operation `op`."""
    x = layers.relu_convolve_normalize(x, channels, 1, f"{name}_entry")
    match op:
        case "conv_3x3" | "conv_5x5":
            return layers.relu_convolve_normalize(x, channels, int(op[-1]), f"{name}_op")
        case "sep_conv_3x3" | "sep_conv_5x5":
            return layers.relu_separate_normalize(x, channels, int(op[-1]), f"{name}_op")
        case "avg_pool_3x3" | "max_pool_3x3":
            return layers.pool(x, op, f"{name}_op")
    raise ValueError(op)


def count_macro_child(architecture: MacroArchitecture, config: ChildConfig, image: ImageConfig) -> Cost:
    """Trainable parameters and FLOPs per image of the child, from formulas, without building it.

    Raises `InputError` where `build_macro_child` does.
    """
    places = reduction_places(architecture.num_layers)
    check_halvings(image, config.channels, num_halvings=len(places))
    channels, pixels = config.channels, image.height * image.width
    cost = Cost.convolution(3, image.channels, channels, pixels)
    for number, layer in enumerate(architecture.layers, start=1):
        cost += Cost.convolution(1, channels, channels, pixels) + _count_op(layer.op, channels, pixels)
        cost += Cost.convolution(1, (1 + len(layer.skips)) * channels, channels, pixels)
        if number in places:
            pixels //= 4
            nodes = len(used_nodes(architecture, number))
            cost += nodes * Cost.convolution(1, channels, channels * config.channel_growth, pixels)
            channels *= config.channel_growth
    return cost + Cost.dense(channels, image.num_classes)


def _count_op(op: str, channels: int, pixels: int) -> Cost:
    if op.startswith("conv"):
        return Cost.convolution(int(op[-1]), channels, channels, pixels)
    if op.startswith("sep_conv"):
        return Cost.separable(int(op[-1]), channels, channels, pixels)
    return Cost()


def inherit_weights(child: keras.Model, supernet: MacroSupernet, architecture: MacroArchitecture) -> None:
    """Copies into `child`, built with the supernet's width, the shared weights that `architecture` chose."""
    space = supernet.space
    tokens = space.encode(architecture)
    set_weights(child, "stem", [supernet.stem_kernel], supernet.stem_gamma, supernet.stem_beta)
    for i, layer in enumerate(architecture.layers):
        name, op = f"layer_{i + 1}", int(tokens[i * (i + 1) // 2])
        kernel, gamma, beta = (bank[i * len(space.ops) + op] for bank in supernet.entry.banks)
        set_weights(child, f"{name}_entry", [kernel], gamma, beta)
        rows = [bank[i] for bank in supernet.operations[op].banks]
        if rows:
            set_weights(child, f"{name}_op", rows[:-2], *rows[-2:])
        candidates = skip_candidates(i + 1, space.skip_sources)
        edge = i * (i + 1) // 2
        edges = [edge, *(edge + 1 + candidates.index(node) for node in layer.skips)]
        kernel = keras.ops.concatenate([supernet.edge_kernels[row] for row in edges], axis=2)
        set_weights(child, f"{name}_merge", [kernel], supernet.merge_gamma[i], supernet.merge_beta[i])
    for stage, (place, reduction) in enumerate(zip(supernet.reductions, supernet.node_reductions, strict=True)):
        for node in used_nodes(architecture, place):
            set_reduction(child, f"reduction_{stage}_node_{node}", *(bank[node] for bank in reduction.banks))
    child.get_layer("logits").set_weights([supernet.classifier])
