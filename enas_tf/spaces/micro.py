"""The micro space: a normal and a reduction cell, of which networks of any size are built (Pham et al. 2018, 2.4).

Nodes of a cell are numbered as in the reference code: 0 is the output of the cell before the last, 1 the output of the
last cell, 2 .. B + 1 are the blocks. (The paper counts from 1, and the inputs into its B = 7.) A block applies one
operation to each of two earlier nodes, which may be the same one, and adds the results. The cell's output joins, by the
merge rule, the nodes that no block has read, or all.
"""

import dataclasses
import functools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from enas_tf.errors import InputError, count_of
from enas_tf.options import Group, option, require
from enas_tf.spaces.decisions import Decision, MarkNode, NewCell, PickNode, PickOp
from enas_tf.spaces.forms import check_node, check_size, read_list, read_name, read_words, to_tokens
from enas_tf.spaces.space import SPACES, Architecture, Buildable, Space, check_names
from enas_tf.spaces.vocabulary import CELL_OPS

#: The operations of the paper.
MICRO_OPS = ("sep_conv_3x3", "sep_conv_5x5", "avg_pool_3x3", "max_pool_3x3", "identity")
MERGES = ("loose_ends", "all")
CELLS = ("normal", "reduction")
#: An arc string whose cells join all their nodes opens with this word.
ALL_PREFIX = "all:"
#: Nodes that a cell is given, its inputs.
NUM_INPUTS = 2


@dataclasses.dataclass(frozen=True)
class Block:
    """ops[0] of node inputs[0], plus ops[1] of node inputs[1]."""

    inputs: tuple[int, int]
    ops: tuple[str, str]


@dataclasses.dataclass(frozen=True)
class Cell:
    """The blocks of one cell; block b is node b + 2."""

    blocks: tuple[Block, ...]

    @property
    def num_nodes(self) -> int:
        return NUM_INPUTS + len(self.blocks)

    @property
    def loose_ends(self) -> tuple[int, ...]:
        """The nodes that no block reads, cell inputs included, ascending."""
        used = {node for block in self.blocks for node in block.inputs}
        return tuple(node for node in range(self.num_nodes) if node not in used)

    def joined(self, merge: str) -> tuple[int, ...]:
        """Return the nodes whose concatenation is the cell's output, before its 1x1 convolution."""
        return self.loose_ends if merge == "loose_ends" else tuple(range(self.num_nodes))


@dataclasses.dataclass(frozen=True)
class MicroArchitecture(Architecture):
    """The two cells, of equally many blocks. Their number and width in a network are options of the child."""

    normal: Cell
    reduction: Cell
    merge: str = "loose_ends"
    space_name = "micro"

    def __post_init__(self):
        if self.merge not in MERGES:
            raise InputError(f"the merge rule of the cells is {self.merge!r}: expected one of {', '.join(MERGES)}.")
        if not self.normal.blocks or len(self.normal.blocks) != len(self.reduction.blocks):
            raise InputError(
                f"the normal cell has {len(self.normal.blocks)} blocks, the reduction cell "
                f"{len(self.reduction.blocks)}: expected equally many, at least 1."
            )
        for name, cell in self.cells.items():
            for node, block in enumerate(cell.blocks, start=NUM_INPUTS):
                if not all(0 <= source < node for source in block.inputs):
                    raise InputError(
                        f"{name} cell: node {node} has the inputs {list(block.inputs)}: expected 0..{node - 1}."
                    )
                for op in block.ops:
                    if op not in CELL_OPS:
                        raise InputError(
                            f"{name} cell: node {node} has the operation {op!r}: expected one of {', '.join(CELL_OPS)}."
                        )

    @property
    def cells(self) -> dict[str, Cell]:
        return dict(zip(CELLS, (self.normal, self.reduction), strict=True))

    @property
    def num_blocks(self) -> int:
        return len(self.normal.blocks)

    def space(self) -> "MicroSpace":
        used = {op for cell in self.cells.values() for block in cell.blocks for op in block.ops}
        ops = MICRO_OPS if used <= set(MICRO_OPS) else CELL_OPS.names
        return MicroSpace(blocks=self.num_blocks, ops=ops, merge=self.merge)

    def to_json(self) -> dict[str, Any]:
        cells = {
            name: [{"inputs": list(block.inputs), "ops": list(block.ops)} for block in cell.blocks]
            for name, cell in self.cells.items()
        }
        return {"space": "micro", "merge": self.merge, **cells, "arc": self.to_arc()}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "MicroArchitecture":
        try:
            rows = {name: read_list(data, name) for name in CELLS}
            check_size(MicroSpace, "blocks", max(map(len, rows.values())))
            normal, reduction = (Cell(tuple(_read_block(row) for row in rows[name])) for name in CELLS)
            return cls(normal, reduction, read_name(data, "merge"))
        except (KeyError, TypeError, ValueError) as error:
            if isinstance(error, InputError):
                raise
            raise InputError(
                f"the micro architecture cannot be read ({type(error).__name__}: {error}): expected the keys "
                '"merge", "normal" and "reduction", lists of {"inputs": [node, node], "ops": [name, name]}.'
            ) from error

    def to_arc(self) -> str:
        """Return `input op input op` for each block, the normal cell first, as the reference stores it."""
        arc = " ".join(
            f"{source} {CELL_OPS.to_word(op)}"
            for cell in self.cells.values()
            for block in cell.blocks
            for source, op in zip(block.inputs, block.ops, strict=True)
        )
        return arc if self.merge == "loose_ends" else f"{ALL_PREFIX} {arc}"

    @classmethod
    def from_arc(cls, arc: str) -> "MicroArchitecture":
        """Read `input op input op ...`, operations in the words of `CELL_OPS`; `all:` before it is the merge rule."""
        merge = "all" if arc.strip().startswith(ALL_PREFIX) else "loose_ends"
        words = read_words(arc.strip().removeprefix(ALL_PREFIX), arc, CELL_OPS)
        blocks, rest = divmod(len(words), 8)
        if rest or not blocks:
            raise InputError(
                f"the arc string has {count_of(len(words), 'integer')}: expected 8 for every block of a micro cell (4 "
                "for the normal cell, then 4 for the reduction cell), such as 40 for the paper's 5 blocks."
            )
        # Of a block the string has input op input op, the tokens both inputs and then both operations.
        check_size(MicroSpace, "blocks", blocks)
        stored = zip(*[iter(words)] * 4, strict=True)
        words = [word for first, op, second, other in stored for word in (first, second, op, other)]
        space = MicroSpace(blocks=blocks, ops=CELL_OPS.names, merge=merge)
        return space.decode(to_tokens(space, words, CELL_OPS))

    def in_words(self) -> list[str]:
        lines = ["nodes: 0 is the cell before the last, 1 the last cell, others are blocks; op(n) is op on node n"]
        for name, cell in self.cells.items():
            for node, block in enumerate(cell.blocks, start=NUM_INPUTS):
                terms = (f"{op}({source})" for source, op in zip(block.inputs, block.ops, strict=True))
                lines.append(f"{name} cell, node {node}: {' + '.join(terms)}")
            joined = ", ".join(str(node) for node in cell.joined(self.merge))
            lines.append(f"{name} cell, output: 1x1 convolution of nodes {joined}")
        return lines


def _read_block(row: dict[str, Any]) -> Block:
    first, second = (check_node(node) for node in row["inputs"])
    left, right = read_list(row, "ops")
    return Block((first, second), (str(left), str(right)))


@dataclasses.dataclass(frozen=True)
class MicroSpace(Space):
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
    name, architecture = "micro", MicroArchitecture

    def __post_init__(self):
        require(self.blocks >= 1, "blocks", self.blocks, "at least 1")
        check_names("ops", self.ops, CELL_OPS)
        require(self.merge in MERGES, "merge", self.merge, f"one of {', '.join(MERGES)}")

    @functools.cached_property
    def size_in_paper(self) -> int:
        """(|ops| (B - 2)!)^4 with the paper's B, which counts the inputs: 1.3e11 for its 5 operations and B = 7."""
        return (len(self.ops) * math.factorial(self.blocks)) ** 4

    @functools.cached_property
    def decisions(self) -> tuple[Decision, ...]:
        """The program of the reference's micro_controller.py: inputs of a block before its operations.

        Separable convolutions are favoured, and the normal cell's decisions nudged towards them, as in its code.
        """
        program: list[Decision] = []
        favoured = tuple(op for op in self.ops if CELL_OPS.is_favoured(op))
        for cell in CELLS:
            is_first = cell == CELLS[0]
            program.append(NewCell(cell, keeps_state=not is_first))
            program += [MarkNode(f"{cell}/input_{i}", is_given=True) for i in range(NUM_INPUTS)]
            for block in range(1, self.blocks + 1):
                name, num_earlier = f"{cell}/block_{block}", NUM_INPUTS + block - 1
                program += [PickNode(f"{name}/input_{side}", num_earlier) for side in (1, 2)]
                program += [
                    PickOp(f"{name}/op_{side}", self.ops, favoured=favoured, is_nudged=is_first) for side in (1, 2)
                ]
                program.append(MarkNode(name))
        return tuple(program)

    def decode(self, tokens: Sequence[int] | np.ndarray) -> MicroArchitecture:
        columns = self.columns(self.check_tokens(tokens))
        normal, reduction = (self._decode_cell(cell, columns) for cell in CELLS)
        return MicroArchitecture(normal, reduction, self.merge)

    def _decode_cell(self, cell: str, columns: dict[str, Any]) -> Cell:
        blocks = []
        for block in range(1, self.blocks + 1):
            name = f"{cell}/block_{block}"
            first, second = (int(columns[f"{name}/input_{side}"]) for side in (1, 2))
            left, right = (self.ops[columns[f"{name}/op_{side}"]] for side in (1, 2))
            blocks.append(Block((first, second), (left, right)))
        return Cell(tuple(blocks))

    def encode(self, architecture: Buildable) -> np.ndarray:
        self.check_fits(architecture, blocks="num_blocks", merge="merge")
        assert isinstance(architecture, MicroArchitecture)
        tokens: list[int] = []
        for name, cell in architecture.cells.items():
            for block in cell.blocks:
                foreign = [op for op in block.ops if op not in self.ops]
                if foreign:
                    raise InputError(
                        f"the {name} cell has the operation {foreign[0]}: the space has {', '.join(self.ops)}."
                    )
                tokens += [*block.inputs, *(self.ops.index(op) for op in block.ops)]
        return np.array(tokens, np.int32)


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
