"""Names of operations in the order in which arc strings number them. New names are appended, so that old arcs hold."""

from collections.abc import Iterable, Iterator


class Vocabulary:
    """The names of one kind of operation. Iterating yields them in order.

    `enas_tf.ops` says what each name computes; spaces know the names alone.

    Args:
      names: in the numbering of arc strings.
      favoured: those that the reference's controller prefers from the start.
    """

    def __init__(self, names: Iterable[str], favoured: Iterable[str] = ()):
        self._names, self._favoured = list(names), set(favoured)

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

    def index(self, name: str) -> int:
        """Return the number of `name` in arc strings."""
        return self._names.index(name)

    def is_favoured(self, name: str) -> bool:
        """Return whether the reference's controller prefers `name` from the start."""
        return name in self._favoured

    def add(self, name: str) -> None:
        """Append `name`, unless it is there already."""
        if name not in self._names:
            self._names.append(name)

    def remove(self, name: str) -> None:
        """Forget `name`, which has to be the last one: no other may change its number."""
        if self._names[-1] != name:
            raise ValueError(f"{name} is not the last name")
        self._names.pop()


#: Operations of a layer of a whole network, in the numbering of the reference code (general_child.py).
LAYER_OPS = Vocabulary(("conv_3x3", "sep_conv_3x3", "conv_5x5", "sep_conv_5x5", "avg_pool_3x3", "max_pool_3x3"))
#: Operations of a cell. The first five are the paper's, in the numbering of the reference code (micro_child.py,
#: `_enas_cell`), whose controller favours separable convolutions (micro_controller.py).
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
    ),
    favoured=("sep_conv_3x3", "sep_conv_5x5", "sep_conv_7x7"),
)
#: Activations of a recurrent cell's nodes, in the numbering of the first repository (ptb_enas_child.py).
ACTIVATIONS = Vocabulary(("tanh", "relu", "identity", "sigmoid"))
