"""The networks of the nas_conv space. It has no supernet: its layers have weights of searched shapes."""

from enas_tf.models.images import ImageConfig
from enas_tf.models.nas_conv_child import build_nas_conv_child, count_nas_conv_child
from enas_tf.models.nas_conv_config import NAS_CONV_CHILD, NAS_CONV_NETWORK, NasConvConfig
from enas_tf.models.networks import NETWORKS, Networks


class NasConvNetworks(Networks[NasConvConfig, NasConvConfig, ImageConfig]):
    """Whole convolutional networks whose layers have searched shapes."""

    task = "classification"
    network, child = NAS_CONV_NETWORK, NAS_CONV_CHILD

    build_child = staticmethod(build_nas_conv_child)
    count = staticmethod(count_nas_conv_child)

    def as_child(self, network):
        return network

    def size_in_words(self, architecture, child):
        return f"the filters of the architecture and {child.more_filters} more in each layer"


NETWORKS.register("nas_conv", [NAS_CONV_NETWORK, NAS_CONV_CHILD])(NasConvNetworks())
