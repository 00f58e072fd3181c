"""The child of a micro architecture: an ordinary functional Keras model of stock layers, and its cost.

The child is the same function as the supernet computes for the architecture, with batch normalisation that keeps moving
averages.
"""

from collections.abc import Callable

import keras

from enas_tf.layers.stock import Layers
from enas_tf.models.cell_config import STEMS, CellChildConfig, cell_kinds, check_size
from enas_tf.models.images import ImageConfig
from enas_tf.ops.costs import Cost
from enas_tf.ops.op import CELL_OPS
from enas_tf.ops.reduction import REDUCTION
from enas_tf.spaces.cells import NUM_INPUTS, Cell
from enas_tf.spaces.micro import MicroArchitecture

#: What is applied to the result of an operation in training: (tensor, number of the cell) -> tensor.
DropPath = Callable


def build_micro_child(
    architecture: MicroArchitecture,
    config: CellChildConfig,
    image: ImageConfig,
    dtype: str = "float32",
    for_training: bool = False,
) -> keras.Model:
    """Build the model: uint8 images [batch, height, width, channels] to float32 logits [batch, num_classes].

    The arguments are those of `Networks.build_child`.

    Raises:
      InputError: the images do not fit the reductions.
    """
    check_size(image, config.channels, config.stem)
    inputs = keras.Input((image.height, image.width, image.channels), dtype="uint8", name="image")
    layers = Layers(dtype=dtype, for_training=for_training)
    outputs = connect_cells(layers, inputs, architecture, config, image)
    logits = layers.classify(layers.relu(outputs[-1], "last"), image.num_classes, config.dropout)
    return keras.Model(inputs, logits, name="micro_child")


def connect_cells(
    layers: Layers,
    inputs,
    architecture: MicroArchitecture,
    config: CellChildConfig,
    image: ImageConfig,
    drop_path: DropPath = lambda y, _: y,
) -> list:
    """Return the outputs of all cells, in order, of a network of `layers` on the images `inputs`."""
    x = layers.standardize(inputs, image.mean, image.variance)
    channels = config.channels
    for i, (multiple, strides) in enumerate(STEMS[config.stem]):
        x = layers.relu(x, f"stem_{i}") if i else x
        x = layers.normalize(layers.convolve(x, multiple * channels, 3, f"stem_{i}", strides), f"stem_{i}")
    before, last = (layers.relu_convolve_normalize(x, channels, 1, f"projection_{i}") for i in range(NUM_INPUTS))
    outputs = []
    for number, kind in enumerate(cell_kinds(config.cells_per_stage)):
        name, drop = f"cell_{number}", lambda y, cell=number: drop_path(y, cell)
        if kind == "reduction":
            channels *= 2
            entries = (
                layers.relu_convolve_normalize(x, channels, 1, f"{name}_entry_{i}")
                for i, x in enumerate((before, last))
            )
            output = _connect_cell(layers, *entries, architecture.reduction, architecture.merge, name, 2, drop)
            before, last = REDUCTION.apply(layers, last, channels, f"{name}_shortcut"), output
        else:
            output = _connect_cell(layers, before, last, architecture.normal, architecture.merge, name, 1, drop)
            before, last = last, output
        outputs.append(output)
    return outputs


def _connect_cell(layers: Layers, before, last, cell: Cell, merge: str, name: str, strides: int, drop):
    """Return the output of one cell; with `strides` 2 operations on its inputs halve the image."""
    nodes, channels = [before, last], last.shape[-1]
    for block in cell.blocks:
        terms = []
        for side, (source, op) in enumerate(zip(block.inputs, block.ops, strict=True)):
            step = _strides_of(source, strides)
            node_name = f"{name}_node_{len(nodes)}_{side}"
            y = CELL_OPS[op].with_strides(step).apply(layers, nodes[source], channels, node_name, step)
            terms.append(drop(y) if CELL_OPS[op].drops_path else y)
        nodes.append(layers.get(keras.layers.Add, f"{name}_node_{len(nodes)}")(terms))
    joined = [
        REDUCTION.apply(layers, nodes[node], channels, f"{name}_exit_{node}")
        if _strides_of(node, strides) == 2
        else nodes[node]
        for node in cell.joined(merge)
    ]
    return layers.relu_convolve_normalize(layers.concatenate(joined, name), channels, 1, f"{name}_merge")


def _strides_of(node: int, strides: int) -> int:
    """Return the stride of what reads `node` in a cell: only the inputs of a reduction cell have one."""
    return strides if node < NUM_INPUTS else 1


def count_micro_child(architecture: MicroArchitecture, config: CellChildConfig, image: ImageConfig) -> Cost:
    """Return the cost of the child per image from formulas; raise `InputError` where `build_micro_child` does."""
    check_size(image, config.channels, config.stem)
    inputs, channels, pixels, cost = image.channels, config.channels, image.height * image.width, Cost()
    for multiple, strides in STEMS[config.stem]:
        pixels //= strides**2
        cost += Cost.convolution(3, inputs, multiple * channels, pixels)
        inputs = multiple * channels
    cost += NUM_INPUTS * Cost.convolution(1, inputs, channels, pixels)
    for kind in cell_kinds(config.cells_per_stage):
        if kind == "reduction":
            cost += NUM_INPUTS * Cost.convolution(1, channels, 2 * channels, pixels)
            cost += REDUCTION.count(2 * channels, pixels // 4, inputs=channels)
            channels, pixels = 2 * channels, pixels // 4
            cost += _count_cell(architecture.reduction, architecture.merge, channels, pixels, strides=2)
        else:
            cost += _count_cell(architecture.normal, architecture.merge, channels, pixels, strides=1)
    return cost + Cost.dense(channels, image.num_classes)


def _count_cell(cell: Cell, merge: str, channels: int, pixels: int, strides: int) -> Cost:
    """Return the cost of one cell with `pixels` pixels in its output."""
    joined, cost = cell.joined(merge), Cost()
    for block in cell.blocks:
        for source, op in zip(block.inputs, block.ops, strict=True):
            step = _strides_of(source, strides)
            cost += CELL_OPS[op].with_strides(step).count(channels, pixels, step)
    cost += sum(_strides_of(node, strides) == 2 for node in joined) * REDUCTION.count(channels, pixels)
    return cost + Cost.convolution(1, len(joined) * channels, channels, pixels)
