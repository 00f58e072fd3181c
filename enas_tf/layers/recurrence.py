"""The functions that recurrent cells are made of: the same for a sampled cell of a supernet and for a child."""

from collections.abc import Callable

import tensorflow as tf

ACTIVATIONS: dict[str, Callable] = {
    "tanh": tf.tanh,
    "relu": tf.nn.relu,
    "identity": tf.identity,
    "sigmoid": tf.sigmoid,
}
#: f(z) = offset + scale tanh(slope z) where `is_smooth`, else max(z, leak z): all four activations in one formula.
#: Columns: is_smooth, offset, scale, slope, leak.
_FORMULAS = {
    "tanh": (1.0, 0.0, 1.0, 1.0, 0.0),
    "relu": (0.0, 0.0, 0.0, 0.0, 0.0),
    "identity": (0.0, 0.0, 0.0, 0.0, 1.0),
    "sigmoid": (1.0, 0.5, 0.5, 0.5, 0.0),
}


def highway(previous: tf.Tensor, product: tf.Tensor, activation: Callable) -> tf.Tensor:
    """s + sigmoid(t) (f(z) - s) with `previous` s [batch, units] and `product` (z, t) [batch, 2 units].

    Source: ptb_enas_child.py, enas_lm's child.py.
    """
    content, gate = tf.split(product, 2, axis=-1)
    return previous + tf.sigmoid(gate) * (activation(content) - previous)


def sampled_activation(activations: tuple[str, ...], index: tf.Tensor) -> Callable:
    """The activation `activations[index]` as a function of a tensor, for an `index` (int32 scalar) that is a tensor.

    At 0, which dropout makes often, the slope of a relu is 0 as elsewhere: a tie goes to the first of a maximum.
    A branch would cost more than the few elementwise operations that are computed for nothing here.
    """
    is_smooth, offset, scale, slope, leak = tf.unstack(
        tf.gather(tf.constant([_FORMULAS[name] for name in activations]), index)
    )
    return lambda z: tf.where(is_smooth > 0, offset + scale * tf.tanh(slope * z), tf.maximum(leak * z, z))


def run_over_time(step: Callable, inputs: tf.Tensor, state: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """`step(state, x)` for every time step of `inputs` [batch, time, features], from `state` [batch, units].

    A step's result is its output and the next state. Returns the outputs [batch, time, units] and the last state.
    """
    states = tf.scan(step, tf.transpose(inputs, [1, 0, 2]), initializer=state)
    return tf.transpose(states, [1, 0, 2]), states[-1]
