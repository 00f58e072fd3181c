"""The task of predicting the next token: its loss, its regularisation, and the perplexity of a whole text."""

import dataclasses
import math
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from enas_tf.data.text_batches import evaluation_windows, in_rows
from enas_tf.models.language import Reading
from enas_tf.options import option, require
from enas_tf.tasks.classification import cross_entropy

#: Tokens that are read at once where no gradient limits them.
_LONG_WINDOW = 512


@dataclasses.dataclass(frozen=True)
class WindowConfig:
    """Windows of text and what keeps states small and slow; the values of enas_lm's search (child.py)."""

    bptt: int = option(35, "tokens of a window, through which gradients flow")
    random_bptt: bool = option(True, "draw the length of training windows around --bptt, as AWD-LSTM does")
    activation_penalty: float = option(0.0, "weight of the mean square of the outputs after dropout in the loss")
    slowness_penalty: float = option(1.0, "weight of the mean square of the outputs' change over a time step")

    def __post_init__(self):
        require(self.bptt >= 1, "bptt", self.bptt, "at least 1")
        require(self.activation_penalty >= 0, "activation_penalty", self.activation_penalty, "0 or more")
        require(self.slowness_penalty >= 0, "slowness_penalty", self.slowness_penalty, "0 or more")


#: The final training's values (enas_lm, fixed_lib.py): alpha is 0.7, and there is no slowness term.
RETRAIN_WINDOWS = WindowConfig(activation_penalty=0.7, slowness_penalty=0.0)


def penalty(reading: Reading, config: WindowConfig) -> tf.Tensor:
    """Activation and temporal activation regularisation (Merity et al. 2018), float32 scalar.

    Of the outputs after dropout as there; enas_lm takes its activation penalty before dropout.
    """
    total = tf.zeros([])
    if config.activation_penalty:
        total += config.activation_penalty * tf.reduce_mean(tf.square(reading.dropped))
    if config.slowness_penalty:
        # A window of one token has no change: the sum is divided by at least 1.
        change = tf.square(reading.states[:, 1:] - reading.states[:, :-1])
        count = tf.cast(tf.maximum(tf.size(change), 1), tf.float32)
        total += config.slowness_penalty * tf.reduce_sum(change) / count
    return total


def window_scale(ids: tf.Tensor, config: WindowConfig) -> tf.Tensor:
    """What the learning rate is multiplied with for a window `ids` [rows, time]: its length / bptt (enas_lm)."""
    return tf.cast(tf.shape(ids)[1], tf.float32) / config.bptt


def compile_reader(child: keras.Model) -> Callable:
    """A traced function of (ids, targets, state) to (summed cross-entropy in nats, next state) by `child`."""
    size = child.input_shape[1][-1]
    ids, state = tf.TensorSpec([None, None], tf.int32), tf.TensorSpec([None, size], tf.float32)

    @tf.function(autograph=False, input_signature=[ids, ids, state])
    def read(ids, targets, state):
        logits, state = child([ids, state], training=False)
        return cross_entropy(targets, logits) * tf.cast(tf.size(ids), tf.float32), tf.cast(state, tf.float32)

    return read


def mean_cross_entropy(read: Callable, rows: np.ndarray, bptt: int, state_size: int, num_windows: int = 0) -> float:
    """Nats per token of `rows` (int32 [rows, columns]), from a state of zeros that is carried from window to window.

    Args:
      read: (ids, targets, state) -> (summed cross-entropy, next state).
      num_windows: how many windows are read; 0 = all of the text.
    """
    state, total, count = tf.zeros([len(rows), state_size]), 0.0, 0
    for number, (ids, targets) in enumerate(evaluation_windows(rows, bptt), start=1):
        loss, state = read(tf.constant(ids), tf.constant(targets), state)
        total, count = total + float(loss), count + ids.size
        if number == num_windows:
            break
    return total / count


def measure_text(child: keras.Model, ids: np.ndarray, part: str) -> dict[str, float]:
    """Loss (nats per token) and perplexity per token of a whole text, read as one row from its first token to its last.

    `part` names the text in errors.
    """
    rows = in_rows(ids, 1, part)
    loss = mean_cross_entropy(compile_reader(child), rows, _LONG_WINDOW, child.input_shape[1][-1])
    return {"loss": loss, "perplexity": perplexity(loss)}


def perplexity(cross_entropy: float) -> float:
    """exp of nats per token; infinite rather than an error for a model that has diverged."""
    return math.exp(cross_entropy) if cross_entropy < 700 else math.inf
