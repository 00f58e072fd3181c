"""Windows of text for truncated back-propagation through time: each begins where the one before it ended.

A stream of tokens is split into rows that are read in parallel, and a window is a range of columns. The state of a
recurrent network is carried from one window to the next, so windows are not shuffled. No gradient flows across the
border of two windows. Random lengths put the borders elsewhere in every epoch, as in AWD-LSTM (Merity et al. 2018,
"Variable length backpropagation sequences") and Google Research's enas_lm.
"""

from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from enas_tf.errors import InputError, ref
from enas_tf.options import require

# The probability that the mean of a length is `bptt` and not half of it.
_WHOLE_PROBABILITY = 0.95
# In tokens: standard deviation of the lengths, their minimum, and by how much the maximum exceeds `bptt`.
_DEVIATION = 5
_SHORTEST = 5
_EXCESS = 20
# Makes these random numbers differ from others that are drawn for the same (seed, epoch).
_STREAM = 1802

Window = tuple[int, int]
Batch = tuple[np.ndarray, np.ndarray]


class TextStream:
    """The training windows of a text, epoch by epoch.

    Args:
        rows: int32 [batch, columns], as `in_rows` makes them.
        bptt: length of a window, or the mean length of most windows.
        is_random: whether lengths are random.

    Attributes:
        unit: what `count_units` counts.
        steps_per_epoch: the number of windows where lengths are not random.

    Raises:
        InputError: `bptt` is not positive.
    """

    unit = "tokens"

    def __init__(self, rows: np.ndarray, bptt: int, is_random: bool):
        self._rows, self._bptt, self._is_random = rows, bptt, is_random
        self.steps_per_epoch = len(windows(rows.shape[1], bptt, seed=0, epoch=0, is_random=False))

    def num_steps(self, epoch: int, seed: int) -> int:
        """Return the number of windows of `epoch`."""
        return len(self._windows(epoch, seed))

    def batches(self, epoch: int, first_step: int, seed: int) -> Iterator[tuple[tf.Tensor, tf.Tensor]]:
        """Yield (inputs, targets), both int32 [batch, length], for the windows of `epoch` from `first_step` on."""
        for ids, targets in training_windows(self._rows, self._bptt, seed, epoch, self._is_random, first_step):
            yield tf.constant(ids), tf.constant(targets)

    def count_units(self, epoch: int, first_step: int, seed: int) -> int:
        """Return the number of tokens in the windows of `epoch` from `first_step` on."""
        return len(self._rows) * sum(length for _, length in self._windows(epoch, seed)[first_step:])

    def _windows(self, epoch: int, seed: int) -> list[Window]:
        return windows(self._rows.shape[1], self._bptt, seed, epoch, self._is_random)


def in_rows(ids: np.ndarray, batch_size: int, part: str = "training") -> np.ndarray:
    """Split `ids` (int32 [tokens]) into `batch_size` contiguous rows that follow each other; the rest is dropped.

    Args:
        ids: one stream of token ids.
        batch_size: number of rows, which a network reads in parallel.
        part: name of the part of the data in messages.

    Returns:
        int32 [batch_size, tokens // batch_size], a view of `ids`.

    Raises:
        InputError: the batch size is not positive, or a row would have no token to predict.
    """
    require(batch_size >= 1, "batch_size", batch_size, "a number of rows of text, 1 or more")
    columns = len(ids) // batch_size
    if columns < 2:
        option, largest = ref("batch_size"), len(ids) // 2
        cure = f"use {option}={largest} or less, or a longer text" if largest else "use a longer text"
        limit = f" (a larger {ref('limit_train')})" if part == "training" else ""
        raise InputError(
            f"The {part} part of the data has {len(ids)} tokens, but {option}={batch_size} needs at least "
            f"{2 * batch_size}, a token and the one after it for each row: {cure}{limit}."
        )
    return ids[: batch_size * columns].reshape(batch_size, columns)


def windows(num_columns: int, bptt: int, seed: int, epoch: int, is_random: bool) -> list[Window]:
    """Return the windows (start, length) of one epoch as a pure function of the arguments.

    They follow each other without a gap and cover the columns 0..num_columns - 2; the last column is a target only.
    Without `is_random` every length is `bptt`. With it, a length is drawn from a normal distribution of standard
    deviation 5, whose mean is `bptt` in 95 % of the cases and `bptt` / 2 in the others, then rounded and limited to
    5..bptt + 20. The last window may be shorter in both cases.

    Raises:
        InputError: `bptt` is not positive.
    """
    require(bptt >= 1, "bptt", bptt, "a number of tokens per window, 1 or more")
    random = np.random.default_rng([seed, epoch, _STREAM])
    found, start = [], 0
    while start < num_columns - 1:
        length = min(_draw_length(random, bptt) if is_random else bptt, num_columns - 1 - start)
        found.append((start, length))
        start += length
    return found


def _draw_length(random: np.random.Generator, bptt: int) -> int:
    """Draw the length of one window."""
    mean = bptt if random.random() < _WHOLE_PROBABILITY else bptt / 2
    return min(max(round(random.normal(mean, _DEVIATION)), _SHORTEST), bptt + _EXCESS)


def training_windows(
    rows: np.ndarray, bptt: int, seed: int, epoch: int, is_random: bool = True, first_window: int = 0
) -> Iterator[Batch]:
    """Return one epoch of `rows` (int32 [batch, columns]) from the window `first_window` on.

    With random lengths, scale the learning rate of a window by its length / `bptt`, as AWD-LSTM and enas_lm do.
    Otherwise the tokens of short windows have a larger effect than others.

    Returns:
        (inputs, targets), both int32 [batch, length] and views of `rows`: the target of a token is the next token.

    Raises:
        InputError: `bptt` is not positive.
    """
    return _cut(rows, windows(rows.shape[1], bptt, seed, epoch, is_random)[first_window:])


def evaluation_windows(rows: np.ndarray, bptt: int) -> Iterator[Batch]:
    """Return `rows` (int32 [batch, columns]) once and in order, as `training_windows` without random lengths.

    Every token except the first of each row is a target exactly once. `in_rows(ids, 1)` drops no token.

    Raises:
        InputError: `bptt` is not positive.
    """
    return training_windows(rows, bptt, seed=0, epoch=0, is_random=False)


def _cut(rows: np.ndarray, spans: list[Window]) -> Iterator[Batch]:
    """Yield the windows `spans`. `training_windows` is not the generator, so that its call refuses a wrong `bptt`."""
    for start, length in spans:
        yield rows[:, start : start + length], rows[:, start + 1 : start + length + 1]
