"""The activations of recurrent cells: each is a function, its written gradient and its colour in pictures."""

import dataclasses
from collections.abc import Callable

import tensorflow as tf

from enas_tf.ops.op import KINDS, NEUTRAL, register
from enas_tf.registry import Registry
from enas_tf.spaces import vocabulary

#: Activations by name.
ACTIVATIONS: Registry["Activation"] = Registry("activation")
KINDS["activation"] = (ACTIVATIONS, vocabulary.ACTIVATIONS)


@dataclasses.dataclass(frozen=True)
class Activation:
    """An activation of a node.

    Attributes:
      call: z -> f(z), elementwise.
      gradient: (f(z), dy) -> dy f'(z). It is told the result, which is kept anyway, and not z.
    """

    name: str
    colour: str
    call: Callable[[tf.Tensor], tf.Tensor]
    gradient: Callable[[tf.Tensor, tf.Tensor], tf.Tensor]


for _activation in (
    Activation("tanh", "#0072b2", tf.tanh, lambda y, dy: tf.raw_ops.TanhGrad(y=y, dy=dy)),
    Activation("relu", "#d55e00", tf.nn.relu, lambda y, dy: tf.raw_ops.ReluGrad(features=y, gradients=dy)),
    Activation("identity", NEUTRAL, tf.identity, lambda y, dy: tf.identity(dy)),
    Activation("sigmoid", "#009e73", tf.sigmoid, lambda y, dy: tf.raw_ops.SigmoidGrad(y=y, dy=dy)),
):
    register(_activation, ["activation"])
