"""The PNAS space: one cell for both strides, whose blocks add and are all put out (Liu et al. 2018).

Nodes of a cell are numbered as in the authors' code (tensorflow/models, slim/nets/nasnet): 0 is the output of the last
cell, 1 that of the cell before it, 2 .. B + 1 are the blocks. Cells of fewer blocks are part of the space: their tokens
are those of the first blocks.
"""

import dataclasses
from typing import Any

import numpy as np

from enas_tf.options import Group, option, require
from enas_tf.spaces.cell_space import CellSpace
from enas_tf.spaces.cells import BLOCKS, Cell, CellArchitecture
from enas_tf.spaces.space import SPACES
from enas_tf.spaces.vocabulary import CELL_OPS

#: The 8 operations of the paper.
PNAS_OPS = (
    "sep_conv_3x3",
    "sep_conv_5x5",
    "sep_conv_7x7",
    "conv_1x7_7x1",
    "identity",
    "avg_pool_3x3",
    "max_pool_3x3",
    "dilated_3x3",
)
#: Tokens of a block: its two inputs, then its two operations.
TOKENS_PER_BLOCK = 4


@dataclasses.dataclass(frozen=True)
class PnasArchitecture(CellArchitecture):
    """The cell."""

    cell: Cell
    space_name, kinds, merges, merge = "pnas", ("cell",), (BLOCKS,), BLOCKS

    @classmethod
    def of(cls, cells, merge):
        return cls(*cells)


@dataclasses.dataclass(frozen=True)
class PnasSpace(CellSpace):
    """All cells of up to `blocks` blocks over `ops`.

    There are prod((n len(ops))^2 for n in 2 .. B + 1) of B blocks, counted as token sequences: 5.6e14 in the paper.
    Random tokens, mutations and `size` are of cells of B blocks.
    """

    blocks: int = option(5, "blocks of a cell: the nodes that are computed (5 in the papers)", most=100)
    ops: tuple[str, ...] = option(PNAS_OPS, "operations of a cell", items=CELL_OPS)
    name, architecture, merge = "pnas", PnasArchitecture, BLOCKS

    @classmethod
    def of(cls, blocks, ops, merge):
        return cls(blocks, ops)

    def prefix(self, blocks: int) -> "PnasSpace":
        """Return the space of cells of the first `blocks` blocks."""
        require(1 <= blocks <= self.blocks, "blocks", blocks, f"1..{self.blocks}")
        return dataclasses.replace(self, blocks=blocks)

    def decode(self, tokens) -> Any:
        """Return the architecture of `tokens`, int [4 b] for a cell of b blocks, up to `blocks`."""
        blocks, rest = divmod(np.size(tokens), TOKENS_PER_BLOCK)
        if rest == 0 and 1 <= blocks < self.blocks:
            return self.prefix(blocks).decode(tokens)
        return super().decode(tokens)

    def encode(self, architecture):
        """Return the tokens of a cell of b blocks, up to `blocks`: int32 [4 b]."""
        if isinstance(architecture, PnasArchitecture) and architecture.num_blocks < self.blocks:
            return self.tokens_of(architecture)
        return super().encode(architecture)


PNAS = Group(PnasSpace(), prefix="cell_", stages=("search",))
SPACES.register(
    "pnas",
    [PNAS],
    help="one cell of 8 operations for both strides, whose blocks are all concatenated",
    defaults={
        # Recalled: N = 2 and F = 24 in the search, and a learning rate of 0.01. The rest is as for NASNet.
        "channels": 24,
        "dropout": 0.0,
        "learning_rate": 0.01,
        "l2": 2.5e-4,
        "retrain_channels": 48,
        "retrain_cells_per_stage": 3,
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
)(PnasSpace)
