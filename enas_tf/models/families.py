"""What belongs to each space: its supernet, the builder of its children, their cost, and how weights are inherited."""

import dataclasses
from collections.abc import Callable

from enas_tf.models import macro_child, micro_child, recurrent_child
from enas_tf.models.macro_supernet import MacroSupernet
from enas_tf.models.micro_supernet import MicroSupernet
from enas_tf.models.micro_training import MicroTrainee
from enas_tf.models.recurrent_supernet import RecurrentSupernet
from enas_tf.models.recurrent_training import RecurrentTrainee
from enas_tf.models.trainee import Trainee


@dataclasses.dataclass(frozen=True)
class Family:
    """The networks of one space.

    Attributes:
      supernet: (space, network config, shape of the data, dtype=) -> a Keras layer, called with data and tokens.
      build_child: (architecture, child config, shape of the data, dtype=, for_training=) -> a Keras model. Here and
        above `dtype` is a Keras policy.
      trainee: (child, architecture, child config, shape of the data) -> the `Trainee` that trains the child.
      count: (architecture, child config, shape of the data) -> `Cost`, without building anything.
      inherit_weights: (child, supernet, architecture) copies the chosen shared weights into the child.
    """

    supernet: Callable
    build_child: Callable
    trainee: Callable
    count: Callable
    inherit_weights: Callable


FAMILIES = {
    "macro": Family(
        supernet=MacroSupernet,
        build_child=macro_child.build_macro_child,
        trainee=lambda child, *_: Trainee(child),
        count=macro_child.count_macro_child,
        inherit_weights=macro_child.inherit_weights,
    ),
    "micro": Family(
        supernet=MicroSupernet,
        build_child=micro_child.build_micro_child,
        trainee=MicroTrainee,
        count=micro_child.count_micro_child,
        inherit_weights=micro_child.inherit_weights,
    ),
    "recurrent": Family(
        supernet=RecurrentSupernet,
        build_child=recurrent_child.build_recurrent_child,
        trainee=RecurrentTrainee,
        count=recurrent_child.count_recurrent_child,
        inherit_weights=recurrent_child.inherit_weights,
    ),
}
