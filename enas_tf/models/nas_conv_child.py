"""The child of a nas_conv architecture: a functional Keras model of stock layers, and its cost.

Departures: the paper does not say where the zeros stand that bring maps to one size, nor what happens to earlier layers
at a pooling. Here the zeros surround the smaller map, and whatever is read behind a pooling is pooled, the image too:
a later layer that read an earlier map at its full size would undo the pooling. Maps are averaged before the classifier.
"""

import keras

from enas_tf.layers.stock import Layers
from enas_tf.models.images import ImageConfig
from enas_tf.models.nas_conv_config import NasConvConfig
from enas_tf.ops.costs import Cost
from enas_tf.spaces.nas_conv import NasConvArchitecture

#: The node that stands for the image.
IMAGE = 0


def sources_of(architecture: NasConvArchitecture, number: int) -> tuple[int, ...]:
    """Return the nodes that layer `number` reads, the classifier's for the number behind the last: the repairs."""
    if number > architecture.num_layers:
        return architecture.loose_ends
    return architecture.layers[number - 1].inputs or (IMAGE,)


def pooled_nodes(architecture: NasConvArchitecture, place: int) -> list[int]:
    """Return the nodes up to `place` that are read behind it, ascending; none unless a pooling stands there."""
    if place not in architecture.pools:
        return []
    later = range(place + 1, architecture.num_layers + 2)
    return sorted({node for number in later for node in sources_of(architecture, number) if node <= place})


def build_nas_conv_child(
    architecture: NasConvArchitecture,
    config: NasConvConfig,
    image: ImageConfig,
    dtype: str = "float32",
    for_training: bool = False,
) -> keras.Model:
    """Build the model: uint8 images [batch, height, width, channels] to float32 logits [batch, num_classes].

    The arguments are those of `Networks.build_child`.
    """
    layers = Layers(dtype=dtype, for_training=for_training)
    inputs = keras.Input((image.height, image.width, image.channels), dtype="uint8", name="image")
    nodes = {IMAGE: layers.standardize(inputs, image.mean, image.variance)}
    for number, layer in enumerate(architecture.layers, start=1):
        name, size = f"layer_{number}", (layer.height, layer.width)
        x = _join(layers, [nodes[node] for node in sources_of(architecture, number)], name)
        x = layers.convolve(x, layer.filters + config.more_filters, size, name, layer.strides)
        nodes[number] = layers.relu(layers.normalize(x, name), name)
        for node in pooled_nodes(architecture, number):
            pool = layers.get(keras.layers.MaxPooling2D, f"pool_{number}_node_{node}", padding="same")
            nodes[node] = pool(nodes[node])
    x = _join(layers, [nodes[node] for node in architecture.loose_ends], "last")
    return keras.Model(inputs, layers.classify(x, image.num_classes, config.dropout), name="nas_conv_child")


def _join(layers: Layers, maps: list, name: str):
    """Concatenate maps, after zeros around those that are smaller than others."""
    height, width = (max(x.shape[axis] for x in maps) for axis in (1, 2))
    padded = []
    for place, x in enumerate(maps):
        rows, columns = height - x.shape[1], width - x.shape[2]
        if rows or columns:
            sides = ((rows // 2, rows - rows // 2), (columns // 2, columns - columns // 2))
            x = layers.get(keras.layers.ZeroPadding2D, f"{name}_pad_{place}", padding=sides)(x)
        padded.append(x)
    return layers.concatenate(padded, name)


def count_nas_conv_child(architecture: NasConvArchitecture, config: NasConvConfig, image: ImageConfig) -> Cost:
    """Return the cost of the child per image from formulas."""
    # Height, width and channels of each node.
    shapes = {IMAGE: (image.height, image.width, image.channels)}
    cost = Cost()
    for number, layer in enumerate(architecture.layers, start=1):
        height, width, channels = _joined([shapes[node] for node in sources_of(architecture, number)])
        height, width = -(-height // layer.strides[0]), -(-width // layer.strides[1])
        filters = layer.filters + config.more_filters
        cost += Cost.convolution((layer.height, layer.width), channels, filters, height * width)
        shapes[number] = height, width, filters
        for node in pooled_nodes(architecture, number):
            height, width, channels = shapes[node]
            shapes[node] = -(-height // 2), -(-width // 2), channels
    *_, channels = _joined([shapes[node] for node in architecture.loose_ends])
    return cost + Cost.dense(channels, image.num_classes)


def _joined(shapes: list[tuple[int, int, int]]) -> tuple[int, int, int]:
    """Return height, width and channels of what `_join` makes."""
    heights, widths, channels = zip(*shapes, strict=True)
    return max(heights), max(widths), sum(channels)
