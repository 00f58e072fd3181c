"""The NASNet space: a normal and a reduction cell whose blocks say how they combine (Zoph et al. 2018).

Nodes of a cell are numbered as in the authors' code (tensorflow/models, slim/nets/nasnet): 0 is the output of the last
cell, 1 that of the cell before it, 2 .. B + 1 are the blocks. AmoebaNet is searched in the same space.
"""

import dataclasses

from enas_tf.options import Group, option
from enas_tf.spaces.cell_space import CellSpace
from enas_tf.spaces.cells import ALL, BLOCKS, LOOSE_ENDS, Cell, CellArchitecture
from enas_tf.spaces.space import SPACES
from enas_tf.spaces.vocabulary import CELL_OPS

#: The 13 operations of the paper.
NASNET_OPS = (
    "identity",
    "conv_1x3_3x1",
    "conv_1x7_7x1",
    "dilated_3x3",
    "avg_pool_3x3",
    "max_pool_3x3",
    "max_pool_5x5",
    "max_pool_7x7",
    "conv_1x1",
    "bottleneck_3x3",
    "sep_conv_3x3",
    "sep_conv_5x5",
    "sep_conv_7x7",
)
CELLS = ("normal", "reduction")


@dataclasses.dataclass(frozen=True)
class NasnetArchitecture(CellArchitecture):
    """The two cells, of equally many blocks."""

    normal: Cell
    reduction: Cell
    merge: str = LOOSE_ENDS
    space_name, kinds, merges = "nasnet", CELLS, (LOOSE_ENDS, ALL, BLOCKS)
    lists_nodes = combines = True


@dataclasses.dataclass(frozen=True)
class NasnetSpace(CellSpace):
    """All pairs of cells of `blocks` blocks over `ops`.

    There are prod(2 (n len(ops))^2 for n in 2 .. B + 1)^2 of them, counted as token sequences.
    """

    blocks: int = option(5, "blocks of a cell: the nodes that are computed (5 in the papers)", most=100)
    ops: tuple[str, ...] = option(NASNET_OPS, "operations of a cell", items=CELL_OPS)
    merge: str = option(
        LOOSE_ENDS,
        "what a cell puts out: loose_ends = the nodes that nothing reads (the paper), all = every node of the cell, "
        "blocks = all but its inputs, 1+2/3+4 = these nodes of the normal / the reduction cell, as published cells "
        "have them",
    )
    name, architecture = "nasnet", NasnetArchitecture


NASNET = Group(NasnetSpace(), prefix="cell_", stages=("search",))
SPACES.register(
    "nasnet",
    [NASNET],
    help="a normal and a reduction cell of 13 operations, whose blocks add or concatenate",
    defaults={
        # The paper and, for what it does not say, the comments in slim's nasnet.py (`cifar_config`), whose weight decay
        # of 5e-4 is of half the sum of squares.
        "channels": 32,
        "dropout": 0.0,
        "l2": 2.5e-4,
        "retrain_channels": 32,
        "retrain_dropout": 0.0,
        "retrain_drop_path_keep": 0.6,
        "retrain_auxiliary_weight": 0.4,
        "retrain_epochs": 600,
        "retrain_batch_size": 32,
        "retrain_learning_rate": 0.025,
        "retrain_min_learning_rate": 0.0,
        "retrain_restart_epochs": 600,
        "retrain_l2": 2.5e-4,
    },
)(NasnetSpace)
