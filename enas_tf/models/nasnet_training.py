"""The training form of a child of NASNet's family."""

from enas_tf.models.cell_training import CellTrainee
from enas_tf.models.nasnet_child import connect_cells
from enas_tf.models.nasnet_config import NasnetChildConfig, early_cell, place_cells


class NasnetTrainee(CellTrainee):
    """A child with drop-path and, unless its weight is 0, an auxiliary classifier before the last reduction.

    Source: slim, nasnet.py, `_build_aux_head`.
    """

    config: NasnetChildConfig
    early_padding, classifier_has_bias = "valid", True

    def kinds_of_cells(self, architecture):
        return [place.kind for place in place_cells(self.config, architecture.kinds)]

    def connect_cells(self, images, architecture, image, drop_path):
        return connect_cells(self.layers, images, architecture, self.config, image, drop_path)

    def early_cell(self, architecture):
        return early_cell(place_cells(self.config, architecture.kinds))
