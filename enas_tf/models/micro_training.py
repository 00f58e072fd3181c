"""The training form of a micro child."""

from enas_tf.models.cell_config import cell_kinds
from enas_tf.models.cell_training import CellTrainee
from enas_tf.models.micro_child import connect_cells


class MicroTrainee(CellTrainee):
    """A child with drop-path and, unless its weight is 0, an auxiliary classifier after the second reduction.

    Departure: the reference leaves the auxiliary weights out of what it trains (micro_child.py, `"aux_head" not in
    var.name`), so that its classifier stays as it was drawn; here they are trained.
    """

    def kinds_of_cells(self, architecture):
        return cell_kinds(self.config.cells_per_stage)

    def connect_cells(self, images, architecture, image, drop_path):
        return connect_cells(self.layers, images, architecture, self.config, image, drop_path)

    def early_cell(self, architecture):
        # The first cell after the second reduction (micro_child.py: cell 2 n + 2).
        return 2 * self.config.cells_per_stage + 2
