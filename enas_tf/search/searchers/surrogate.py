"""A surrogate: a Gaussian process that predicts rewards from decisions, and proposes by Thompson sampling."""

import dataclasses

import numpy as np
import tensorflow as tf

from enas_tf.options import Config, Group, option, require
from enas_tf.search.searchers.history import HistorySearcher, key
from enas_tf.search.searchers.searcher import SEARCHERS
from enas_tf.spaces.space import Space

ACQUISITIONS = ("thompson", "expected_improvement")
#: Proposals among which the next one is chosen: uniform ones, and mutations of each of the best that were judged.
_NUM_UNIFORM, _NUM_PARENTS, _NUM_MUTATIONS = 200, 10, 20


@dataclasses.dataclass(frozen=True)
class SurrogateConfig:
    """How the surrogate begins and chooses; the values are the best ones on two tables of trained networks."""

    first_uniform: int = option(10, "uniform proposals before the first prediction", most=10_000)
    acquisition: str = option(
        "thompson",
        "how the next proposal is chosen: the best of draws from the predictions, or the largest expected improvement",
        choices=ACQUISITIONS,
    )

    def __post_init__(self):
        require(self.first_uniform >= 2, "first_uniform", self.first_uniform, "at least 2")


SURROGATE = Group(SurrogateConfig(), stages=("search",))


@dataclasses.dataclass
class _Memory:
    """What need not be computed twice.

    Attributes:
      fitted: the trials that `kernel` was fitted to.
      predicted: candidate of the last proposals -> its prediction.
    """

    fitted: bytes = b""
    kernel: object = None
    predicted: dict[bytes, float] = dataclasses.field(default_factory=dict)


@SEARCHERS.register("surrogate", [SURROGATE], help="a Gaussian process that predicts rewards, by Thompson sampling")
class SurrogateSearcher(HistorySearcher):
    """Predicts the reward of a proposal from its tokens, and has the most promising ones judged.

    Each candidate's prediction is drawn on its own, not jointly: neighbours would otherwise rise and fall together, and
    all proposals of an update with them.
    """

    def __init__(self, space: Space, config: SurrogateConfig | None = None):
        super().__init__(space)
        self.config = config or SurrogateConfig()
        # Out of sight of tf.Module, which would wrap a dict.
        self._memory = _Memory()

    @classmethod
    def build(cls, space, config: Config):
        return cls(space, config[SURROGATE])

    def propose_some(self, num, rng, taken):
        num_uniform = min(num, self.config.first_uniform - len(self.history))
        super().propose_some(num_uniform if len(self.history) > 1 else num, rng, taken)
        if len(taken) == num:
            return
        candidates = self._find_candidates(rng, taken)
        # Imported here, since it takes scikit-learn a second.
        from enas_tf.search.prediction import Predictor, expected_improvement

        if len(candidates):
            history, ranges = self.history, self.space.token_ranges
            predictor = Predictor(history.tokens, history.rewards, ranges, self._fit_kernel())
            mean, spread = predictor.predict(candidates)
            self._memory.predicted = dict(zip(map(key, candidates), mean, strict=True))
        while len(candidates) and num > len(taken):
            if self.config.acquisition == "thompson":
                value = mean + spread * rng.standard_normal(len(mean))
            else:
                value = expected_improvement(mean, spread, predictor.goal)
            place = int(np.argmax(value))
            taken.append(candidates[place])
            candidates, mean, spread = (np.delete(rows, place, axis=0) for rows in (candidates, mean, spread))
        super().propose_some(num, rng, taken)

    def propose_one(self, rng, taken):
        return self.random_one(rng, taken)

    def _find_candidates(self, rng: np.random.Generator, taken: list[np.ndarray]) -> np.ndarray:
        """Return different proposals that were not judged: uniform ones, and mutations of the best."""
        children = self.space.mutate(np.repeat(self.history.best(_NUM_PARENTS), _NUM_MUTATIONS, axis=0), rng)
        is_twice = rng.random(len(children)) < 0.5
        children[is_twice] = self.space.mutate(children[is_twice], rng)
        rows = np.unique(np.concatenate([self.space.random_tokens(_NUM_UNIFORM, rng), children]), axis=0)
        return rows[[self.is_new(row, taken) for row in rows]]

    def _fit_kernel(self):
        """Return the kernel that suits the first trials; it is fitted once for each number of them."""
        from enas_tf.search.prediction import fit_kernel, num_fitted

        num = num_fitted(len(self.history))
        tokens, rewards = self.history.tokens[:num], self.history.rewards[:num]
        name = tokens.tobytes() + rewards.tobytes()
        if name != self._memory.fitted:
            self._memory.fitted, self._memory.kernel = name, fit_kernel(tokens, rewards, self.space.token_ranges)
        return self._memory.kernel

    def update(self, tokens, rewards):
        from enas_tf.search.prediction import rank_correlation

        predicted = self._memory.predicted
        pairs = [
            (predicted[key(row)], reward)
            for row, reward in zip(tokens.numpy(), rewards.numpy(), strict=True)
            if key(row) in predicted and np.isfinite(reward)
        ]
        said = super().update(tokens, rewards)
        correlation = rank_correlation(*map(list, zip(*pairs, strict=True))) if pairs else None
        return said if correlation is None else said | {"rank_correlation": tf.constant(correlation, tf.float32)}

    @property
    def metric_names(self):
        return [*super().metric_names, "rank_correlation"]

    @property
    def metric_descriptions(self):
        return super().metric_descriptions | {
            "rank_correlation": "Spearman's correlation of the predicted rewards of an update with those that came; "
            "none for updates of fewer than three proposals.",
        }
