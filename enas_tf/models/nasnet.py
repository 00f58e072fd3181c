"""The networks of NASNet's family, for the spaces `nasnet` and `pnas`, and how a child inherits shared weights."""

import keras

from enas_tf.errors import ref
from enas_tf.layers.stock import set_weights
from enas_tf.models.images import ImageConfig
from enas_tf.models.nasnet_cells import Entry, SearchedCell
from enas_tf.models.nasnet_child import build_nasnet_child, count_nasnet_child
from enas_tf.models.nasnet_config import (
    NASNET_CHILD,
    NASNET_NETWORK,
    NasnetChildConfig,
    NasnetNetworkConfig,
    live_cells,
    place_cells,
)
from enas_tf.models.nasnet_supernet import NasnetSupernet
from enas_tf.models.nasnet_training import NasnetTrainee
from enas_tf.models.networks import NETWORKS, Networks
from enas_tf.ops.reduction import REDUCTION
from enas_tf.spaces.cells import COMBINES, NUM_INPUTS, CellArchitecture


class NasnetNetworks(Networks[NasnetNetworkConfig, NasnetChildConfig, ImageConfig]):
    """Networks of cells whose outputs are concatenations."""

    task = "classification"
    network, child = NASNET_NETWORK, NASNET_CHILD

    build_supernet = staticmethod(NasnetSupernet)
    build_child = staticmethod(build_nasnet_child)
    build_trainee = staticmethod(NasnetTrainee)
    count = staticmethod(count_nasnet_child)

    def differs_in_training(self, space, network):
        if network.drop_path_keep < 1:
            return f"{ref('drop_path_keep')}={network.drop_path_keep} is for the training of a Keras model"
        if hasattr(space, "prefix"):
            return "cells that grow have fewer blocks than those of the supernet"
        return ""

    def inherit_weights(self, model, supernet, architecture):
        kernel, gamma, beta = supernet.stem
        set_weights(model, "stem_0", [kernel], gamma, beta)
        places = supernet.places
        # Of the stem and of each cell which nodes its output joins.
        joined = [(0,), *(architecture.joined(place.kind) for place in places)]
        for number, is_live in enumerate(live_cells(places, architecture)):
            if is_live:
                _inherit_cell(model, f"cell_{number}", supernet.cells[number], architecture, joined)
        kernel = keras.ops.concatenate([supernet.classifier[node] for node in joined[-1]], axis=0)
        model.get_layer("logits").set_weights([kernel, supernet.bias])

    def as_child(self, network):
        return NasnetChildConfig(
            channels=network.channels,
            cells_per_stage=network.cells_per_stage,
            stem=network.stem,
            stem_channels=network.stem_channels,
            skip_reduction_input=network.skip_reduction_input,
            dropout=network.dropout,
            drop_path_keep=network.drop_path_keep,
        )

    def size_in_words(self, architecture, child):
        """Say N @ the channels of the last cell, as the papers do, and the filters of the stages."""
        places = place_cells(child, architecture.kinds)
        last = len(architecture.joined(places[-1].kind)) * places[-1].channels
        widths = ", ".join(str(width) for width in dict.fromkeys(place.channels for place in places))
        return f"{child.cells_per_stage} @ {last}: {len(places)} cells of {widths} filters"


NETWORKS.register("nasnet", [NASNET_NETWORK, NASNET_CHILD])(NasnetNetworks())
NETWORKS.register("pnas", [NASNET_NETWORK, NASNET_CHILD])(NasnetNetworks())


def _inherit_cell(
    model: keras.Model, name: str, cell: SearchedCell, architecture: CellArchitecture, joined: list[tuple[int, ...]]
) -> None:
    """Copy the weights of a cell; `joined` are the joined nodes of the outputs that it may read."""
    place, live = cell.place, architecture.live_nodes(cell.place.kind)
    _inherit_entry(model, f"{name}_last", cell.entries[0], joined[place.last], 0 in live)
    if place.before is not None:
        _inherit_entry(model, f"{name}_before", cell.entries[1], joined[place.before], 1 in live)
    for node, block in enumerate(architecture.cells[place.kind].blocks, start=NUM_INPUTS):
        if node not in live:
            continue
        for side, (source, op) in enumerate(zip(block.inputs, block.ops, strict=True)):
            number = cell.edges.number(source, cell.space.ops.index(op))
            rows = cell.edges.rows(2 * (node - NUM_INPUTS) + side, source, number)
            cell.edges.ops[number].copy_weights(model, f"{name}_node_{node}_{side}", rows)
        if block.combine != COMBINES[0]:
            stacks = (cell.kernels, cell.gamma, cell.beta)
            kernel, gamma, beta = (stack[node - NUM_INPUTS] for stack in stacks)
            set_weights(model, f"{name}_node_{node}", [kernel], gamma, beta)
    for node, bank in enumerate(cell.exits):
        if bank is not None and node in architecture.joined(place.kind):
            if place.strides == 2:
                REDUCTION.copy_weights(model, f"{name}_exit_{node}", bank.rows(0))
            else:
                kernel, gamma, beta = bank.rows(0)
                set_weights(model, f"{name}_exit_{node}", [kernel], gamma, beta)


def _inherit_entry(model: keras.Model, name: str, entry: Entry, joined: tuple[int, ...], is_live: bool) -> None:
    """Copy the weights that bring an output, of which the nodes `joined` are part, to the width of a cell."""
    if not is_live or len(joined) == entry.passing:
        return
    if entry.halves:
        kernel = keras.ops.concatenate([entry.kernels[node] for node in joined], axis=3)
        REDUCTION.copy_weights(model, name, [kernel, entry.gamma, entry.beta])
    else:
        kernel = keras.ops.concatenate([entry.kernels[node] for node in joined], axis=2)
        set_weights(model, name, [kernel], entry.gamma, entry.beta)
