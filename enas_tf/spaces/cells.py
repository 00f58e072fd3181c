"""Cells, and the spaces of cells: ENAS micro, NASNet and PNAS are settings of the classes here.

A cell is given two nodes, the outputs of the two cells before it. A block applies one operation to each of two earlier
nodes, which may be the same one, and combines the results. The cell's output joins some of the nodes. Settings are the
kinds of cells, the operations, how a block combines, which nodes are joined, and which of the given nodes is number 0.
"""

import dataclasses
import re
from collections.abc import Sequence
from typing import Any, ClassVar, Self

from enas_tf.errors import InputError, count_of
from enas_tf.spaces.forms import check_node, check_size, read_list, read_name, read_words, to_tokens
from enas_tf.spaces.space import SPACES, Architecture, Space
from enas_tf.spaces.vocabulary import CELL_OPS

#: Nodes that a cell is given, its inputs.
NUM_INPUTS = 2
#: What a block does with its two results: it adds them, or joins their channels.
COMBINES = ("add", "concat")
#: Rules of what a cell puts out: the nodes that no block reads, all nodes, all blocks. `1+2/3` lists the nodes instead,
#: for each kind of cell.
LOOSE_ENDS, ALL, BLOCKS = "loose_ends", "all", "blocks"
_LISTS = re.compile(r"[0-9]{1,3}(\+[0-9]{1,3})*(/[0-9]{1,3}(\+[0-9]{1,3})*)*")


@dataclasses.dataclass(frozen=True)
class Block:
    """ops[0] of node inputs[0], combined with ops[1] of node inputs[1]."""

    inputs: tuple[int, int]
    ops: tuple[str, str]
    combine: str = COMBINES[0]


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
        """Return the nodes that the cell's output joins by a rule, or by a list such as `1+2`."""
        if merge == LOOSE_ENDS:
            return self.loose_ends
        if merge in (ALL, BLOCKS):
            return tuple(range(0 if merge == ALL else NUM_INPUTS, self.num_nodes))
        return tuple(int(node) for node in merge.split("+"))


def title(kind: str) -> str:
    """Return what a kind of cell is called."""
    return kind if kind == "cell" else f"{kind} cell"


class CellArchitecture(Architecture):
    """Cells of equally many blocks. Their number and width in a network are options of the child.

    Subclasses are frozen dataclasses with a field for each kind of cell, and `merge` where there is a choice.

    Attributes:
      kinds: the kinds of cells, in the order of tokens.
      merges: the rules of what a cell puts out; the first one is the default.
      lists_nodes: whether a list of nodes may stand in the place of a rule.
      combines: whether a block says how it combines; otherwise it adds.
      last_input: which of the given nodes is the output of the last cell; the other one is that of the cell before it.
      narrows: whether a 1x1 convolution brings the concatenation of the joined nodes to the width of the cell.
      merge: the rule.
    """

    kinds: ClassVar[tuple[str, ...]]
    merges: ClassVar[tuple[str, ...]]
    lists_nodes: ClassVar[bool] = False
    combines: ClassVar[bool] = False
    last_input: ClassVar[int] = 0
    narrows: ClassVar[bool] = False
    merge: str

    def __post_init__(self):
        sizes = {kind: len(cell.blocks) for kind, cell in self.cells.items()}
        if not all(sizes.values()) or len(set(sizes.values())) > 1:
            first, *others = ((title(kind), size) for kind, size in sizes.items())
            words = "".join(f", the {name} {size}" for name, size in others)
            raise InputError(
                f"the {first[0]} has {first[1]} blocks{words}: expected {'equally many, ' if others else ''}at least 1."
            )
        self.check_merge(self.merge, self.num_blocks)
        for kind, cell in self.cells.items():
            for node, block in enumerate(cell.blocks, start=NUM_INPUTS):
                self._check_block(f"{title(kind)}: node {node}", node, block)

    def _check_block(self, where: str, node: int, block: Block) -> None:
        if not all(0 <= source < node for source in block.inputs):
            raise InputError(f"{where} has the inputs {list(block.inputs)}: expected 0..{node - 1}.")
        for op in block.ops:
            if op not in CELL_OPS:
                raise InputError(f"{where} has the operation {op!r}: expected one of {', '.join(CELL_OPS)}.")
        if block.combine not in (COMBINES if self.combines else COMBINES[:1]):
            raise InputError(f"{where} combines by {block.combine!r}: expected one of {', '.join(COMBINES)}.")

    @classmethod
    def check_merge(cls, merge: str, num_blocks: int) -> None:
        """Raise `InputError` unless `merge` is a rule of the space, or lists nodes where it may."""
        if merge in cls.merges:
            return
        if cls.lists_nodes and _LISTS.fullmatch(merge):
            lists = [[int(node) for node in part.split("+")] for part in merge.split("/")]
            is_each = len(lists) == len(cls.kinds)
            if is_each and all(nodes == sorted(set(nodes)) and nodes[-1] < num_blocks + NUM_INPUTS for nodes in lists):
                return
        example = "/".join(["1+2"] * len(cls.kinds))
        lists_too = f", or the nodes in ascending order ({example})" if cls.lists_nodes else ""
        raise InputError(
            f"the merge rule of the cells is {merge!r}: expected one of {', '.join(cls.merges)}{lists_too}."
        )

    @classmethod
    def of(cls, cells: Sequence[Cell], merge: str) -> Self:
        """Return the architecture of these cells, one of each kind."""
        return cls(*cells, merge)  # type: ignore[call-arg]

    @property
    def cells(self) -> dict[str, Cell]:
        """Kind -> cell."""
        return {kind: getattr(self, kind) for kind in self.kinds}

    @property
    def num_blocks(self) -> int:
        return len(getattr(self, self.kinds[0]).blocks)

    def joined(self, kind: str) -> tuple[int, ...]:
        """Return the nodes that the output of a cell of that kind joins."""
        return self.cells[kind].joined(merge_of(self.merge, self.kinds, kind))

    def live_nodes(self, kind: str) -> frozenset[int]:
        """Return the nodes that the output of a cell of that kind depends on."""
        live, blocks = set(self.joined(kind)), self.cells[kind].blocks
        for node in reversed(range(NUM_INPUTS, NUM_INPUTS + len(blocks))):
            if node in live:
                live.update(blocks[node - NUM_INPUTS].inputs)
        return frozenset(live)

    def space(self) -> Space:
        space: Any = SPACES[self.space_name]
        used = {op for cell in self.cells.values() for block in cell.blocks for op in block.ops}
        ops = space.ops if used <= set(space.ops) else CELL_OPS.names
        return space.of(self.num_blocks, ops, self.merge)

    def to_json(self) -> dict[str, Any]:
        merge = {"merge": self.merge} if self.has_choice_of_merge() else {}
        cells = {kind: [self._row(block) for block in cell.blocks] for kind, cell in self.cells.items()}
        return {"space": self.space_name, **merge, **cells, "arc": self.to_arc()}

    def _row(self, block: Block) -> dict[str, Any]:
        row: dict[str, Any] = {"inputs": list(block.inputs), "ops": list(block.ops)}
        return row | {"combine": block.combine} if self.combines else row

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        has_choice = cls.has_choice_of_merge()
        try:
            rows = {kind: read_list(data, kind) for kind in cls.kinds}
            check_size(SPACES[cls.space_name], "blocks", max(map(len, rows.values())))
            cells = [Cell(tuple(cls._read_block(row) for row in rows[kind])) for kind in cls.kinds]
            return cls.of(cells, read_name(data, "merge") if has_choice else cls.merges[0])
        except (KeyError, TypeError, ValueError) as error:
            if isinstance(error, InputError):
                raise
            keys = [f'"{key}"' for key in (*(["merge"] if has_choice else []), *cls.kinds)]
            listed = f"keys {', '.join(keys[:-1])} and {keys[-1]}, lists" if keys[1:] else f"key {keys[0]}, a list"
            combine = ', "combine": name' if cls.combines else ""
            raise InputError(
                f"the {cls.space_name} architecture cannot be read ({type(error).__name__}: {error}): expected the "
                f'{listed} of {{"inputs": [node, node], "ops": [name, name]{combine}}}.'
            ) from error

    @classmethod
    def _read_block(cls, row: dict[str, Any]) -> Block:
        first, second = (check_node(node) for node in row["inputs"])
        left, right = read_list(row, "ops")
        combine = read_name(row, "combine") if cls.combines else COMBINES[0]
        return Block((first, second), (str(left), str(right)), combine)

    @classmethod
    def has_choice_of_merge(cls) -> bool:
        """Return whether cells may put out their nodes by several rules."""
        return len(cls.merges) > 1 or cls.lists_nodes

    def to_arc(self) -> str:
        """Return `input op input op` for each block, and the number of its combine rule where there is a choice."""
        words = []
        for cell in self.cells.values():
            for block in cell.blocks:
                words += [f"{n} {CELL_OPS.to_word(op)}" for n, op in zip(block.inputs, block.ops, strict=True)]
                words += [str(COMBINES.index(block.combine))] if self.combines else []
        return " ".join(words if self.merge == self.merges[0] else [f"{self.merge}:", *words])

    @classmethod
    def from_arc(cls, arc: str) -> Self:
        """Read what `to_arc` writes; operations may also stand there by their names, a merge rule before a colon."""
        head, mark, text = arc.strip().partition(":")
        is_rule = bool(mark) and (head in cls.merges or (cls.lists_nodes and bool(_LISTS.fullmatch(head))))
        words = read_words(text if is_rule else arc.strip(), arc, CELL_OPS)
        num = 4 + cls.combines
        blocks, rest = divmod(len(words), num * len(cls.kinds))
        if rest or not blocks:
            raise InputError(f"the arc string has {count_of(len(words), 'integer')}: expected {cls._arc_length()}.")
        space_type: Any = SPACES[cls.space_name]
        check_size(space_type, "blocks", blocks)
        merge = head if is_rule else cls.merges[0]
        cls.check_merge(merge, blocks)
        # Of a block the string has input op input op, the tokens both inputs and then both operations.
        stored = zip(*[iter(words)] * num, strict=True)
        words = [word for first, op, second, *others in stored for word in (first, second, op, *others)]
        space = space_type.of(blocks, CELL_OPS.names, merge)
        return space.decode(to_tokens(space, words, CELL_OPS))

    @classmethod
    def _arc_length(cls) -> str:
        """Say how many integers an arc string has."""
        num = 4 + cls.combines
        parts = ", then ".join(f"{num} for the {title(kind)}" for kind in cls.kinds)
        parts = f" ({parts})" if cls.kinds[1:] else ""
        total = num * len(cls.kinds)
        return (
            f"{total} for every block of a {cls.space_name} cell{parts}, such as {5 * total} for the paper's 5 blocks"
        )

    def in_words(self) -> list[str]:
        inputs = ["the last cell", "the cell before the last"]
        first, second = inputs if self.last_input == 0 else inputs[::-1]
        output = "1x1 convolution" if self.narrows else "concatenation"
        lines = [f"nodes: 0 is {first}, 1 {second}, others are blocks; op(n) is op on node n"]
        signs = dict(zip(COMBINES, (" + ", " ++ "), strict=True))
        if any(block.combine != COMBINES[0] for cell in self.cells.values() for block in cell.blocks):
            lines[0] += "; ++ joins channels"
        for kind, cell in self.cells.items():
            for node, block in enumerate(cell.blocks, start=NUM_INPUTS):
                terms = (f"{op}({source})" for source, op in zip(block.inputs, block.ops, strict=True))
                lines.append(f"{title(kind)}, node {node}: {signs[block.combine].join(terms)}")
            lines.append(f"{title(kind)}, output: {output} of nodes {', '.join(map(str, self.joined(kind)))}")
        return lines


def merge_of(merge: str, kinds: Sequence[str], kind: str) -> str:
    """Return the part of `merge` that is for cells of that kind: a rule is for all of them."""
    return merge.split("/")[kinds.index(kind)] if "/" in merge else merge
