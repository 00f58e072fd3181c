"""The networks of NASNet's family, for the spaces `nasnet` and `pnas`: their children are trained from scratch."""

from enas_tf.models.images import ImageConfig
from enas_tf.models.nasnet_child import build_nasnet_child, count_nasnet_child
from enas_tf.models.nasnet_config import (
    NASNET_CHILD,
    NASNET_NETWORK,
    NasnetChildConfig,
    NasnetNetworkConfig,
    place_cells,
)
from enas_tf.models.nasnet_training import NasnetTrainee
from enas_tf.models.networks import NETWORKS, Networks


class NasnetNetworks(Networks[NasnetNetworkConfig, NasnetChildConfig, ImageConfig]):
    """Networks of cells whose outputs are concatenations."""

    task = "classification"
    network, child = NASNET_NETWORK, NASNET_CHILD

    build_child = staticmethod(build_nasnet_child)
    build_trainee = staticmethod(NasnetTrainee)
    count = staticmethod(count_nasnet_child)

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
