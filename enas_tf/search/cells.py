"""Cells as rows of tokens, as a search that grows them block by block needs them: all in one go, in NumPy.

The tokens of a block stand together: input 1, input 2, operation 1, operation 2. Block b, counted from 1, has b + 1
nodes to read: the two inputs of the cell, then the blocks before it. A row is int32 [4 b]. A shorter cell can stand in
a longer row, whose end is `PAD`.
"""

import numpy as np

#: Tokens of a block, and nodes that are there before the first one.
BLOCK_TOKENS, CELL_INPUTS = 4, 2
#: What stands in a row where the cell has ended.
PAD = -1


def all_blocks(num_nodes: int, num_ops: int) -> np.ndarray:
    """Return every block that can read `num_nodes` nodes, int32 [n, 4].

    The two pairs of input and operation are added, so that a block and the one with swapped pairs are the same. The
    pairs are in ascending order here. With p = num_nodes * num_ops pairs there are p (p + 1) / 2 blocks.
    """
    pairs = np.stack(np.divmod(np.arange(num_nodes * num_ops), num_ops), axis=1)
    first, second = np.triu_indices(len(pairs))
    (input_1, op_1), (input_2, op_2) = pairs[first].T, pairs[second].T
    return np.stack([input_1, input_2, op_1, op_2], axis=1).astype(np.int32)


def expand(cells: np.ndarray, num_ops: int) -> np.ndarray:
    """Return every cell (int32 [n, 4 b]) with every block behind it, int32 [n m, 4 (b + 1)], without duplicates."""
    blocks = all_blocks(CELL_INPUTS + cells.shape[1] // BLOCK_TOKENS, num_ops)
    grown = np.concatenate([np.repeat(cells, len(blocks), axis=0), np.tile(blocks, (len(cells), 1))], axis=1)
    return unique(grown)


def unique(cells: np.ndarray) -> np.ndarray:
    """Return the first of the cells of each kind (`kinds`), in the order in which they stand."""
    _, first = np.unique(kinds(cells), return_index=True)
    return cells[np.sort(first)]


def kinds(cells: np.ndarray) -> np.ndarray:
    """Return a number for each cell, uint64 [n], that is the same for cells that build the same network.

    They do where they differ in the order of the pairs within blocks, or in the order of the blocks: a cell's output
    joins its blocks. The number is a hash of the cell's graph. Each node is named by what it reads, and then by what
    reads it, as in the colour refinement of Weisfeiler and Leman. So two different cells share a number only by a rare
    accident, which costs one of them its place.
    """
    num_blocks, rows = cells.shape[1] // BLOCK_TOKENS, np.arange(len(cells))
    blocks = cells.astype(np.uint64).reshape(-1, num_blocks, BLOCK_TOKENS)
    inputs, ops = blocks[:, :, :2].astype(np.intp), blocks[:, :, 2:]
    names = np.zeros((len(cells), CELL_INPUTS + num_blocks), np.uint64)
    names[:, :CELL_INPUTS] = np.arange(1, CELL_INPUTS + 1)
    for block in range(num_blocks):
        read = np.take_along_axis(names, inputs[:, block], axis=1)
        names[:, CELL_INPUTS + block] = _mix(_mix(_mix(read) + ops[:, block]).sum(axis=1, dtype=np.uint64))
    readers = np.zeros_like(names)
    for block in reversed(range(num_blocks)):
        node = CELL_INPUTS + block
        names[:, node] = _mix(_mix(names[:, node]) + readers[:, node])
        for side in range(2):
            readers[rows, inputs[:, block, side]] += _mix(names[:, node] + _mix(ops[:, block, side]))
    return _mix(names[:, CELL_INPUTS:]).sum(axis=1, dtype=np.uint64)


def _mix(values: np.ndarray) -> np.ndarray:
    """Return well-mixed bits of uint64 values: the finaliser of SplitMix64 (Steele et al. 2014)."""
    values = values + np.uint64(0x9E3779B97F4A7C15)
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def pad(cells: np.ndarray, num_tokens: int) -> np.ndarray:
    """Return the cells in rows of `num_tokens`, int32 [n, num_tokens]."""
    return np.pad(cells, ((0, 0), (0, num_tokens - cells.shape[1])), constant_values=PAD).astype(np.int32)


def num_blocks(cells: np.ndarray) -> np.ndarray:
    """Return the number of blocks of each cell in padded rows, int64 [n]."""
    return np.sum(cells != PAD, axis=1) // BLOCK_TOKENS
