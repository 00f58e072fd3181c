"""Where the tokens of decisions stand, for networks to gather them."""

from collections.abc import Iterable

import numpy as np

from enas_tf.spaces.space import Space


def token_places(space: Space, decisions: Iterable[str]) -> np.ndarray:
    """Return where the tokens of the named decisions stand, in the order of the names: int32 [tokens]."""
    return np.array([place for name in decisions for place in space.places[name]], np.int32)
