"""Seeds as pure functions of their purpose, so that a resumed run draws the same numbers as an unbroken one."""

import zlib

import numpy as np
import tensorflow as tf

#: Purposes that have a small number. It stays, so that runs of earlier versions can be repeated; a new purpose needs
#: no entry.
_NUMBERED = (
    "shared_proposals",
    "shared_dropout",
    "rewarded_proposals",
    "derive",
    "report",
    "drop_path",
    "language_dropout",
)


def seed_of_attempt(seed: int, attempt: int) -> int:
    """Return the seed of a training that is repeated after it has diverged; attempt 0 has the seed of the run."""
    return seed + 2**32 * attempt


def seed_for(seed: int, purpose: str, *counters: int) -> tf.Tensor:
    """Return the seed of a stateless random op, int32 [2], for the seed of a run, a purpose and any counters."""
    number = _NUMBERED.index(purpose) if purpose in _NUMBERED else len(_NUMBERED) + zlib.crc32(purpose.encode())
    sequence = np.random.SeedSequence([seed, number, *counters])
    return tf.constant(sequence.generate_state(2).astype(np.int64).astype(np.int32))
