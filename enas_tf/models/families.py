"""What belongs to each space: its supernet, the builder of its children, their cost, and how weights are inherited."""

import dataclasses
from collections.abc import Callable

from enas_tf.models.macro_child import build_macro_child, count_macro_child, inherit_weights
from enas_tf.models.macro_supernet import MacroSupernet


@dataclasses.dataclass(frozen=True)
class Family:
    """The networks of one space.

    Attributes:
      supernet: (space, network config, image config) -> a Keras layer, called with images and tokens.
      build_child: (architecture, child config, image config) -> a Keras model.
      count: (architecture, child config, image config) -> `Cost`, without building anything.
      inherit_weights: (child, supernet, architecture) copies the chosen shared weights into the child.
    """

    supernet: Callable
    build_child: Callable
    count: Callable
    inherit_weights: Callable


FAMILIES = {"macro": Family(MacroSupernet, build_macro_child, count_macro_child, inherit_weights)}
