"""The micro space: a normal and a reduction cell, of which networks of any size are built (Pham et al. 2018, 2.4).

Nodes of a cell are numbered as in the reference code: 0 is the output of the cell before the last, 1 the output of the
last cell, 2 .. B + 1 are the blocks. (The paper counts from 1, and the inputs into its B = 7.) A block adds the results
of its two operations. The cell's output joins, by the merge rule, the nodes that no block has read, or all.
"""

import dataclasses
import functools
import math

from enas_tf.options import Group, option
from enas_tf.spaces.cell_space import CellSpace
from enas_tf.spaces.cells import ALL, LOOSE_ENDS, Cell, CellArchitecture
from enas_tf.spaces.space import SPACES
from enas_tf.spaces.vocabulary import CELL_OPS

#: The operations of the paper.
MICRO_OPS = ("sep_conv_3x3", "sep_conv_5x5", "avg_pool_3x3", "max_pool_3x3", "identity")
MERGES = (LOOSE_ENDS, ALL)
CELLS = ("normal", "reduction")


@dataclasses.dataclass(frozen=True)
class MicroArchitecture(CellArchitecture):
    """The two cells, of equally many blocks."""

    normal: Cell
    reduction: Cell
    merge: str = LOOSE_ENDS
    space_name, kinds, merges = "micro", CELLS, MERGES
    last_input, narrows = 1, True


@dataclasses.dataclass(frozen=True)
class MicroSpace(CellSpace):
    """All pairs of cells of `blocks` blocks over `ops`.

    There are prod((n len(ops))^2 for n in 2 .. B + 1)^2 of them, counted as token sequences. The paper's formula counts
    one choice of operation per cell instead of one per block, and one candidate input fewer for each block; see
    `size_in_paper`.
    """

    blocks: int = option(
        5, "blocks of a cell: the nodes that are computed (5 in the paper, which counts 2 inputs in)", most=100
    )
    ops: tuple[str, ...] = option(MICRO_OPS, "operations of a cell", items=CELL_OPS)
    merge: str = option(
        "loose_ends",
        "what a cell puts out: loose_ends = the nodes that nothing reads (the paper), all = every node of the cell",
        choices=MERGES,
    )
    name, architecture, favours = "micro", MicroArchitecture, True

    @functools.cached_property
    def size_in_paper(self) -> int:
        """(|ops| (B - 2)!)^4 with the paper's B, which counts the inputs: 1.3e11 for its 5 operations and B = 7."""
        return (len(self.ops) * math.factorial(self.blocks)) ** 4


MICRO = Group(MicroSpace(), prefix="cell_", stages=("search",))
SPACES.register(
    "micro",
    [MICRO],
    help="a normal and a reduction cell, of which networks of any size are built",
    defaults={
        # scripts/cifar10_micro_search.sh of the authors' code.
        "channels": 20,
        "batch_size": 160,
        "epochs": 150,
        "l2": 1e-4,
        "updates_per_epoch": 30,
        "samples_per_update": 10,
        # scripts/cifar10_micro_final.sh.
        "retrain_channels": 36,
        "retrain_dropout": 0.2,
        "retrain_drop_path_keep": 0.6,
        "retrain_auxiliary_weight": 0.4,
        "retrain_epochs": 630,
        "retrain_batch_size": 144,
        "retrain_min_learning_rate": 1e-4,
        "retrain_l2": 2e-4,
    },
)(MicroSpace)
