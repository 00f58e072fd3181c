"""The child of a macro architecture: an ordinary functional Keras model of stock layers, and its size.

The same function as the supernet computes for the architecture, with batch normalisation that keeps moving averages.
"""

import keras

from enas_tf.layers import functions
from enas_tf.models.costs import Cost
from enas_tf.models.images import ChildConfig, ImageConfig, check_halvings
from enas_tf.models.macro_supernet import MacroSupernet
from enas_tf.spaces.macro import MacroArchitecture, reduction_places, skip_candidates

#: Share of the old moving average that a step keeps (image_ops.py of the reference).
MOMENTUM = 0.9


def used_nodes(architecture: MacroArchitecture, place: int) -> list[int]:
    """The nodes 0 .. `place` that layers behind `place` read, the last one always among them, ascending."""
    later = {node for layer in architecture.layers[place:] for node in layer.skips if node <= place}
    return sorted(later | {place})


def build_macro_child(architecture: MacroArchitecture, config: ChildConfig, image: ImageConfig) -> keras.Model:
    """Builds the model: uint8 images [batch, height, width, channels] to float32 logits [batch, num_classes].

    Raises `InputError` when the depth or the images do not fit the two reductions, or the width is odd.
    """
    places = reduction_places(architecture.num_layers)
    check_halvings(image, config.channels, num_halvings=len(places))
    channels = config.channels
    inputs = keras.Input((image.height, image.width, image.channels), dtype="uint8", name="image")
    x = keras.layers.Normalization(mean=image.mean, variance=image.variance, name="normalization")(inputs)
    nodes = {0: _normalize(_convolve(x, channels, 3, "stem"), "stem")}
    for number, layer in enumerate(architecture.layers, start=1):
        y = _apply_op(nodes[number - 1], layer.op, channels, f"layer_{number}")
        joined = [y, *(nodes[node] for node in layer.skips)]
        y = keras.layers.Concatenate(name=f"layer_{number}_concat")(joined) if len(joined) > 1 else y
        nodes[number] = _relu_convolve_normalize(y, channels, 1, f"layer_{number}_merge")
        if number in places:
            channels *= config.channel_growth
            stage = places.index(number)
            nodes = {
                node: _reduce(nodes[node], channels, f"reduction_{stage}_node_{node}")
                for node in used_nodes(architecture, number)
            }
    x = keras.layers.GlobalAveragePooling2D(name="pool")(nodes[architecture.num_layers])
    x = keras.layers.Dropout(config.dropout, name="dropout")(x)
    logits = keras.layers.Dense(
        image.num_classes,
        use_bias=False,
        kernel_initializer=functions.he_normal(channels),
        dtype="float32",
        name="logits",
    )(x)
    return keras.Model(inputs, logits, name="macro_child")


def _apply_op(x, op: str, channels: int, name: str):
    """ReLU-1x1-BN, then the operation `op`."""
    x = _relu_convolve_normalize(x, channels, 1, f"{name}_entry")
    match op:
        case "conv_3x3" | "conv_5x5":
            return _relu_convolve_normalize(x, channels, int(op[-1]), f"{name}_op")
        case "sep_conv_3x3" | "sep_conv_5x5":
            size = int(op[-1])
            x = keras.layers.SeparableConv2D(
                channels,
                size,
                padding="same",
                use_bias=False,
                depthwise_initializer=functions.he_normal(size * size),
                pointwise_initializer=functions.he_normal(channels),
                name=f"{name}_op_conv",
            )(keras.layers.ReLU(name=f"{name}_op_relu")(x))
            return _normalize(x, f"{name}_op")
        case "avg_pool_3x3":
            return keras.layers.AveragePooling2D(3, strides=1, padding="same", name=f"{name}_op")(x)
        case "max_pool_3x3":
            return keras.layers.MaxPooling2D(3, strides=1, padding="same", name=f"{name}_op")(x)
    raise ValueError(op)


def _convolve(x, channels: int, size: int, name: str, strides: int = 1):
    return keras.layers.Conv2D(
        channels,
        size,
        strides=strides,
        padding="same" if strides == 1 else "valid",
        use_bias=False,
        kernel_initializer=functions.he_normal(size * size * x.shape[-1]),
        name=f"{name}_conv",
    )(x)


def _normalize(x, name: str):
    return keras.layers.BatchNormalization(momentum=MOMENTUM, epsilon=functions.EPSILON, name=f"{name}_bn")(x)


def _relu_convolve_normalize(x, channels: int, size: int, name: str):
    return _normalize(_convolve(keras.layers.ReLU(name=f"{name}_relu")(x), channels, size, name), name)


def _reduce(x, channels: int, name: str):
    """Factorized reduction to `channels` channels: every second pixel, and every second of the image shifted by one."""
    shifted = keras.layers.Cropping2D(((1, 0), (1, 0)), name=f"{name}_crop")(x)
    shifted = keras.layers.ZeroPadding2D(((0, 1), (0, 1)), name=f"{name}_pad")(shifted)
    halves = [
        _convolve(x, channels // 2, 1, f"{name}_even", strides=2),
        _convolve(shifted, channels // 2, 1, f"{name}_odd", strides=2),
    ]
    return _normalize(keras.layers.Concatenate(name=f"{name}_concat")(halves), name)


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
    _set(child, "stem", supernet.stem_kernel, supernet.stem_gamma, supernet.stem_beta)
    for i, layer in enumerate(architecture.layers):
        name, op = f"layer_{i + 1}", int(tokens[i * (i + 1) // 2])
        _set(child, f"{name}_entry", *(bank[i * len(space.ops) + op] for bank in supernet.entry.banks))
        rows = [bank[i] for bank in supernet.operations[op].banks]
        if rows:
            *kernels, gamma, beta = rows
            child.get_layer(f"{name}_op_conv").set_weights(kernels)
            child.get_layer(f"{name}_op_bn").set_weights([gamma, beta, *_moving(child, f"{name}_op_bn")])
        candidates = skip_candidates(i + 1, space.skip_sources)
        edge = i * (i + 1) // 2
        edges = [edge, *(edge + 1 + candidates.index(node) for node in layer.skips)]
        kernel = keras.ops.concatenate([supernet.edge_kernels[row] for row in edges], axis=2)
        _set(child, f"{name}_merge", kernel, supernet.merge_gamma[i], supernet.merge_beta[i])
    for stage, (place, reduction) in enumerate(zip(supernet.reductions, supernet.node_reductions, strict=True)):
        for node in used_nodes(architecture, place):
            name = f"reduction_{stage}_node_{node}"
            kernels, gamma, beta = (bank[node] for bank in reduction.banks)
            child.get_layer(f"{name}_even_conv").set_weights([kernels[0]])
            child.get_layer(f"{name}_odd_conv").set_weights([kernels[1]])
            child.get_layer(f"{name}_bn").set_weights([gamma, beta, *_moving(child, f"{name}_bn")])
    child.get_layer("logits").set_weights([supernet.classifier])


def _set(child, name, kernel, gamma, beta):
    child.get_layer(f"{name}_conv").set_weights([kernel])
    child.get_layer(f"{name}_bn").set_weights([gamma, beta, *_moving(child, f"{name}_bn")])


def _moving(child, name):
    layer = child.get_layer(name)
    return [layer.moving_mean, layer.moving_variance]
