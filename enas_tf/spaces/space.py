"""A search space is a program of decisions. What is searched in it is an architecture, an immutable value.

From the list of decisions alone follow the number and the ranges of tokens, which token belongs to which decision, the
size of the space, random sampling, and the words of an error message.
"""

import abc
import functools
import math
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

import numpy as np

from enas_tf.errors import InputError, ref
from enas_tf.options import require
from enas_tf.registry import Registry
from enas_tf.spaces.decisions import Decision, PickSkips


class Buildable(abc.ABC):
    """An immutable value that a child can be built of: an architecture, or a baseline to compare with."""

    #: The space whose networks build the child.
    space_name: ClassVar[str]

    @abc.abstractmethod
    def to_json(self) -> dict[str, Any]:
        """Return the JSON form, which has the key `space`; `architectures.from_json` is the inverse."""

    @abc.abstractmethod
    def to_arc(self) -> str:
        """Return the text form; `architectures.read_architecture` is the inverse."""

    @abc.abstractmethod
    def in_words(self) -> list[str]:
        """Return one line of plain words per layer or block."""

    def other_forms(self) -> list[str]:
        """Return lines with the notations of other programs, where there are any."""
        return []


class Architecture(Buildable):
    """An element of a space: the meaning of its tokens. It depends on no framework."""

    @abc.abstractmethod
    def space(self) -> "Space":
        """Return a space of the same kind and size whose operations include those of this architecture."""

    @classmethod
    @abc.abstractmethod
    def from_json(cls, data: dict[str, Any]) -> "Architecture":
        """Return the architecture of a JSON form; raise `InputError` for what is none."""

    @classmethod
    @abc.abstractmethod
    def from_arc(cls, arc: str) -> "Architecture":
        """Return the architecture of an arc string; raise `InputError` for what is none."""


class Baseline(Buildable):
    """A network beside a space: it is trained like a child, but nothing of it was searched and it has no tokens."""

    name: ClassVar[str]

    @classmethod
    @abc.abstractmethod
    def beside(cls, space: "Space") -> "Baseline":
        """Return the baseline to compare with the architectures of `space`."""

    @classmethod
    @abc.abstractmethod
    def from_json(cls, data: dict[str, Any]) -> "Baseline":
        """Return the baseline of a JSON form, which has the key `baseline`."""

    @classmethod
    @abc.abstractmethod
    def from_arc(cls, arc: str) -> "Baseline":
        """Return the baseline of a text such as `lstm:8`; raise `InputError` for what is none."""


class Space(abc.ABC):
    """A search space. Subclasses are frozen dataclasses whose fields are its options.

    Attributes:
      name: what the space is registered under.
      architecture: the class of its architectures.
    """

    name: ClassVar[str]
    architecture: ClassVar[type[Architecture]]

    @property
    def size_in_paper(self) -> int | None:
        """Number of architectures by the paper's formula, where that is another one than `size`."""
        return None

    @functools.cached_property
    @abc.abstractmethod
    def decisions(self) -> tuple[Decision, ...]:
        """The program, in sampling order."""

    @abc.abstractmethod
    def decode(self, tokens: Sequence[int] | np.ndarray) -> Architecture:
        """Return the architecture of `tokens` (int [num_tokens]); raise `InputError` for a wrong token."""

    @abc.abstractmethod
    def encode(self, architecture: Buildable) -> np.ndarray:
        """Return the tokens of `architecture`, int32 [num_tokens].

        Raises:
          InputError: the space does not hold it.
        """

    def stage(self, num_proposed: int) -> "Space":
        """Return the space of the next proposal of a search by trials that has made `num_proposed`.

        It is this one, unless the space grows during a search. Then this one decodes and encodes what its stages do.
        """
        return self

    @functools.cached_property
    def num_tokens(self) -> int:
        """Number of tokens of an architecture."""
        return sum(decision.num_tokens for decision in self.decisions)

    @functools.cached_property
    def token_ranges(self) -> np.ndarray:
        """Number of values of each token, int32 [num_tokens]."""
        return np.array([d.num_values for d in self.decisions for _ in range(d.num_tokens)], np.int32)

    @functools.cached_property
    def size(self) -> int:
        """Number of token sequences: the closed form of the size of the space."""
        return math.prod(decision.num_values**decision.num_tokens for decision in self.decisions)

    @functools.cached_property
    def places(self) -> dict[str, range]:
        """Decision name -> where its tokens stand. Decisions without tokens are left out."""
        found, start = {}, 0
        for decision in self.decisions:
            if decision.num_tokens or isinstance(decision, PickSkips):
                found[decision.name] = range(start, start + decision.num_tokens)
            start += decision.num_tokens
        return found

    def columns(self, tokens) -> dict[str, Any]:
        """Return decision name -> its part of `tokens` (an array or a tensor [..., num_tokens]).

        The part of a decision of one token is [...], that of a `PickSkips` of n candidates [..., n].
        """
        skips = {decision.name for decision in self.decisions if isinstance(decision, PickSkips)}
        return {
            name: tokens[..., place.start : place.stop] if name in skips else tokens[..., place.start]
            for name, place in self.places.items()
        }

    def random_tokens(self, num: int, rng: np.random.Generator) -> np.ndarray:
        """Return `num` sequences with every token uniform, int32 [num, num_tokens]."""
        return rng.integers(0, self.token_ranges, (num, self.num_tokens), dtype=np.int32)

    @functools.cached_property
    def _choices(self) -> np.ndarray:
        """First column and number of columns of each decision that has more than one value, int64 [n, 2]."""
        places = [place for place in self.places.values() if len(place) and self.token_ranges[place.start] > 1]
        return np.array([(place.start, len(place)) for place in places], np.int64).reshape(-1, 2)

    def mutate(self, tokens: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return tokens (int32 [n, num_tokens]) with another value of one decision of each row.

        Of a `PickSkips` one bit changes. All decisions that have more than one value are equally probable, and so are
        the other values of one. Where no decision has, the tokens come back as they are.
        """
        mutated = tokens.copy()
        if len(self._choices):
            start, num = self._choices[rng.integers(len(self._choices), size=len(tokens))].T
            rows, columns = np.arange(len(tokens)), start + rng.integers(num)
            ranges = self.token_ranges[columns]
            mutated[rows, columns] = (tokens[rows, columns] + rng.integers(1, ranges)) % ranges
        return mutated

    def neighbours(self, tokens: np.ndarray) -> np.ndarray:
        """Return all sequences that differ from `tokens` (int32 [num_tokens]) in one token: int32 [n, num_tokens]."""
        rows = [
            (column, value)
            for column, num in enumerate(self.token_ranges)
            for value in range(num)
            if value != tokens[column]
        ]
        found = np.repeat(tokens[None].astype(np.int32), len(rows), axis=0)
        for row, (column, value) in zip(found, rows, strict=True):
            row[column] = value
        return found

    def check_tokens(self, given: Sequence[int] | np.ndarray) -> np.ndarray:
        """Return the tokens `given` as int32 [num_tokens]; raise `InputError` that names the first wrong decision."""
        tokens = np.asarray(given)
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
        """Return the decision that token `index` belongs to, and the place of the token within it."""
        for decision in self.decisions:
            if index < decision.num_tokens:
                return decision, index
            index -= decision.num_tokens
        raise IndexError(index)

    def check_fits(self, architecture: Buildable, **sizes: str) -> None:
        """Raise `InputError` unless `architecture` is one of this kind of space, and has its sizes.

        Args:
          architecture: the value to be encoded.
          sizes: attribute of the space -> the attribute of the architecture that has to be equal.
        """
        if not isinstance(architecture, self.architecture):
            raise InputError(f"a {architecture.space_name} architecture is not one of the {self.name} space.")
        for what, attribute in sizes.items():
            mine, its = getattr(self, what), getattr(architecture, attribute)
            if mine != its:
                raise self.name_options(
                    InputError(
                        f"the architecture has {ref(what)}={its}, but the space has {ref(what)}={mine}: search with "
                        f"{ref(what)}={its}, or name another architecture."
                    )
                )

    @classmethod
    def name_options(cls, error: InputError) -> InputError:
        """Return `error` with the options of the space where it has the names of fields."""
        return SPACES.entry(cls.name).groups[0].name_options(error) if cls.name in SPACES else error


def check_names(option: str, names: Sequence[str], known: Iterable[str]) -> None:
    """Raise `InputError` unless `names`, the value of `option`, are different ones of the `known`."""
    known = tuple(known)
    is_valid = bool(names) and set(names) <= set(known) and len(set(names)) == len(names)
    require(is_valid, option, ",".join(names), f"different names out of {', '.join(known)}")


#: Spaces by name; the groups of an entry are the options of its space.
SPACES: Registry[type[Space]] = Registry("space")
#: Baselines by name.
BASELINES: Registry[type[Baseline]] = Registry("baseline")
