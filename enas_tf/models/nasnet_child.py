"""Children of NASNet's family: functional Keras models of stock layers, and their cost.

Source: research/slim/nets/nasnet/{nasnet,nasnet_utils,pnasnet}.py of tensorflow/models. Unlike in micro children, each
cell adjusts its own inputs, and its output is a concatenation without a convolution behind it. The first cell reads the
stem's convolution twice: adjusted, and as it is. Departures: batch normalisation has the constants of
this package (decay 0.9, epsilon 1e-5) for ImageNet too; blocks that join channels narrow them by a 1x1 convolution at
once, since nothing published says what they do.
"""

from collections.abc import Callable, Collection

import keras

from enas_tf.layers.stock import Layers
from enas_tf.models.images import ImageConfig
from enas_tf.models.nasnet_config import (
    STEM_KERNEL,
    NasnetChildConfig,
    Place,
    check_size,
    live_cells,
    place_cells,
    stem_channels,
)
from enas_tf.ops.costs import Cost
from enas_tf.ops.identity import STRIDED_IDENTITY
from enas_tf.ops.narrowing import Narrowed
from enas_tf.ops.op import CELL_OPS, Op
from enas_tf.ops.reduction import REDUCTION
from enas_tf.spaces.cells import NUM_INPUTS, Block, CellArchitecture

#: What is applied to the result of an operation in training: (tensor, number of the cell) -> tensor.
DropPath = Callable
#: Height, width and channels of a tensor.
Size = tuple[int, int, int]


def build_nasnet_child(
    architecture: CellArchitecture,
    config: NasnetChildConfig,
    image: ImageConfig,
    dtype: str = "float32",
    for_training: bool = False,
) -> keras.Model:
    """Build the model: uint8 images [batch, height, width, channels] to float32 logits [batch, num_classes].

    The arguments are those of `Networks.build_child`.

    Raises:
      InputError: the images do not fit the network.
    """
    check_size(image, config)
    inputs = keras.Input((image.height, image.width, image.channels), dtype="uint8", name="image")
    layers = Layers(dtype=dtype, for_training=for_training)
    outputs = connect_cells(layers, inputs, architecture, config, image)
    logits = layers.classify(layers.relu(outputs[-1], "last"), image.num_classes, config.dropout, use_bias=True)
    return keras.Model(inputs, logits, name=f"{architecture.space_name}_child")


def connect_cells(
    layers: Layers,
    inputs,
    architecture: CellArchitecture,
    config: NasnetChildConfig,
    image: ImageConfig,
    drop_path: DropPath = lambda y, _: y,
) -> list:
    """Return the outputs of all cells, in order, of a network of `layers` on the images `inputs`."""
    x = layers.standardize(inputs, image.mean, image.variance)
    strides, padding = (2, "valid") if config.stem == "imagenet" else (1, "same")
    x = layers.convolve(x, stem_channels(config), STEM_KERNEL, "stem_0", strides, padding)
    tensors = [layers.normalize(x, "stem_0")]
    for number, place in enumerate(place_cells(config, architecture.kinds)):
        name, last = f"cell_{number}", tensors[place.last]
        before = None if place.before is None else tensors[place.before]
        nodes = _adjust(layers, last, before, place.channels, name)
        tensors.append(
            _connect_cell(layers, nodes, architecture, place, name, lambda y, cell=number: drop_path(y, cell))
        )
    return tensors[1:]


def _adjust(layers: Layers, last, before, channels: int, name: str) -> list:
    """Return the two inputs of a cell in its width and in the size of the last one.

    Source: nasnet_utils.py, `_cell_base`. An earlier input that fits already stays as it is. Where there is none,
    `last` stands in its place, in the width that it has.
    """
    if before is None:
        before = last
    elif before.shape[1:3] != last.shape[1:3]:
        before = REDUCTION.apply(layers, layers.relu(before, f"{name}_before"), channels, f"{name}_before")
    elif before.shape[-1] != channels:
        before = layers.relu_convolve_normalize(before, channels, 1, f"{name}_before")
    return [layers.relu_convolve_normalize(last, channels, 1, f"{name}_last"), before]


def _connect_cell(layers: Layers, nodes: list, architecture: CellArchitecture, place: Place, name: str, drop):
    """Return the output of a cell whose inputs are `nodes`; under a stride operations on these halve the image."""
    for block in architecture.cells[place.kind].blocks:
        terms = []
        for side, (source, op) in enumerate(zip(block.inputs, block.ops, strict=True)):
            step = _strides_of(source, place)
            x, channels = nodes[source], place.channels
            found = op_under(op, step, x.shape[-1] != channels)
            y = found.apply(layers, x, channels, f"{name}_node_{len(nodes)}_{side}", step)
            terms.append(drop(y) if CELL_OPS[op].drops_path else y)
        nodes.append(_combine(layers, terms, block, place.channels, f"{name}_node_{len(nodes)}"))
    joined = [
        _leave(layers, nodes[node], place.channels, f"{name}_exit_{node}", _strides_of(node, place))
        for node in architecture.joined(place.kind)
    ]
    return layers.concatenate(joined, name)


def _leave(layers: Layers, x, channels: int, name: str, strides: int):
    """Return `x` in the width and the size of the output that it is part of (`_combine_unused_states`)."""
    if strides == 2:
        return REDUCTION.apply(layers, x, channels, name)
    if x.shape[-1] == channels:
        return x
    return layers.normalize(layers.convolve(x, channels, 1, name), name)


def _combine(layers: Layers, terms: list, block: Block, channels: int, name: str):
    if block.combine == "add":
        return layers.get(keras.layers.Add, name)(terms)
    return layers.relu_convolve_normalize(layers.concatenate(terms, name), channels, 1, name)


def op_under(op: str, strides: int, narrows: bool) -> Op:
    """Return what computes the operation `op` under a stride, or where it also has to narrow its input."""
    if op == "identity" and (strides > 1 or narrows):
        return STRIDED_IDENTITY
    found = CELL_OPS[op].with_strides(strides)
    return Narrowed(found) if narrows and not found.reads_any_width else found


def _strides_of(node: int, place: Place) -> int:
    """Return the stride of what reads `node` in a cell: only the inputs of a cell with a stride have one."""
    return place.strides if node < NUM_INPUTS else 1


def count_nasnet_child(architecture: CellArchitecture, config: NasnetChildConfig, image: ImageConfig) -> Cost:
    """Return the cost of the child per image from formulas; raise `InputError` where `build_nasnet_child` does.

    What the output does not depend on does not count, as it is not part of the model. FLOPs are those of
    `Bottleneck.count` where such an operation halves an odd height or width.
    """
    check_size(image, config)
    height, width, channels = image.height, image.width, stem_channels(config)
    if config.stem == "imagenet":
        height, width = ((side - STEM_KERNEL) // 2 + 1 for side in (height, width))
    sizes: list[Size] = [(height, width, channels)]
    cost = Cost.convolution(STEM_KERNEL, image.channels, channels, height * width)
    places = place_cells(config, architecture.kinds)
    for place, is_live in zip(places, live_cells(places, architecture), strict=True):
        last, before = sizes[place.last], None if place.before is None else sizes[place.before]
        height, width = (-(-side // place.strides) for side in last[:2])
        if is_live:
            cost += _count_inputs(last, before, place.channels, architecture.live_nodes(place.kind))
            widths = (place.channels, last[-1] if before is None else place.channels)
            cost += _count_cell(architecture, place, widths, height * width)
        sizes.append((height, width, len(architecture.joined(place.kind)) * place.channels))
    return cost + Cost.dense(sizes[-1][-1], image.num_classes, use_bias=True)


def _count_inputs(last: Size, before: Size | None, channels: int, live: Collection[int]) -> Cost:
    """Return the cost of what brings those of two tensors that are `live` nodes of a cell to its width."""
    pixels, cost = last[0] * last[1], Cost()
    if 0 in live:
        cost += Cost.convolution(1, last[-1], channels, pixels)
    if 1 in live and before is not None and (before[:2] != last[:2] or before[-1] != channels):
        cost += Cost.convolution(1, before[-1], channels, pixels)
    return cost


def _count_cell(architecture: CellArchitecture, place: Place, widths: tuple[int, int], pixels: int) -> Cost:
    """Return the cost of one cell whose inputs have `widths` channels, with `pixels` pixels in its output."""
    channels, cost, live = place.channels, Cost(), architecture.live_nodes(place.kind)
    for node, block in enumerate(architecture.cells[place.kind].blocks, start=NUM_INPUTS):
        if node not in live:
            continue
        for source, op in zip(block.inputs, block.ops, strict=True):
            inputs = widths[source] if source < NUM_INPUTS else channels
            cost += _count_op(op, inputs, channels, pixels, _strides_of(source, place))
        if block.combine != "add":
            cost += Cost.convolution(1, 2 * channels, channels, pixels)
    for node in architecture.joined(place.kind):
        if node < NUM_INPUTS and (place.strides == 2 or widths[node] != channels):
            cost += Cost.convolution(1, widths[node], channels, pixels)
    return cost


def _count_op(op: str, inputs: int, channels: int, pixels: int, strides: int) -> Cost:
    found = op_under(op, strides, inputs != channels)
    if inputs == channels:
        return found.count(channels, pixels, strides)
    return found.count(channels, pixels, strides, inputs=inputs)  # type: ignore[call-arg]
