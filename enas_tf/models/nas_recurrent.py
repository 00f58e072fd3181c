"""The networks of the nas_recurrent space. It has no supernet."""

from enas_tf.errors import count_of
from enas_tf.models.language import LANGUAGE, RETRAIN_LANGUAGE, LanguageConfig, TextShape
from enas_tf.models.nas_recurrent_child import build_nas_recurrent_child, count_nas_recurrent_child
from enas_tf.models.networks import NETWORKS, Networks
from enas_tf.models.recurrent_training import RecurrentTrainee


class NasRecurrentNetworks(Networks[LanguageConfig, LanguageConfig, TextShape]):
    """Language models around a cell that is a tree."""

    task = "language_modelling"
    network, child = LANGUAGE, RETRAIN_LANGUAGE

    build_child = staticmethod(build_nas_recurrent_child)
    build_trainee = staticmethod(RecurrentTrainee)
    count = staticmethod(count_nas_recurrent_child)

    def as_child(self, network):
        return network

    def size_in_words(self, architecture, child):
        return count_of(child.units, "unit")


NETWORKS.register("nas_recurrent", [LANGUAGE, RETRAIN_LANGUAGE])(NasRecurrentNetworks())
