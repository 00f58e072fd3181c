"""The interface of searchers: `propose` and `update`. A searcher knows a space, and nothing of networks or data."""

import abc
import dataclasses

import keras
import numpy as np
import tensorflow as tf

from enas_tf.options import Config
from enas_tf.registry import Registry
from enas_tf.spaces.decisions import PickSkips
from enas_tf.spaces.space import Space


@dataclasses.dataclass(frozen=True)
class Outlook:
    """What a policy would propose now.

    Attributes:
      num_proposals: how many proposals it was taken from.
      tokens: int32 [num_tokens], the most probable one of them.
      op_probabilities: name of a decision -> float32 [choices], the mean probabilities of its operations over them.
    """

    num_proposals: int
    tokens: np.ndarray
    op_probabilities: dict[str, np.ndarray]


class Searcher(tf.Module, abc.ABC):
    """Proposes token sequences and learns from their rewards.

    Attributes:
      means: name -> mean of what `update` has returned since the epoch began.
      num_updates: how many updates the epoch that is under way has had, an int64 variable.
      learns_from_batches: whether it compares the proposals of an update with each other, and so needs several.
      can_grow: whether it can be `carried_to` another stage of its space.
      never_repeats: whether it proposes nothing twice that was judged; a policy may, and means it.
      proposes_levels: whether it proposes level by level. `propose` then returns those of the present level that were
        not judged, which may be fewer than `num`; the next level follows from the rewards of all of them. When the
        last level is judged there is none. Levels may differ in the number of tokens.
    """

    learns_from_batches: bool = False
    can_grow: bool = False
    never_repeats: bool = False
    proposes_levels: bool = False

    def __init__(self, space: Space):
        super().__init__(name="searcher")
        self.space = space
        bits = [isinstance(d, PickSkips) for d in space.decisions for _ in range(d.num_tokens)]
        self._skip_columns = np.flatnonzero(bits).astype(np.int32)
        self.num_updates = tf.Variable(0, dtype=tf.int64, trainable=False, name="num_updates")
        self.means = {name: keras.metrics.Mean(name) for name in self.metric_names}

    @classmethod
    def build(cls, space: Space, config: Config) -> "Searcher":
        """Build the searcher for `space` with the options that it registered."""
        return cls(space)

    @abc.abstractmethod
    def propose(self, num: int, seed: tf.Tensor) -> tf.Tensor:
        """Return `num` proposals, int32 [num, num_tokens].

        They are a pure function of what was learned and of `seed` (int32 [2]).
        """

    @abc.abstractmethod
    def update(self, tokens: tf.Tensor, rewards: tf.Tensor) -> dict[str, tf.Tensor]:
        """Learn from `rewards` (float32 [n]) of `tokens` (int32 [n, num_tokens]).

        A reward that is not a number moves nothing.

        Returns:
          scalars that say what happened, under `metric_names`.
        """

    @property
    def most_proposals(self) -> int | None:
        """How many proposals there are in all, at most; None for a searcher that always has another."""
        return None

    def sample(self, num: int, seed: tf.Tensor) -> tf.Tensor:
        """Return `num` proposals that shared weights are to be trained on, int32 [num, num_tokens]."""
        return self.propose(num, seed)

    def candidates(self, num: int, seed: tf.Tensor) -> tf.Tensor:
        """Return `num` proposals for derive to rank at the end of a search, int32 [num, num_tokens]."""
        return self.propose(num, seed)

    def uniform(self) -> "Searcher":
        """Return the random searcher that proposes from the same architectures."""
        return SEARCHERS["random"].build(self.space, Config({}))

    def carried_to(self, space: Space) -> "Searcher":
        """Return a searcher for another stage of the space, which goes on with what this one has learned."""
        raise NotImplementedError

    def renew(self) -> None:
        """Forget rewards: those of an earlier epoch do not hold for later ones. A second call at once does nothing."""

    @property
    @abc.abstractmethod
    def metric_names(self) -> list[str]:
        """Names of what `update` returns."""

    @property
    def tracked(self) -> dict[str, object]:
        """What a checkpoint holds of the searcher: also the means and the updates of the epoch that is under way."""
        return {"searcher_means": [*self.means.values(), self.num_updates]}

    @property
    def carried(self) -> dict[str, object]:
        """What of `tracked` another search by such a searcher can begin with (`start_from`)."""
        return {}

    @property
    def in_words(self) -> str:
        """What the searcher is, for the first block of a search; empty where its name says all."""
        return ""

    @property
    def metric_descriptions(self) -> dict[str, str]:
        """Name of what `update` returns -> what it means, for TensorBoard; any may be left out."""
        return {
            "reward": "Mean reward of the proposals of this epoch; those that are not numbers are left out.",
            "nonfinite_rewards": "Mean number of rewards of an update that were not numbers, and were left out.",
            "skip_rate": "Share of the skip connections that are set in the proposals.",
        }

    def outlook(self, seed: tf.Tensor) -> Outlook | None:
        """Return what the policy would propose; None without a policy. It decides nothing."""
        return None

    def find_problem(self, metrics: dict[str, float]) -> str | None:
        """Say what is wrong with the searcher after an epoch with these metrics; None while all is well."""
        return None

    @staticmethod
    def reward_metrics(rewards: tf.Tensor) -> dict[str, tf.Tensor]:
        """Return the mean of the rewards that are numbers, and how many are none."""
        is_finite = tf.cast(tf.math.is_finite(rewards), tf.float32)
        num = tf.reduce_sum(is_finite)
        mean = tf.reduce_sum(is_finite * finite_or_zero(rewards)) / num
        return {"reward": mean, "nonfinite_rewards": tf.cast(tf.size(rewards), tf.float32) - num}

    @property
    def _has_skips(self) -> bool:
        return bool(self._skip_columns.size)

    def skip_metrics(self, tokens: tf.Tensor) -> dict[str, tf.Tensor]:
        """Return the share of skip bits that are 1; nothing for a space without skips."""
        if not self._has_skips:
            return {}
        return {"skip_rate": tf.reduce_mean(tf.cast(tf.gather(tokens, self._skip_columns, axis=1), tf.float32))}


def finite_or_zero(rewards: tf.Tensor) -> tf.Tensor:
    """Return the rewards with zeros for NaN and infinities, whose product with a mask would not be zero."""
    return tf.where(tf.math.is_finite(rewards), rewards, 0.0)


#: Searchers by name.
SEARCHERS: Registry[type[Searcher]] = Registry("searcher")
