"""Decisions: the steps of the program that a controller walks and from which all else of a space is derived.

Each decision is a value. `PickOp`, `PickNode` and `PickSkips` hold tokens. `MarkNode` and `NewCell` hold none; they
tell a controller what to remember and what to forget.
"""

import dataclasses


@dataclasses.dataclass(frozen=True)
class PickOp:
    """One token: an operation out of `choices`. Decisions of one `vocabulary` share embedding and softmax.

    Attributes:
      favoured: choices that a controller prefers from the start, by a learned bias; one set for each vocabulary.
      is_nudged: whether a controller adds a fixed bias towards the favoured choices too.
    """

    name: str
    choices: tuple[str, ...]
    vocabulary: str = "op"
    favoured: tuple[str, ...] = ()
    is_nudged: bool = False
    num_tokens = 1

    @property
    def num_values(self) -> int:
        return len(self.choices)

    def token_name(self, index: int) -> str:
        return self.name

    @property
    def expected(self) -> str:
        return f"0..{len(self.choices) - 1} ({', '.join(self.choices)})"


@dataclasses.dataclass(frozen=True)
class PickNode:
    """One token: a node out of the `num_candidates` marked first in this cell.

    A pick that `is_local` belongs to the node marked last: its anchor is the query of a controller, which favours near
    nodes.
    """

    name: str
    num_candidates: int
    is_local: bool = False
    num_tokens = 1

    @property
    def num_values(self) -> int:
        return self.num_candidates

    def token_name(self, index: int) -> str:
        return self.name

    @property
    def expected(self) -> str:
        return f"0..{self.num_candidates - 1} (a node of the cell)"


@dataclasses.dataclass(frozen=True)
class PickSkips:
    """`num_candidates` tokens in {0, 1}: bit i says whether the i-th candidate is connected.

    A controller attends to the first `num_candidates` anchors for them. In the reference's reading of the macro
    space the candidates are shifted by one against the anchors (bit 0 is the stem, which has none), as in its code.
    """

    name: str
    num_candidates: int
    num_values = 2
    expected = "0 or 1"

    @property
    def num_tokens(self) -> int:
        return self.num_candidates

    def token_name(self, index: int) -> str:
        return f"{self.name}_{index}"


@dataclasses.dataclass(frozen=True)
class MarkNode:
    """No token: the controller's state here becomes the anchor that later decisions attend to.

    A node that nobody decided on, `is_given`, can be attended to as well, but its anchor says nothing: it is zero.
    """

    name: str
    is_given: bool = False
    num_tokens = 0
    num_values = 1
    expected = "no token"

    def token_name(self, index: int) -> str:
        return self.name


@dataclasses.dataclass(frozen=True)
class NewCell:
    """No token: the anchors so far are forgotten. A controller that `keeps_state` still knows what it decided."""

    name: str
    keeps_state: bool = False
    num_tokens = 0
    num_values = 1
    expected = "no token"

    def token_name(self, index: int) -> str:
        return self.name


Decision = PickOp | PickNode | PickSkips | MarkNode | NewCell
