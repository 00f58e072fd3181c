"""The notation of Google Research's enas_lm for a recurrent cell: `previous activation` for each node but the first."""

from enas_tf.spaces.vocabulary import is_integer

#: In the numbering of enas_lm (child.py, `_rnn_fn`).
ENAS_LM_ACTIVATIONS = ("tanh", "relu", "sigmoid", "identity")
#: An arc string in this notation opens with this word.
ENAS_LM_PREFIX = "enas_lm:"


def looks_like(length: int) -> str:
    """Return a hint for an arc string of `length` words that was read in the wrong notation."""
    if length % 2:
        return " It looks like the notation of the first repository, which stands without a word before it."
    return (
        f" It looks like the notation of enas_lm, which is read behind the word {ENAS_LM_PREFIX!r}." if length else ""
    )


def from_enas_lm(words: list[str]) -> list[str]:
    """Return the words of the same cell in the notation of the first repository, with names of activations.

    Node 0, which is tanh, is added. A word that is not the number of an activation is left for the reader of the words,
    which takes names and refuses all else.
    """
    renamed = ["tanh"]
    for previous, activation in zip(words[::2], words[1::2], strict=True):
        is_known = is_integer(activation) and 0 <= int(activation) < len(ENAS_LM_ACTIVATIONS)
        renamed += [previous, ENAS_LM_ACTIVATIONS[int(activation)] if is_known else activation]
    return renamed
