"""Windows of text for truncated back-propagation through time: each goes on where the one before it ended.

A stream is cut into rows that are read side by side, and a window is a run of columns. The state of a recurrent network
is carried from one window to the next, so the order of windows matters and nothing is shuffled. Lengths vary as in
AWD-LSTM (Merity et al. 2018, "Variable length backpropagation sequences") and Google Research's enas_lm, so that the
borders of windows, across which no gradient flows, fall elsewhere in every epoch.
"""

from collections.abc import Iterator

import numpy as np

from enas_tf.errors import InputError

# How often the mean length is `bptt` itself, and not half of it.
_WHOLE_PROBABILITY = 0.95
# In tokens: deviation of the lengths, the shortest one, and how far the longest exceeds `bptt`.
_DEVIATION = 5
_SHORTEST = 5
_EXCESS = 20
# Tells these random numbers from others that are drawn for the same (seed, epoch).
_STREAM = 1802

Window = tuple[int, int]
Batch = tuple[np.ndarray, np.ndarray]


def in_rows(ids: np.ndarray, batch_size: int, part: str = "training") -> np.ndarray:
    """`ids` (int32 [tokens]) as `batch_size` rows, each contiguous and all one after the other; the rest is dropped.

    Args:
        ids: one stream of token ids.
        batch_size: number of rows, which a network reads side by side.
        part: name of the part of the data, for the message.

    Returns:
        int32 [batch_size, tokens // batch_size], a view of `ids`.

    Raises:
        InputError: the batch size is not positive, or a row would have no token to predict.
    """
    if batch_size < 1:
        raise InputError(f"--batch_size={batch_size} is not valid: expected a number of rows of text, 1 or more.")
    columns = len(ids) // batch_size
    if columns < 2:
        cure = f"use --batch_size={len(ids) // 2} or less, or a longer text" if len(ids) >= 2 else "use a longer text"
        limit = " (a larger --limit_train)" if part == "training" else ""
        raise InputError(
            f"The {part} part of the data has {len(ids)} tokens, but --batch_size={batch_size} needs at least "
            f"{2 * batch_size}, a token and the one after it for each row: {cure}{limit}."
        )
    return ids[: batch_size * columns].reshape(batch_size, columns)


def windows(num_columns: int, bptt: int, seed: int, epoch: int, is_random: bool) -> list[Window]:
    """The windows (start, length) of one epoch: a pure function of its arguments.

    They follow each other without a gap and cover the columns 0..num_columns - 2; the last column is a target only.
    Without `is_random` all have the length `bptt` but the last, which has what is left. With it a length is drawn from
    a normal distribution of deviation 5, whose mean is `bptt` in 95 % of the cases and `bptt` / 2 in the others, then
    rounded and limited to 5..bptt + 20; the last may be shorter.

    Raises:
        InputError: `bptt` is not positive.
    """
    if bptt < 1:
        raise InputError(f"--bptt={bptt} is not valid: expected a number of tokens per window, 1 or more.")
    random = np.random.default_rng([seed, epoch, _STREAM])
    found, start = [], 0
    while start < num_columns - 1:
        length = min(_draw_length(random, bptt) if is_random else bptt, num_columns - 1 - start)
        found.append((start, length))
        start += length
    return found


def _draw_length(random: np.random.Generator, bptt: int) -> int:
    mean = bptt if random.random() < _WHOLE_PROBABILITY else bptt / 2
    return min(max(round(random.normal(mean, _DEVIATION)), _SHORTEST), bptt + _EXCESS)


def training_windows(
    rows: np.ndarray, bptt: int, seed: int, epoch: int, is_random: bool = True, first_window: int = 0
) -> Iterator[Batch]:
    """One epoch of `rows` (int32 [batch, columns]) from the window `first_window` on, for a run that is resumed.

    With random lengths, scale the learning rate of a window by its length / `bptt`, as AWD-LSTM and enas_lm do:
    otherwise the tokens of short windows would count for more.

    Returns:
        (inputs, targets), both int32 [batch, length] and views of `rows`: the target of a token is the one after it.

    Raises:
        InputError: `bptt` is not positive.
    """
    return _cut(rows, windows(rows.shape[1], bptt, seed, epoch, is_random)[first_window:])


def evaluation_windows(rows: np.ndarray, bptt: int) -> Iterator[Batch]:
    """All of `rows` (int32 [batch, columns]) once and in order, as `training_windows` without random lengths.

    Every token but the first of each row is a target exactly once. Rows of `in_rows(ids, 1)` leave no token out.

    Raises:
        InputError: `bptt` is not positive.
    """
    return training_windows(rows, bptt, seed=0, epoch=0, is_random=False)


def _cut(rows: np.ndarray, spans: list[Window]) -> Iterator[Batch]:
    """A generator of its own, so that a wrong `bptt` is refused by the call and not by the first window."""
    for start, length in spans:
        yield rows[:, start : start + length], rows[:, start + 1 : start + length + 1]
