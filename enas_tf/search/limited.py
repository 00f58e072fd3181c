"""A searcher whose proposals keep limits."""

from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from enas_tf.search.objective import COSTS, Objective, no_room
from enas_tf.search.searchers.random import RandomSearcher
from enas_tf.search.searchers.searcher import Searcher
from enas_tf.spaces.space import Space

#: How often proposals are drawn anew in place of refused ones, before random architectures stand in.
_ROUNDS = 20
#: Random architectures among which the first that keep the limits are kept as those that stand in.
_TRIED, _KEPT = 2_000, 100
#: Of the random ones, after how many the share of those that keep the limits is told.
_SHARE_OF = 200


class Limits:
    """Says which proposals keep the limits of an objective, and counts those that do not.

    Attributes:
      num_judged: how many proposals were looked at so far.
      num_refused: how many of them were refused.
      share: of random architectures, how many keep the limits.
    """

    def __init__(self, objective: Objective, space: Space, seed: int):
        self.objective, self.num_judged, self.num_refused = objective, 0, 0
        self._known: dict[bytes, str | None] = {}
        self._seed, self.share = seed, 1.0
        self._spares: dict[Space, np.ndarray] = {}
        if objective.refuses:
            self.share = self._find_spares(space)

    def count(self, is_refused: Sequence[bool]) -> None:
        """Count proposals that were looked at."""
        self.num_judged += len(is_refused)
        self.num_refused += sum(is_refused)

    def refusal(self, space: Space, tokens: Sequence[int]) -> str | None:
        """Say why a proposal is not to be trained; None where it is."""
        return self.excess(space, np.array(tokens, np.int32)) if self.objective.refuses else None

    def shaped(self, space: Space, tokens: Sequence[int], reward: float) -> float:
        """Return what a searcher learns from, of a proposal with this reward."""
        objective = self.objective
        return objective.shaped(reward, objective.measure(space.decode(tokens))) if objective.shapes_rewards else reward

    def excess(self, space: Space, tokens: np.ndarray) -> str | None:
        """Say which limit the proposal exceeds; None if it keeps all."""
        key = np.asarray(tokens, np.int32).tobytes()
        if key not in self._known:
            self._known[key] = self.objective.excess(space.decode(tokens))
        return self._known[key]

    def random(self, space: Space, num: int, rng: np.random.Generator) -> np.ndarray:
        """Return `num` random architectures that keep the limits, int32 [num, num_tokens]."""
        rows = list(space.random_tokens(num, rng))
        if not self.objective.refuses:
            return np.array(rows, np.int32)
        for place, row in enumerate(rows):
            for _ in range(_TRIED):
                if self.excess(space, row) is None:
                    break
                row = space.random_tokens(1, rng)[0]
            else:
                row = self.spares(space)[0]
            rows[place] = row
        return np.array(rows, np.int32)

    def spares(self, space: Space) -> np.ndarray:
        """Return random architectures that keep the limits, int32 [n, num_tokens], n is at least 1."""
        if space not in self._spares:
            self._find_spares(space)
        return self._spares[space]

    def _find_spares(self, space: Space) -> float:
        """Find them; return the share of random architectures that keep the limits."""
        rng, share = np.random.default_rng([self._seed, 31]), 0.0
        found: list[np.ndarray] = []
        smallest: dict[str, float] = {}
        for number in range(1, _TRIED + 1):
            tokens = space.random_tokens(1, rng)[0]
            if self.excess(space, tokens) is None:
                found.append(tokens)
            elif not found:
                costs = self.objective.measure(space.decode(tokens))
                smallest = {name: min(value, smallest.get(name, value)) for name, value in costs.items()}
            if number == _SHARE_OF:
                share = len(found) / number
            if number >= _SHARE_OF and len(found) >= _KEPT:
                break
        if not found:
            limits = self.objective.config.limits
            raise no_room(self.objective, ", ".join(COSTS[name].format(smallest[name]) for name in limits))
        self._spares[space] = np.array(found, np.int32)
        return share or len(found) / _TRIED


class LimitedSearcher(Searcher):
    """Hands on the proposals of another searcher that keep the limits. Others are drawn again.

    A policy learns from proposals that were kept alone, and so ranks within the limits. Where `_ROUNDS` draws are
    not enough, random architectures within the limits stand in. A searcher that proposes levels is not asked twice: its
    proposals are handed on as they are, and those beyond a limit fail as trials.

    With `limit_penalty` nothing is refused. The rewards of what exceeds a limit are lowered before the searcher learns
    from them, and those of all proposals are what `reward_function` makes of them.

    Args:
      inner: who proposes.
      limits: what is refused.
      shapes: whether the rewards of `update` are those of the evaluator; a search by trials has shaped them before.
    """

    def __init__(self, inner: Searcher, limits: Limits, shapes: bool = True):
        # Not the base's: what an epoch counts is the inner searcher's.
        tf.Module.__init__(self, name="limited")
        self.inner, self.limits, self.space = inner, limits, inner.space
        self._shapes = shapes and limits.objective.shapes_rewards
        self.learns_from_batches, self.can_grow = inner.learns_from_batches, inner.can_grow
        self.proposes_levels, self.never_repeats = inner.proposes_levels, inner.never_repeats
        self.num_updates = inner.num_updates
        self._refused = keras.metrics.Mean("refused_share")
        self.means = {**inner.means, "refused_share": self._refused}

    def propose(self, num, seed):
        return self.inner.propose(num, seed) if self.proposes_levels else self._within(self.inner.propose, num, seed)

    def sample(self, num, seed):
        return self._within(self.inner.sample, num, seed)

    def candidates(self, num, seed):
        return self._within(self.inner.candidates, num, seed)

    def _within(self, draw, num, seed):
        """Return the first `num` proposals of one draw after the other that keep the limits, int32 [num, num_tokens].

        Of a searcher that never repeats itself, what was kept already is passed over in later draws: the best that it
        remembers is in each of them.
        """
        first = draw(num, seed)
        if not self.limits.objective.refuses:
            return first
        kept: list[np.ndarray] = []
        for attempt in range(_ROUNDS + 1):
            rows = draw(num, tf.random.experimental.stateless_fold_in(seed, attempt)) if attempt else first
            known = {row.tobytes() for row in kept} if self.inner.never_repeats else set()
            self._take([row for row in rows.numpy() if row.tobytes() not in known], kept, int(num))
            if len(kept) == int(num):
                break
        rng = np.random.default_rng(np.asarray(seed).astype(np.uint32))
        kept += list(self.limits.random(self.space, int(num) - len(kept), rng)) if len(kept) < int(num) else []
        return tf.constant(np.array(kept, np.int32).reshape(-1, self.space.num_tokens))

    def _take(self, rows: list[np.ndarray], kept: list[np.ndarray], num: int) -> None:
        """Add those of `rows` that keep the limits to `kept`, until it has `num`; count the others."""
        is_refused = []
        for row in rows:
            if len(kept) == num:
                break
            is_refused.append(self.limits.excess(self.space, row) is not None)
            if not is_refused[-1]:
                kept.append(row)
        if is_refused:
            self.limits.count(is_refused)
            self._refused.update_state(np.array(is_refused, np.float32))

    def update(self, tokens, rewards):
        if self._shapes:
            pairs = zip(tokens.numpy(), rewards.numpy().tolist(), strict=True)
            shaped = [self.limits.shaped(self.space, row, reward) for row, reward in pairs]
            rewards = tf.constant(shaped, rewards.dtype)
        return self.inner.update(tokens, rewards)

    def uniform(self):
        return LimitedSearcher(RandomSearcher(self.space), self.limits)

    def carried_to(self, space):
        return LimitedSearcher(self.inner.carried_to(space), self.limits, self._shapes)

    def renew(self):
        self.inner.renew()

    def outlook(self, seed):
        return self.inner.outlook(seed)

    def find_problem(self, metrics):
        return self.inner.find_problem(metrics)

    @property
    def most_proposals(self):
        return self.inner.most_proposals

    @property
    def metric_names(self):
        return [*self.inner.metric_names, "refused_share"]

    @property
    def metric_descriptions(self):
        share = "Share of the proposals that exceeded a limit and were drawn again."
        return self.inner.metric_descriptions | {"refused_share": share}

    @property
    def tracked(self):
        return self.inner.tracked | {"refused": self._refused}

    @property
    def carried(self):
        return self.inner.carried

    @property
    def in_words(self):
        return self.inner.in_words
