"""The function of a child that files for other programs hold, with the names of what it takes and returns."""

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np
import tensorflow as tf

#: Arrays by the names of inputs or outputs.
Arrays = Mapping[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Signature:
    """A function of a child.

    Attributes:
      name: its name in the SavedModel.
      call: computes it; arguments and results are tensors by name.
      specs: what it takes, in order.
      compared: the outputs by which a file is compared with the child.
    """

    name: str
    call: Callable[..., dict[str, tf.Tensor]]
    specs: tuple[tf.TensorSpec, ...]
    compared: tuple[str, ...]

    def compute(self, examples: Arrays) -> dict[str, np.ndarray]:
        """Return the child's outputs for `examples`, the inputs by name."""
        given = {spec.name: tf.constant(examples[spec.name], spec.dtype) for spec in self.specs}
        return {name: value.numpy() for name, value in self.call(**given).items()}

    def difference(self, one: Arrays, other: Arrays) -> float:
        """Return the largest absolute difference between two sets of outputs."""
        return float(np.max([np.max(np.abs(one[name] - other[name])) for name in self.compared]))


def every_row(examples: Arrays) -> list[dict[str, np.ndarray]]:
    """Return the examples one by one, each as a batch of one."""
    num = len(next(iter(examples.values())))
    return [{name: rows[place : place + 1] for name, rows in examples.items()} for place in range(num)]
