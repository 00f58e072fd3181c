"""The networks of the recurrent space, and how a child inherits the shared weights of its cell."""

import keras

from enas_tf.models.language import LANGUAGE, RETRAIN_LANGUAGE, LanguageConfig, TextShape
from enas_tf.models.networks import NETWORKS, Networks
from enas_tf.models.recurrent_child import build_recurrent_child, count_recurrent_child
from enas_tf.models.recurrent_supernet import RecurrentSupernet
from enas_tf.models.recurrent_training import RecurrentTrainee
from enas_tf.spaces.recurrent import LstmBaseline, RecurrentArchitecture


class RecurrentNetworks(Networks[LanguageConfig, LanguageConfig, TextShape]):
    """Language models around a recurrent cell, or around an LSTM, the baseline of the space."""

    task = "language_modelling"
    network, child = LANGUAGE, RETRAIN_LANGUAGE

    def build_supernet(self, space, network, shape, dtype="float32"):
        return RecurrentSupernet(space, network, shape, dtype)

    def build_child(self, architecture, child, shape, dtype="float32", for_training=False):
        # Cell and embedding are the fast layers already.
        return build_recurrent_child(architecture, child, shape, dtype)

    def build_trainee(self, model, architecture, child, shape):
        return RecurrentTrainee(model, architecture, child, shape)

    def count(self, architecture, child, shape):
        return count_recurrent_child(architecture, child, shape)

    def inherit_weights(self, model, supernet, architecture):
        inherit_weights(model, supernet, architecture)

    def as_child(self, network):
        return network

    def size_in_words(self, architecture, child):
        if isinstance(architecture, LstmBaseline):
            return f"an LSTM with the parameters of a cell of {architecture.nodes} nodes and {child.units} units"
        return f"{child.units} units"


NETWORKS.register("recurrent", [LANGUAGE, RETRAIN_LANGUAGE])(RecurrentNetworks())


def inherit_weights(child: keras.Model, supernet: RecurrentSupernet, architecture: RecurrentArchitecture) -> None:
    """Copy into `child`, which has the supernet's width, the shared weights that `architecture` chose."""
    index = {name: i for i, name in enumerate(supernet.space.activations)}
    kernels = []
    for number, node in enumerate(architecture.nodes):
        kernels.append(supernet.edges[supernet.row(number, node.previous, index[node.activation])])
    cell = child.get_layer("rnn").cell
    child.get_layer("embedding").set_weights([supernet.embedding])
    cell.input_kernel.assign(supernet.inputs[index[architecture.nodes[0].activation]])
    for variable, kernel in zip(cell.kernels, kernels, strict=True):
        variable.assign(kernel)
