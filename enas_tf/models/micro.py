"""The networks of the micro space, and how a child inherits the shared weights of its cells."""

import keras

from enas_tf.layers.stock import set_weights
from enas_tf.models.cell_config import (
    CELL_CHILD,
    CELL_NETWORK,
    NUM_REDUCTIONS,
    CellChildConfig,
    CellNetworkConfig,
    cell_kinds,
)
from enas_tf.models.images import ImageConfig
from enas_tf.models.micro_cells import CellStack
from enas_tf.models.micro_child import build_micro_child, count_micro_child
from enas_tf.models.micro_supernet import MicroSupernet
from enas_tf.models.micro_training import MicroTrainee
from enas_tf.models.networks import NETWORKS, Networks
from enas_tf.ops.bank import Bank
from enas_tf.ops.op import CELL_OPS
from enas_tf.ops.reduction import REDUCTION
from enas_tf.spaces.cells import NUM_INPUTS, Cell


class MicroNetworks(Networks[CellNetworkConfig, CellChildConfig, ImageConfig]):
    """Networks of normal and reduction cells."""

    task = "classification"
    network, child = CELL_NETWORK, CELL_CHILD

    build_supernet = staticmethod(MicroSupernet)
    build_child = staticmethod(build_micro_child)
    build_trainee = staticmethod(MicroTrainee)
    count = staticmethod(count_micro_child)

    def inherit_weights(self, model, supernet, architecture):
        for i, (kernel, gamma, beta) in enumerate(supernet.stem):
            set_weights(model, f"stem_{i}", [kernel], gamma, beta)
        for i in range(NUM_INPUTS):
            _set_row(model, f"projection_{i}", supernet.projections, i)
        number = 0
        for i, stage in enumerate(supernet.stages):
            for row in range(stage.num_cells):
                _inherit_cell(model, f"cell_{number}", stage, row, architecture.normal, architecture.merge)
                number += 1
            if i < NUM_REDUCTIONS:
                name = f"cell_{number}"
                for k in range(NUM_INPUTS):
                    _set_row(model, f"{name}_entry_{k}", supernet.entries[i], k)
                REDUCTION.copy_weights(model, f"{name}_shortcut", supernet.shortcuts[i].rows(0))
                _inherit_cell(model, name, supernet.reductions[i], 0, architecture.reduction, architecture.merge)
                number += 1
        model.get_layer("logits").set_weights([supernet.classifier])

    def as_child(self, network):
        return CellChildConfig(channels=network.channels, cells_per_stage=network.cells_per_stage, stem=network.stem)

    def size_in_words(self, architecture, child):
        widths = ", ".join(str(child.channels * 2**stage) for stage in range(NUM_REDUCTIONS + 1))
        num_cells = len(cell_kinds(child.cells_per_stage))
        return f"{child.cells_per_stage} @ {child.channels}: {num_cells} cells of {widths} channels"


NETWORKS.register("micro", [CELL_NETWORK, CELL_CHILD])(MicroNetworks())


def _inherit_cell(child: keras.Model, name: str, stack: CellStack, row: int, cell: Cell, merge: str) -> None:
    """Copy the weights of cell `row` of `stack`."""
    for b, block in enumerate(cell.blocks):
        for side, (source, op) in enumerate(zip(block.inputs, block.ops, strict=True)):
            strides = stack.strides if source < NUM_INPUTS else 1
            rows = stack.edges.rows(row, 2 * b + side, source, op)
            CELL_OPS[op].with_strides(strides).copy_weights(child, f"{name}_node_{b + NUM_INPUTS}_{side}", rows)
    joined = cell.joined(merge)
    if stack.strides == 2:
        for node in joined:
            if node < NUM_INPUTS:
                REDUCTION.copy_weights(child, f"{name}_exit_{node}", stack.exits.rows(node))
    kernel = keras.ops.concatenate([stack.merge_kernels[row, node] for node in joined], axis=2)
    set_weights(child, f"{name}_merge", [kernel], stack.merge_gamma[row], stack.merge_beta[row])


def _set_row(child: keras.Model, name: str, bank: Bank, place: int) -> None:
    kernel, gamma, beta = bank.rows(place)
    set_weights(child, name, [kernel], gamma, beta)
