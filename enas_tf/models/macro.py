"""The networks of the macro space, and how a child inherits the shared weights of its layers."""

import keras

from enas_tf.layers.stock import set_weights
from enas_tf.models.images import ImageConfig
from enas_tf.models.macro_child import build_macro_child, count_macro_child, used_nodes
from enas_tf.models.macro_config import MACRO_CHILD, MACRO_NETWORK, MacroChildConfig, MacroNetworkConfig
from enas_tf.models.macro_supernet import MacroSupernet
from enas_tf.models.networks import NETWORKS, Networks
from enas_tf.ops.op import LAYER_OPS
from enas_tf.ops.reduction import REDUCTION
from enas_tf.spaces.macro import MacroLayer, skip_candidates


class MacroNetworks(Networks[MacroNetworkConfig, MacroChildConfig, ImageConfig]):
    """Whole convolutional networks, layer by layer."""

    task = "classification"
    network, child = MACRO_NETWORK, MACRO_CHILD

    build_supernet = staticmethod(MacroSupernet)
    build_child = staticmethod(build_macro_child)
    count = staticmethod(count_macro_child)

    def inherit_weights(self, model, supernet, architecture):
        kernel, gamma, beta = supernet.stem
        set_weights(model, "stem", [kernel], gamma, beta)
        for number, layer in enumerate(architecture.layers, start=1):
            _inherit_layer(model, supernet, number, layer)
        for stage, (place, bank) in enumerate(zip(supernet.reductions, supernet.node_reductions, strict=True)):
            for node in used_nodes(architecture, place):
                REDUCTION.copy_weights(model, f"reduction_{stage}_node_{node}", bank.rows(node))
        model.get_layer("logits").set_weights([supernet.classifier])

    def as_child(self, network):
        return MacroChildConfig(channels=network.channels)

    def size_in_words(self, architecture, child):
        return f"{child.channels} channels, times {child.channel_growth} at each reduction"


NETWORKS.register("macro", [MACRO_NETWORK, MACRO_CHILD])(MacroNetworks())


def _inherit_layer(child: keras.Model, supernet: MacroSupernet, number: int, layer: MacroLayer) -> None:
    """Copy the weights of layer `number` (from 1)."""
    space, name = supernet.space, f"layer_{number}"
    op = space.ops.index(layer.op)
    kernel, gamma, beta = supernet.entry.rows((number - 1) * len(space.ops) + op)
    set_weights(child, f"{name}_entry", [kernel], gamma, beta)
    LAYER_OPS[layer.op].copy_weights(child, f"{name}_op", supernet.op_banks[op].rows(number - 1))
    # A row of the edges for each token.
    skips = dict(zip(skip_candidates(number, space.skip_sources), space.places[f"{name}/skip"], strict=True))
    edges = [*space.places[f"{name}/op"], *(skips[node] for node in layer.skips)]
    kernel = keras.ops.concatenate([supernet.edge_kernels[edge] for edge in edges], axis=2)
    gamma, beta = supernet.merge_gamma[number - 1], supernet.merge_beta[number - 1]
    set_weights(child, f"{name}_merge", [kernel], gamma, beta)
