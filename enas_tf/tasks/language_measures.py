"""Measures of a language model on a whole text: its cross-entropy and its perplexity."""

import math
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from enas_tf.data.text_batches import evaluation_windows, in_rows
from enas_tf.tasks.losses import cross_entropy

#: Tokens of a window where no gradient limits its length.
_LONG_WINDOW = 512

#: (ids, targets, state) -> (summed cross-entropy in nats, next state).
Read = Callable[[tf.Tensor, tf.Tensor, tf.Tensor], tuple[tf.Tensor, tf.Tensor]]


def compile_reader(child: keras.Model) -> Read:
    """Return a traced function that reads a window with `child`, in inference. One trace serves all windows.

    Its arguments are ids and targets int32 [rows, time] and a state float32 [rows, size].
    """
    ids, state = tf.TensorSpec([None, None], tf.int32), tf.TensorSpec([None, child.input_shape[1][-1]], tf.float32)

    @tf.function(autograph=False, input_signature=[ids, ids, state])
    def read(ids, targets, state):
        logits, state = child([ids, state], training=False)
        return cross_entropy(targets, logits) * tf.cast(tf.size(ids), tf.float32), tf.cast(state, tf.float32)

    return read


def mean_cross_entropy(read: Read, rows: np.ndarray, bptt: int, state_size: int, num_windows: int = 0) -> float:
    """Return the nats per token of a text, whose state is zeros at first and carried from window to window.

    Args:
      read: reads a window.
      rows: int32 [rows, columns].
      bptt: tokens of a window.
      state_size: size of the state of a row.
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
    """Return loss (nats per token) and perplexity of a text, which is read as one row from its first token to its last.

    `part` names the text in errors.
    """
    rows = in_rows(ids, 1, part)
    loss = mean_cross_entropy(compile_reader(child), rows, _LONG_WINDOW, child.input_shape[1][-1])
    return {"loss": loss, "perplexity": perplexity(loss)}


def perplexity(cross_entropy: float) -> float:
    """Return exp of nats per token; infinity, and no error, for a model that has diverged."""
    return math.exp(cross_entropy) if cross_entropy < 700 else math.inf
