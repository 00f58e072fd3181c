"""The networks of the recurrent space, and how a child inherits the shared weights of its cell."""

from enas_tf.errors import count_of
from enas_tf.models.language import LANGUAGE, RETRAIN_LANGUAGE, LanguageConfig, TextShape
from enas_tf.models.networks import NETWORKS, Networks
from enas_tf.models.recurrent_child import build_recurrent_child, count_recurrent_child
from enas_tf.models.recurrent_supernet import RecurrentSupernet
from enas_tf.models.recurrent_training import RecurrentTrainee
from enas_tf.spaces.recurrent import LstmBaseline


class RecurrentNetworks(Networks[LanguageConfig, LanguageConfig, TextShape]):
    """Language models around a recurrent cell, or around an LSTM, the baseline of the space."""

    task = "language_modelling"
    network, child = LANGUAGE, RETRAIN_LANGUAGE

    build_supernet = staticmethod(RecurrentSupernet)
    build_trainee = staticmethod(RecurrentTrainee)
    count = staticmethod(count_recurrent_child)

    def build_child(self, architecture, child, shape, dtype="float32", for_training=False):
        # Cell and embedding are the fast layers already.
        return build_recurrent_child(architecture, child, shape, dtype)

    def inherit_weights(self, model, supernet, architecture):
        index = {name: i for i, name in enumerate(supernet.space.activations)}
        kernels = []
        for number, node in enumerate(architecture.nodes):
            kernels.append(supernet.edges[supernet.row(number, node.previous, index[node.activation])])
        cell = model.get_layer("rnn").cell
        model.get_layer("embedding").set_weights([supernet.embedding])
        cell.input_kernel.assign(supernet.inputs[index[architecture.nodes[0].activation]])
        for variable, kernel in zip(cell.kernels, kernels, strict=True):
            variable.assign(kernel)

    def as_child(self, network):
        return network

    def size_in_words(self, architecture, child):
        units = count_of(child.units, "unit")
        if isinstance(architecture, LstmBaseline):
            return f"an LSTM with the parameters of a cell of {count_of(architecture.nodes, 'node')} and {units}"
        return units


NETWORKS.register("recurrent", [LANGUAGE, RETRAIN_LANGUAGE])(RecurrentNetworks())
