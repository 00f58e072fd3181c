"""Searchers that learn from all proposals that were judged: what they remember, and what they have in common."""

import abc
import io
import math

import numpy as np
import tensorflow as tf

from enas_tf.search.searchers.searcher import Searcher
from enas_tf.spaces.space import Space

#: Attempts at a proposal that was never judged before one is taken that was.
_ATTEMPTS = 100


class History(tf.train.experimental.PythonState):
    """Proposals and their rewards in the order in which they came; a checkpoint holds it as bytes.

    Attributes:
      tokens: int32 [n, num_tokens].
      rewards: float64 [n]; -infinity for a reward that was not a number: it is the worst of all.
      waiting: int32 [m, num_tokens], proposals of earlier times that are to be judged anew.
    """

    def __init__(self, num_tokens: int):
        super().__init__()
        self.tokens = np.zeros((0, num_tokens), np.int32)
        self.rewards = np.zeros(0)
        self.waiting = self.tokens
        self._index: set[bytes] = set()

    def __len__(self) -> int:
        return len(self.rewards)

    def __contains__(self, tokens: object) -> bool:
        return isinstance(tokens, np.ndarray) and key(tokens) in self._index

    def add(self, tokens: np.ndarray, rewards: np.ndarray) -> None:
        """Remember `tokens` int32 [n, num_tokens] and their rewards float [n]."""
        rewards = np.where(np.isfinite(rewards), rewards, -math.inf)
        self.tokens = np.concatenate([self.tokens, tokens])
        self.rewards = np.concatenate([self.rewards, rewards])
        self._index.update(map(key, tokens))
        self.waiting = np.array([row for row in self.waiting if row not in self], np.int32).reshape(-1, tokens.shape[1])

    def best(self, num: int) -> np.ndarray:
        """Return up to `num` different proposals, best first: int32 [k, num_tokens]."""
        found: dict[bytes, np.ndarray] = {}
        for row in self.tokens[np.argsort(-self.rewards, kind="stable")]:
            if len(found) == num:
                break
            found.setdefault(key(row), row)
        return np.array(list(found.values()), np.int32).reshape(-1, self.tokens.shape[1])

    def forget_rewards(self, num: int) -> None:
        """Forget all rewards, and keep the best `num` proposals as those that wait. Without rewards it does nothing."""
        if len(self):
            self.waiting = self.best(num)
            self.tokens, self.rewards, self._index = self.tokens[:0], self.rewards[:0], set()

    def serialize(self) -> bytes:
        """Return the content as the bytes of an npz file."""
        file = io.BytesIO()
        np.savez(file, tokens=self.tokens, rewards=self.rewards, waiting=self.waiting)
        return file.getvalue()

    def deserialize(self, string_value: bytes) -> None:
        """Take the content from `string_value`."""
        with np.load(io.BytesIO(string_value), allow_pickle=False) as arrays:
            self.tokens, self.rewards, self.waiting = arrays["tokens"], arrays["rewards"], arrays["waiting"]
        self._index = set(map(key, self.tokens))


def key(tokens: np.ndarray) -> bytes:
    """Return what tells one token sequence from another."""
    return tokens.astype(np.int32).tobytes()


class HistorySearcher(Searcher):
    """The base of searchers without a policy: they propose from what was judged so far, and never twice the same.

    Shared weights are trained on uniform proposals, so that no part of the space is trained more than another (Guo et
    al. 2019, Single Path One-Shot); `propose` then finds good ones by these weights. Where rewards of earlier epochs no
    longer hold, the best `num_kept` proposals are the first to be judged in the next epoch, and all else is forgotten.
    """

    num_kept: int = 25
    never_repeats = True

    def __init__(self, space: Space):
        super().__init__(space)
        self.history = History(space.num_tokens)

    @abc.abstractmethod
    def propose_one(self, rng: np.random.Generator, taken: list[np.ndarray]) -> np.ndarray:
        """Return a proposal, int32 [num_tokens], that is to be judged together with those in `taken`."""

    def propose_some(self, num: int, rng: np.random.Generator, taken: list[np.ndarray]) -> None:
        """Add proposals to `taken`, until it has `num`."""
        while len(taken) < num:
            taken.append(self.propose_one(rng, taken))

    def propose(self, num, seed):
        taken = list(self.history.waiting[: int(num)])
        self.propose_some(int(num), generator(seed), taken)
        return tf.constant(np.array(taken).reshape(-1, self.space.num_tokens), tf.int32)

    def sample(self, num, seed):
        return tf.constant(self.space.random_tokens(int(num), generator(seed)))

    def candidates(self, num, seed):
        best = self.history.best(int(num))
        return tf.concat([best, self.propose(int(num) - len(best), seed)], axis=0)

    def update(self, tokens, rewards):
        rows, values = tokens.numpy(), rewards.numpy()
        num_new = len({key(row) for row in rows if row not in self.history})
        self.history.add(rows, values)
        best = float(self.history.rewards.max())
        return {
            **self.reward_metrics(rewards),
            "best_reward": tf.constant(best if math.isfinite(best) else math.nan, tf.float32),
            "new_share": tf.constant(num_new / len(rows), tf.float32),
            **self.skip_metrics(tokens),
        }

    def renew(self):
        self.history.forget_rewards(self.num_kept)

    def is_new(self, tokens: np.ndarray, taken: list[np.ndarray]) -> bool:
        """Return whether `tokens` was neither judged nor is among `taken`."""
        return tokens not in self.history and not any(np.array_equal(tokens, other) for other in taken)

    def new_one(self, draw, taken: list[np.ndarray]) -> np.ndarray | None:
        """Return the first result of `draw()` that is new; None after many that were not."""
        for _ in range(_ATTEMPTS):
            tokens = draw()
            if self.is_new(tokens, taken):
                return tokens
        return None

    def random_one(self, rng: np.random.Generator, taken: list[np.ndarray]) -> np.ndarray:
        """Return a uniform proposal, a new one if there seems to be any."""

        def draw():
            return self.space.random_tokens(1, rng)[0]

        found = self.new_one(draw, taken)
        return draw() if found is None else found

    @property
    def metric_names(self):
        names = ["reward", "nonfinite_rewards", "best_reward", "new_share"]
        return [*names, *(["skip_rate"] if self._has_skips else [])]

    @property
    def metric_descriptions(self):
        return super().metric_descriptions | {
            "best_reward": "Best reward so far, as a mean over the updates of the epoch.",
            "new_share": "Share of the proposals that were never judged before.",
        }

    @property
    def tracked(self):
        return super().tracked | {"history": self.history}


def generator(seed: tf.Tensor) -> np.random.Generator:
    """Return NumPy's generator for a seed of stateless random ops, int32 [2]."""
    return np.random.default_rng(np.asarray(seed).astype(np.uint32))
