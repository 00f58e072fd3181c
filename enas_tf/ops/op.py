"""An operation has one home: a subclass of `Op` says all that the product knows of it, and one call registers it.

Colours are those of Okabe and Ito, which colour-blind people tell apart, and shades of them: blue convolves, orange
convolves separably, pink takes the maximum, and the darker shade has the larger kernel. The identity is grey.
"""

import abc
from collections.abc import Iterable

import keras

from enas_tf.layers.stock import Layers
from enas_tf.ops.bank import Bank
from enas_tf.ops.costs import Cost
from enas_tf.registry import Registry
from enas_tf.spaces import vocabulary

#: The grey of the identity, and of reductions, which are not searched.
NEUTRAL = "#8a949e"


class Op(abc.ABC):
    """An operation of a layer or a cell, which keeps the number of channels.

    A supernet computes it with a bank, a child with stock Keras layers. Both are one function of the same weights: for
    every stride, `apply` with the weights that `copy_weights` sets equals `Bank.compute` with the rows that they were
    copied from. Batch normalisation is in training mode.

    Attributes:
      name: what architectures, arc strings and pictures call it.
      colour: its colour in pictures, as #rrggbb.
      drops_path: whether drop-path acts on its result while a child is trained.
      reads_any_width: whether `apply` takes an `x` of other than `channels` channels. Then `count` and `build_bank`
        have an argument `inputs`, the channels of `x` where they are others.
    """

    name: str
    colour: str
    drops_path: bool = True
    reads_any_width: bool = False

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and vars(self) == vars(other)

    def __hash__(self) -> int:
        return hash((type(self), self.name))

    def with_strides(self, strides: int) -> "Op":
        """Return the operation that replaces it under that stride: itself, unless it cannot have one."""
        return self

    @abc.abstractmethod
    def build_bank(self, num_places: int, channels: int) -> Bank:
        """Build the bank of its weights at `num_places` places."""

    @abc.abstractmethod
    def apply(self, layers: Layers, x, channels: int, name: str, strides: int = 1):
        """Apply the operation by stock layers.

        Args:
          layers: makes the layers.
          x: a Keras tensor [batch, height, width, channels].
          channels: as `x` has them.
          name: what the names of all its layers begin with.
          strides: 1 or 2; height and width are even where it is 2.

        Returns:
          a Keras tensor [batch, height / strides, width / strides, channels].
        """

    @abc.abstractmethod
    def count(self, channels: int, pixels: int, strides: int = 1) -> Cost:
        """Return the cost of the operation where its result has `pixels` pixels."""

    @abc.abstractmethod
    def copy_weights(self, child: keras.Model, name: str, rows: list) -> None:
        """Copy weights into the layers of `child` that `apply` has made under `name`.

        Args:
          child: the model.
          name: the one that `apply` was given.
          rows: the weights of one place, one tensor for each stack of the bank.
        """


#: Operations of a layer of a whole network by name.
LAYER_OPS: Registry[Op] = Registry("operation of a layer")
#: Operations of a cell by name.
CELL_OPS: Registry[Op] = Registry("operation of a cell")
#: Kind -> its registry, and the names that arc strings know.
KINDS: dict[str, tuple[Registry, vocabulary.Vocabulary]] = {
    "layer": (LAYER_OPS, vocabulary.LAYER_OPS),
    "cell": (CELL_OPS, vocabulary.CELL_OPS),
}


def register(op, kinds: Iterable[str] = ("layer", "cell")) -> None:
    """Register `op` under its name in the given kinds of operations.

    A new name is appended to the vocabulary of each kind. Arc strings write it as it is.

    Raises:
      InputError: the name is taken by another operation, or cannot stand in an arc string.
    """
    for kind in kinds:
        registry, names = KINDS[kind]
        names.add(op.name)
        registry.register(op.name)(op)
