"""The networks of a space: its supernet, the child of each architecture, what they cost, and how weights are inherited.

The networks of a space register under its name, with two groups of options: the searched network's, then the child's.
"""

import abc
from typing import Any, ClassVar, Generic, TypeVar

import keras

from enas_tf.errors import InputError, ref
from enas_tf.models.trainee import ImageTrainee, Trainee
from enas_tf.ops.costs import Cost
from enas_tf.options import Group
from enas_tf.registry import Registry
from enas_tf.spaces.space import Buildable, Space

#: Config of a searched network, config of a child, and what networks are told of the data.
N = TypeVar("N")
C = TypeVar("C")
S = TypeVar("S")


class Networks(abc.ABC, Generic[N, C, S]):
    """The networks of one space.

    Attributes:
      task: the name of the task that they are for.
      network: the options of the searched network.
      child: the options of a child that is trained from scratch.
    """

    task: ClassVar[str]
    network: Group
    child: Group

    def build_supernet(self, space: Space, network: N, shape: S, dtype: str = "float32") -> keras.layers.Layer:
        """Build the supernet: a Keras layer that is called with data and tokens. `dtype` is a Keras policy.

        Raises:
          InputError: the space has none, or its networks do not fit the data.
        """
        raise InputError(
            f"the {space.name} space has no supernet, so nothing can be judged by shared weights: expected "
            f"{ref('evaluator')}=scratch, which trains children from scratch."
        )

    def differs_in_training(self, space: Space, network: N) -> str:
        """Say why a trial cannot be trained through the supernet; "" where it can.

        A trial goes through the supernet where that computes what the training of its child does, and has weights for
        every architecture that a search may propose.
        """
        return ""

    @abc.abstractmethod
    def build_child(
        self, architecture: Buildable, child: C, shape: S, dtype: str = "float32", for_training: bool = False
    ) -> keras.Model:
        """Build the child of an architecture or a baseline.

        Args:
          architecture: what is built.
          child: its size.
          shape: what networks are told of the data.
          dtype: the Keras policy of its layers.
          for_training: use the layers that train fastest instead of Keras' stock layers; the weights are the same.

        Raises:
          InputError: the child does not fit the data.
        """

    def build_trainee(self, model: keras.Model, architecture: Buildable, child: C, shape: S) -> Trainee:
        """Return what is trained in place of the child `model`: a classifier of images alone, unless overridden."""
        return ImageTrainee(model)

    @abc.abstractmethod
    def count(self, architecture: Buildable, child: C, shape: S) -> Cost:
        """Return the cost of the child from formulas, without building it; raise `InputError` like `build_child`."""

    def inherit_weights(self, model: keras.Model, supernet: keras.layers.Layer, architecture: Buildable) -> None:
        """Copy the shared weights that `architecture` chose into the child `model`, which has the supernet's size."""
        raise NotImplementedError

    @abc.abstractmethod
    def as_child(self, network: N) -> C:
        """Return the config of a child that has the size of the searched network."""

    @abc.abstractmethod
    def size_in_words(self, architecture: Buildable, child: C) -> str:
        """Say how large the child is, in the words of the paper of its space."""


#: Networks by the name of their space.
NETWORKS: Registry[Networks[Any, Any, Any]] = Registry("networks of the space")
