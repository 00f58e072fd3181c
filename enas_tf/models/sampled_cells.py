"""Sampled cells as tensors: which node each edge reads, by which operation, and what becomes of the nodes."""

from typing import NamedTuple

import tensorflow as tf

from enas_tf.models.tokens import token_places
from enas_tf.spaces.cell_space import CellSpace
from enas_tf.spaces.cells import ALL, BLOCKS, LOOSE_ENDS, NUM_INPUTS, merge_of

SIDES = (1, 2)


class SampledCell(NamedTuple):
    """A cell as tensors. Edge 2 b + s is side s of block b, both from 0.

    Attributes:
      sources: int32 [2 * blocks], the node that each edge reads.
      ops: int32 [2 * blocks], its operation.
      combines: int32 [blocks], how a block combines; None where all add.
      is_joined: bool [blocks + 2], whether a node is part of the output.
      is_live: bool [blocks + 2], whether the output depends on a node.
    """

    sources: tf.Tensor
    ops: tf.Tensor
    combines: tf.Tensor | None
    is_joined: tf.Tensor
    is_live: tf.Tensor


def read_cells(space: CellSpace, tokens: tf.Tensor) -> dict[str, SampledCell]:
    """Return the cell of each kind of `tokens` int32 [num_tokens]."""
    return {kind: _read_cell(space, kind, tokens) for kind in space.architecture.kinds}


def _read_cell(space: CellSpace, kind: str, tokens: tf.Tensor) -> SampledCell:
    blocks = [f"{kind}/block_{number}" for number in range(1, space.blocks + 1)]

    def read(names):
        return tf.gather(tokens, token_places(space, names))

    sources = read([f"{block}/input_{side}" for block in blocks for side in SIDES])
    ops = read([f"{block}/op_{side}" for block in blocks for side in SIDES])
    combines = read([f"{block}/combine" for block in blocks]) if space.architecture.combines else None
    reads = tf.reduce_any(tf.reshape(sources, [-1, 2, 1]) == tf.range(space.blocks + NUM_INPUTS), axis=1)
    is_joined = is_live = _joined(space, kind, reads)
    for block in reversed(range(space.blocks)):
        is_live |= is_live[block + NUM_INPUTS] & reads[block]
    return SampledCell(sources, ops, combines, is_joined, is_live)


def _joined(space: CellSpace, kind: str, reads: tf.Tensor) -> tf.Tensor:
    """Return which nodes the output joins, of blocks that read nodes as `reads` bool [blocks, nodes] says."""
    merge, num = merge_of(space.merge, space.architecture.kinds, kind), space.blocks + NUM_INPUTS
    if merge == LOOSE_ENDS:
        return ~tf.reduce_any(reads, axis=0)
    if merge in (ALL, BLOCKS):
        return tf.range(num) >= (0 if merge == ALL else NUM_INPUTS)
    nodes = {int(node) for node in merge.split("+")}
    return tf.constant([node in nodes for node in range(num)])
