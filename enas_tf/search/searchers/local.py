"""Local search: from a random start to the first better neighbour, until there is none; then a new start."""

import math

import numpy as np
import tensorflow as tf

from enas_tf.search.searchers.history import HistorySearcher, key
from enas_tf.search.searchers.searcher import SEARCHERS
from enas_tf.spaces.space import Space


@SEARCHERS.register("local", help="first-improvement local search with restarts")
class LocalSearcher(HistorySearcher):
    """Moves to the first neighbour with a better reward; a neighbour differs in one token (White et al. 2020).

    Where all neighbours have been judged and none is better, it starts anew from a uniform proposal. Several proposals
    that are judged together are neighbours of one architecture; where too few of these are left, uniform ones join.
    """

    num_kept = 1

    def __init__(self, space: Space):
        super().__init__(space)
        self._place = tf.Variable(tf.zeros([space.num_tokens], tf.int32), trainable=False, name="place")
        self._height = tf.Variable(-math.inf, dtype=tf.float64, trainable=False, name="height")
        self._open = np.zeros((0, space.num_tokens), np.int32)

    def _find_open(self) -> None:
        """Find the neighbours of the place that were not judged; there are none before the first place."""
        is_placed = bool(np.isfinite(self._height.numpy()))
        rows = self.space.neighbours(self._place.numpy())
        self._open = rows[[is_placed and row not in self.history for row in rows]]

    def propose_some(self, num, rng, taken):
        self._find_open()
        super().propose_some(num, rng, taken)

    def propose_one(self, rng, taken):
        judged_with = set(map(key, taken))
        left = [row for row in self._open if key(row) not in judged_with]
        return left[rng.integers(len(left))] if left else self.random_one(rng, taken)

    def update(self, tokens, rewards):
        self._find_open()
        if not len(self._open):
            self._height.assign(-math.inf)
        for row, reward in zip(tokens.numpy(), rewards.numpy().astype(np.float64), strict=True):
            if np.isfinite(reward) and reward > self._height.numpy():
                self._place.assign(row)
                self._height.assign(reward)
        return super().update(tokens, rewards)

    def renew(self):
        super().renew()
        self._height.assign(-math.inf)

    @property
    def tracked(self):
        return super().tracked | {"local_place": [self._place, self._height]}
