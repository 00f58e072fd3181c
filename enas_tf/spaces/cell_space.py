"""The base class of spaces of cells: their decisions, and how tokens and cells follow from each other."""

import functools
from collections.abc import Sequence
from typing import Any, ClassVar, Self

import numpy as np

from enas_tf.errors import InputError
from enas_tf.options import require
from enas_tf.spaces.cells import COMBINES, NUM_INPUTS, Block, Cell, CellArchitecture, title
from enas_tf.spaces.decisions import Decision, MarkNode, NewCell, PickNode, PickOp
from enas_tf.spaces.space import Buildable, Space, check_names
from enas_tf.spaces.vocabulary import CELL_OPS


class CellSpace(Space):
    """All cells of `blocks` blocks over `ops`, one of each kind of the architecture.

    Subclasses are frozen dataclasses with the fields `blocks` and `ops`, and `merge` where there is a choice.

    Attributes:
      favours: whether a controller prefers some operations from the start.
    """

    architecture: ClassVar[type[CellArchitecture]]
    favours: ClassVar[bool] = False
    blocks: int
    ops: tuple[str, ...]
    merge: str

    def __post_init__(self):
        require(self.blocks >= 1, "blocks", self.blocks, "at least 1")
        check_names("ops", self.ops, CELL_OPS)
        try:
            self.architecture.check_merge(self.merge, self.blocks)
        except InputError as error:
            require(False, "merge", self.merge, error.message.rpartition("expected ")[2].removesuffix("."))

    @classmethod
    def of(cls, blocks: int, ops: tuple[str, ...], merge: str) -> Self:
        """Return the space of that size."""
        return cls(blocks, ops, merge)  # type: ignore[call-arg]

    @functools.cached_property
    def decisions(self) -> tuple[Decision, ...]:
        """The program: for each block its inputs, its operations, and how it combines where there is a choice."""
        program: list[Decision] = []
        kinds, favoured = self.architecture.kinds, tuple(op for op in self.ops if self._is_favoured(op))
        for kind in kinds:
            is_first = kind == kinds[0]
            program.append(NewCell(kind, keeps_state=not is_first))
            program += [MarkNode(f"{kind}/input_{i}", is_given=True) for i in range(NUM_INPUTS)]
            for block in range(1, self.blocks + 1):
                name, num_earlier = f"{kind}/block_{block}", NUM_INPUTS + block - 1
                program += [PickNode(f"{name}/input_{side}", num_earlier) for side in (1, 2)]
                program += [
                    PickOp(f"{name}/op_{side}", self.ops, favoured=favoured, is_nudged=self.favours and is_first)
                    for side in (1, 2)
                ]
                if self.architecture.combines:
                    program.append(PickOp(f"{name}/combine", COMBINES, vocabulary="combine"))
                program.append(MarkNode(name))
        return tuple(program)

    def _is_favoured(self, op: str) -> bool:
        return self.favours and CELL_OPS.is_favoured(op)

    def decode(self, tokens: Sequence[int] | np.ndarray) -> Any:
        columns = self.columns(self.check_tokens(tokens))
        cells = [self._decode_cell(kind, columns) for kind in self.architecture.kinds]
        return self.architecture.of(cells, self.merge)

    def _decode_cell(self, kind: str, columns: dict[str, Any]) -> Cell:
        blocks = []
        for block in range(1, self.blocks + 1):
            name = f"{kind}/block_{block}"
            first, second = (int(columns[f"{name}/input_{side}"]) for side in (1, 2))
            left, right = (self.ops[columns[f"{name}/op_{side}"]] for side in (1, 2))
            combine = COMBINES[columns[f"{name}/combine"]] if self.architecture.combines else COMBINES[0]
            blocks.append(Block((first, second), (left, right), combine))
        return Cell(tuple(blocks))

    def encode(self, architecture: Buildable) -> np.ndarray:
        self.check_fits(architecture, blocks="num_blocks", merge="merge")
        return self.tokens_of(architecture)

    def tokens_of(self, architecture: Buildable) -> np.ndarray:
        """Return the tokens of an architecture of this kind of space; raise `InputError` for a foreign operation."""
        assert isinstance(architecture, CellArchitecture)
        tokens: list[int] = []
        for kind, cell in architecture.cells.items():
            for block in cell.blocks:
                foreign = [op for op in block.ops if op not in self.ops]
                if foreign:
                    raise InputError(
                        f"the {title(kind)} has the operation {foreign[0]}: the space has {', '.join(self.ops)}."
                    )
                tokens += [*block.inputs, *(self.ops.index(op) for op in block.ops)]
                tokens += [COMBINES.index(block.combine)] if architecture.combines else []
        return np.array(tokens, np.int32)
