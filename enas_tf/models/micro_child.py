"""The child of a micro architecture: an ordinary functional Keras model of stock layers, what trains it, and its size.

The same function as the supernet computes for the architecture, with batch normalisation that keeps moving averages.
"""

from collections.abc import Callable

import keras

from enas_tf.layers.stock import Layers, set_reduction, set_weights
from enas_tf.models.images import STEMS, ChildConfig, ImageConfig
from enas_tf.models.micro_cells import CellStack
from enas_tf.models.micro_supernet import NUM_REDUCTIONS, MicroSupernet, check_size
from enas_tf.ops.costs import Cost
from enas_tf.spaces.micro import NUM_INPUTS, Cell, MicroArchitecture

#: What is applied to the result of an operation in training: (tensor, number of the cell) -> tensor.
DropPath = Callable


def cell_kinds(cells_per_stage: int) -> list[str]:
    """The kind of each cell of a network: three stages of normal cells, a reduction between each two."""
    stage = ["normal"] * cells_per_stage
    return [*stage, "reduction"] * NUM_REDUCTIONS + stage


def build_micro_child(
    architecture: MicroArchitecture,
    config: ChildConfig,
    image: ImageConfig,
    dtype: str = "float32",
    for_training: bool = False,
) -> keras.Model:
    """Builds the model: uint8 images [batch, height, width, channels] to float32 logits [batch, num_classes].

    `dtype` is the Keras policy of its layers; `for_training` gives it the layers that train fastest, else they are
    stock Keras layers, of the same weights. Raises `InputError` when the images do not fit the reductions.
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
    config: ChildConfig,
    image: ImageConfig,
    drop_path: DropPath = lambda y, _: y,
) -> list:
    """The outputs of all cells, in order, of a network of `layers` on the images `inputs`."""
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
            before, last = layers.reduce(last, channels, f"{name}_shortcut"), output
        else:
            output = _connect_cell(layers, before, last, architecture.normal, architecture.merge, name, 1, drop)
            before, last = last, output
        outputs.append(output)
    return outputs


def _connect_cell(layers: Layers, before, last, cell: Cell, merge: str, name: str, strides: int, drop):
    """The output of one cell; with `strides` 2 operations on its inputs halve the image."""
    nodes, channels = [before, last], last.shape[-1]
    for block in cell.blocks:
        terms = []
        for side, (source, op) in enumerate(zip(block.inputs, block.ops, strict=True)):
            step = strides if source < NUM_INPUTS else 1
            y = _apply_op(layers, nodes[source], op, channels, f"{name}_node_{len(nodes)}_{side}", step)
            terms.append(y if op == "identity" else drop(y))
        nodes.append(layers.get(keras.layers.Add, f"{name}_node_{len(nodes)}")(terms))
    joined = [
        layers.reduce(nodes[node], channels, f"{name}_exit_{node}")
        if strides == 2 and node < NUM_INPUTS
        else nodes[node]
        for node in cell.joined(merge)
    ]
    return layers.relu_convolve_normalize(layers.concatenate(joined, name), channels, 1, f"{name}_merge")


def _apply_op(layers: Layers, x, op: str, channels: int, name: str, strides: int):
    kind, _, size = op.rpartition("_")
    match kind:
        case "sep_conv":
            x = layers.relu_separate_normalize(x, channels, int(size[-1]), f"{name}_first", strides)
            return layers.relu_separate_normalize(x, channels, int(size[-1]), f"{name}_second")
        case "conv":
            return layers.relu_convolve_normalize(x, channels, int(size[-1]), name, strides)
        case "avg_pool" | "max_pool":
            return layers.pool(x, op, name, strides)
    return layers.reduce(x, channels, name) if strides == 2 else x  # The identity.


def count_micro_child(architecture: MicroArchitecture, config: ChildConfig, image: ImageConfig) -> Cost:
    """Trainable parameters and FLOPs per image of the child, from formulas, without building it.

    Raises `InputError` where `build_micro_child` does.
    """
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
            cost += Cost.convolution(1, channels, 2 * channels, pixels // 4)
            channels, pixels = 2 * channels, pixels // 4
            cost += _count_cell(architecture.reduction, architecture.merge, channels, pixels, strides=2)
        else:
            cost += _count_cell(architecture.normal, architecture.merge, channels, pixels, strides=1)
    return cost + Cost.dense(channels, image.num_classes)


def _count_cell(cell: Cell, merge: str, channels: int, pixels: int, strides: int) -> Cost:
    """Of one cell with `pixels` in its output."""
    joined, cost = cell.joined(merge), Cost()
    for block in cell.blocks:
        for source, op in zip(block.inputs, block.ops, strict=True):
            cost += _count_op(op, channels, pixels, is_halving=strides == 2 and source < NUM_INPUTS)
    if strides == 2:
        cost += sum(node < NUM_INPUTS for node in joined) * Cost.convolution(1, channels, channels, pixels)
    return cost + Cost.convolution(1, len(joined) * channels, channels, pixels)


def _count_op(op: str, channels: int, pixels: int, is_halving: bool) -> Cost:
    if op.startswith("sep_conv"):
        return 2 * Cost.separable(int(op[-1]), channels, channels, pixels)
    if op.startswith("conv"):
        return Cost.convolution(int(op[-1]), channels, channels, pixels)
    if op == "identity" and is_halving:
        return Cost.convolution(1, channels, channels, pixels)
    return Cost()


def inherit_weights(child: keras.Model, supernet: MicroSupernet, architecture: MicroArchitecture) -> None:
    """Copies into `child`, built with the supernet's size, the shared weights that `architecture` chose."""
    for i, (kernel, gamma, beta) in enumerate(supernet.stem):
        set_weights(child, f"stem_{i}", [kernel], gamma, beta)
    for i in range(NUM_INPUTS):
        _set_row(child, f"projection_{i}", supernet.projections, i)
    number = 0
    for i, stage in enumerate(supernet.stages):
        for row in range(stage.num_cells):
            _inherit_cell(child, f"cell_{number}", stage, row, architecture.normal, architecture.merge)
            number += 1
        if i < NUM_REDUCTIONS:
            name, reduction = f"cell_{number}", supernet.reductions[i]
            for k in range(NUM_INPUTS):
                _set_row(child, f"{name}_entry_{k}", supernet.entries[i], k)
            set_reduction(child, f"{name}_shortcut", *(bank[0] for bank in supernet.shortcuts[i].banks))
            _inherit_cell(child, name, reduction, 0, architecture.reduction, architecture.merge)
            number += 1
    child.get_layer("logits").set_weights([supernet.classifier])


def _inherit_cell(child: keras.Model, name: str, stack: CellStack, row: int, cell: Cell, merge: str) -> None:
    for b, block in enumerate(cell.blocks):
        for side, (source, op) in enumerate(zip(block.inputs, block.ops, strict=True)):
            edge, target = 2 * b + side, f"{name}_node_{b + NUM_INPUTS}_{side}"
            operation, place = stack.operations[stack.space.ops.index(op)], stack.place(row, edge, source)
            if op == "identity" and stack.strides == 2 and source < NUM_INPUTS:
                set_reduction(child, target, *(bank[2 * edge + source] for bank in stack.halvings.banks))
            elif op.startswith("sep_conv"):
                for repeat, word in enumerate(("first", "second")):
                    *kernels, gamma, beta = (bank[place][repeat] for bank in operation.banks)
                    set_weights(child, f"{target}_{word}", kernels, gamma, beta)
            elif operation.banks:
                _set_row(child, target, operation, place)
    joined = cell.joined(merge)
    if stack.strides == 2:
        for node in joined:
            if node < NUM_INPUTS:
                set_reduction(child, f"{name}_exit_{node}", *(bank[node] for bank in stack.exits.banks))
    kernel = keras.ops.concatenate([stack.merge_kernels[row, node] for node in joined], axis=2)
    set_weights(child, f"{name}_merge", [kernel], stack.merge_gamma[row], stack.merge_beta[row])


def _set_row(child: keras.Model, name: str, operation, place: int) -> None:
    kernel, gamma, beta = (bank[place] for bank in operation.banks)
    set_weights(child, name, [kernel], gamma, beta)
