"""A search space is a program of decisions: the list a controller walks and everything else is derived from.

Each decision is a value. `PickOp`, `PickNode` and `PickSkips` hold tokens; `MarkNode` and `NewCell` hold none and tell
a controller what to remember and what to forget. From the list alone follow the number and ranges of tokens, the size
of the space, random sampling and the words of an error message.
"""

import abc
import dataclasses
import functools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from enas_tf.errors import InputError


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

    A pick that `is_local` belongs to the node marked last: a controller asks with that anchor, and favours near nodes.
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


@dataclasses.dataclass(frozen=True)
class NewCell:
    """No token: the anchors so far are forgotten. A controller that `keeps_state` still knows what it decided."""

    name: str
    keeps_state: bool = False
    num_tokens = 0
    num_values = 1


Decision = PickOp | PickNode | PickSkips | MarkNode | NewCell


class Architecture(abc.ABC):
    """An immutable value decoded from tokens. It knows no framework."""

    space_name: str

    @abc.abstractmethod
    def to_json(self) -> dict[str, Any]:
        """The JSON form, with the key `space`; `architectures.from_json` is its inverse."""

    @abc.abstractmethod
    def to_arc(self) -> str:
        """The arc string: the notation of the reference code where it can say what this architecture is."""

    @abc.abstractmethod
    def space(self) -> "Space":
        """The space of the same kind and size, with all its operations, that holds this architecture."""

    @abc.abstractmethod
    def in_words(self) -> list[str]:
        """One line of plain words per layer or block."""


class Space(abc.ABC):
    """What can be built. Subclasses are frozen dataclasses whose fields are the options of the space."""

    name: str

    @functools.cached_property
    @abc.abstractmethod
    def decisions(self) -> tuple[Decision, ...]:
        """The program, in sampling order."""

    @abc.abstractmethod
    def decode(self, tokens: Sequence[int]) -> Architecture:
        """The architecture of `tokens` (int [num_tokens]); raises `InputError` for a wrong token."""

    @abc.abstractmethod
    def encode(self, architecture: Architecture) -> np.ndarray:
        """The tokens of `architecture`, int32 [num_tokens]; raises `InputError` when the space does not hold it."""

    @functools.cached_property
    def num_tokens(self) -> int:
        return sum(decision.num_tokens for decision in self.decisions)

    @functools.cached_property
    def token_ranges(self) -> np.ndarray:
        """Number of values of each token, int32 [num_tokens]."""
        return np.array([d.num_values for d in self.decisions for _ in range(d.num_tokens)], np.int32)

    @functools.cached_property
    def size(self) -> int:
        """Number of token sequences: the closed form of the space's size."""
        return math.prod(decision.num_values**decision.num_tokens for decision in self.decisions)

    def random_tokens(self, num: int, rng: np.random.Generator) -> np.ndarray:
        """`num` sequences with every token uniform, int32 [num, num_tokens]."""
        return rng.integers(0, self.token_ranges, (num, self.num_tokens), dtype=np.int32)

    def check_tokens(self, tokens: Sequence[int]) -> np.ndarray:
        """`tokens` as int32 [num_tokens]; raises `InputError` naming the first decision that is wrong."""
        tokens = np.asarray(tokens)
        if tokens.shape != (self.num_tokens,):
            raise InputError(f"tokens of shape {list(tokens.shape)} do not fit {self}: expected [{self.num_tokens}].")
        wrong = np.flatnonzero((tokens < 0) | (tokens >= self.token_ranges))
        if wrong.size:
            index = int(wrong[0])
            decision, offset = self._decision_of(index)
            raise InputError(
                f'tokens[{index}] = {tokens[index]} is not valid for "{decision.token_name(offset)}": '
                f"expected {decision.expected}."
            )
        return tokens.astype(np.int32)

    def _decision_of(self, index: int) -> tuple[Decision, int]:
        """The decision that token `index` belongs to, and the token's place within it."""
        for decision in self.decisions:
            if index < decision.num_tokens:
                return decision, index
            index -= decision.num_tokens
        raise IndexError(index)
