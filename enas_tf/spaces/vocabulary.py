"""Names of operations, and the words that arc strings have for them.

An arc string writes a built-in operation by its number and a user's own by its name: it means the same whatever else is
registered, in whatever order.
"""

import re
from collections.abc import Iterable, Iterator
from typing import ClassVar

from enas_tf.errors import InputError

#: A name stands in arc strings, tables and the names of layers. Numbers have other words.
_NAME = re.compile("[A-Za-z_][A-Za-z0-9_]{0,99}")
#: Python reads no number of thousands of digits.
_INTEGER = re.compile("-?[0-9]{1,100}")


class Vocabulary:
    """The names of one kind of operation. Iterating yields the built-in ones, then the user's own.

    `enas_tf.ops` says what each name computes; spaces know the names alone.

    Args:
      names: the built-in names, in the numbering of arc strings.
      favoured: those that the reference's controller prefers from the start.
    """

    #: All vocabularies.
    every: ClassVar["list[Vocabulary]"] = []

    def __init__(self, names: Iterable[str], favoured: Iterable[str] = ()):
        self._names, self._favoured = list(names), set(favoured)
        self._num_built_in = len(self._names)
        self.every.append(self)

    @property
    def names(self) -> tuple[str, ...]:
        """All names in order."""
        return tuple(self._names)

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __len__(self) -> int:
        return len(self._names)

    def to_word(self, name: str) -> str:
        """Return the word for `name` in arc strings: its number if it is built in, else the name itself."""
        number = self._names.index(name)
        return str(number) if number < self._num_built_in else name

    def from_word(self, word: str) -> str | None:
        """Return the name that `word` stands for, by its number or by itself; None for any other word."""
        if not is_integer(word):
            return word if word in self._names else None
        return self._names[int(word)] if 0 <= int(word) < self._num_built_in else None

    @property
    def own(self) -> tuple[str, ...]:
        """The user's own names."""
        return self.names[self._num_built_in :]

    @property
    def expected(self) -> str:
        """The words that arc strings may hold, for messages."""
        built_in = self._names[: self._num_built_in]
        return ", ".join([f"0..{self._num_built_in - 1} ({', '.join(built_in)})", *self.own])

    def is_favoured(self, name: str) -> bool:
        """Return whether the reference's controller prefers `name` from the start."""
        return name in self._favoured

    def add(self, name: str) -> None:
        """Append `name`, unless it is there already.

        Raises:
          InputError: it cannot stand in an arc string.
        """
        if not _NAME.fullmatch(name):
            raise InputError(f"the name {name!r} is not valid: expected letters, digits and _, no digit first.")
        if name not in self._names:
            self._names.append(name)

    def remove(self, name: str) -> None:
        """Forget `name`, one of the user's own."""
        if name not in self.own:
            raise ValueError(f"{name} is built in")
        self._names.remove(name)


def is_integer(word: str) -> bool:
    """Return whether `word` is an integer."""
    return bool(_INTEGER.fullmatch(word))


def is_name(word: str) -> bool:
    """Return whether `word` is a name of any vocabulary."""
    return any(word in names for names in Vocabulary.every)


#: Operations of a layer of a whole network, in the numbering of the reference code (general_child.py).
LAYER_OPS = Vocabulary(("conv_3x3", "sep_conv_3x3", "conv_5x5", "sep_conv_5x5", "avg_pool_3x3", "max_pool_3x3"))
#: Operations of a cell. The first five are those of ENAS, in the numbering of the reference code (micro_child.py,
#: `_enas_cell`), whose controller favours separable convolutions (micro_controller.py). The last four are NASNet's.
CELL_OPS = Vocabulary(
    (
        "sep_conv_3x3",
        "sep_conv_5x5",
        "avg_pool_3x3",
        "max_pool_3x3",
        "identity",
        "sep_conv_7x7",
        "conv_1x1",
        "conv_3x3",
        "max_pool_5x5",
        "max_pool_7x7",
        "conv_1x7_7x1",
        "conv_1x3_3x1",
        "dilated_3x3",
        "bottleneck_3x3",
    ),
    favoured=("sep_conv_3x3", "sep_conv_5x5", "sep_conv_7x7"),
)
#: Activations of a recurrent cell's nodes, in the numbering of the first repository (ptb_enas_child.py).
ACTIVATIONS = Vocabulary(("tanh", "relu", "identity", "sigmoid"))
