"""A space of cells that grow, with rewards of all of them, for the tests of `progressive`."""

import dataclasses
import functools

import numpy as np

from enas_tf.search.cells import all_blocks, expand
from enas_tf.spaces.decisions import PickNode, PickOp
from enas_tf.spaces.space import Space


@dataclasses.dataclass(frozen=True)
class Cell:
    """Tokens of a cell; nothing is built of them."""

    tokens: tuple[int, ...]

    def to_arc(self):
        return " ".join(map(str, self.tokens))


@dataclasses.dataclass(frozen=True)
class GrowingSpace(Space):
    """Cells of `blocks` blocks, and all that are shorter."""

    blocks: int = 2
    ops: tuple[str, ...] = ("a", "b", "c")
    name = "growing"

    @functools.cached_property
    def decisions(self):
        return tuple(
            decision
            for block in range(1, self.blocks + 1)
            for decision in (
                *(PickNode(f"block_{block}/input_{side}", block + 1) for side in (1, 2)),
                *(PickOp(f"block_{block}/op_{side}", self.ops) for side in (1, 2)),
            )
        )

    def prefix(self, blocks):
        return dataclasses.replace(self, blocks=blocks)

    def decode(self, tokens):
        return Cell(tuple(self.prefix(len(tokens) // 4).check_tokens(tokens).tolist()))

    def encode(self, architecture):
        return np.array(architecture.tokens, np.int32)


def oracle(cells: np.ndarray) -> np.ndarray:
    """Return the rewards of cells int32 [n, 4 b], float64 [n]: parts of blocks, pairs that go together, and luck."""
    blocks = np.asarray(cells).reshape(len(cells), -1, 4)
    inputs, ops = np.array([0.4, 0.0, 0.5, 0.2]), np.array([0.1, 1.0, -0.6])
    parts = (inputs[blocks[:, :, :2]] + ops[blocks[:, :, 2:]]).sum(axis=2)
    parts += 0.4 * (blocks[:, :, 2] != blocks[:, :, 3])
    luck = np.sin(1e4 * parts.sum(axis=1) + blocks.reshape(len(cells), -1) @ np.arange(1.0, 1 + blocks[0].size))
    return 0.7 + 0.05 * parts.mean(axis=1) + 0.01 * len(blocks[0]) + 0.003 * luck


def everything(num_ops: int = 3) -> np.ndarray:
    """Return all cells of two blocks that build different networks."""
    return expand(all_blocks(2, num_ops), num_ops)
