"""Random numbers as functions of what they are for, so that a run that was stopped goes on as if it was not."""

import numpy as np
import tensorflow as tf

_PURPOSES = (
    "shared_proposals",
    "shared_dropout",
    "rewarded_proposals",
    "derive",
    "report",
    "drop_path",
    "language_dropout",
)


def seed_of_attempt(seed: int, attempt: int) -> int:
    """The run's seed, and other ones for what is repeated after a training has diverged."""
    return seed + 2**32 * attempt


def seed_for(seed: int, purpose: str, *counters: int) -> tf.Tensor:
    """The seed of a stateless random op, int32 [2], for run seed `seed`, a purpose of this module, and counters."""
    sequence = np.random.SeedSequence([seed, _PURPOSES.index(purpose), *counters])
    return tf.constant(sequence.generate_state(2).astype(np.int64).astype(np.int32))
