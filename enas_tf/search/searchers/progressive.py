"""PNAS: cells grow block by block, and a predictor chooses which of the larger ones are trained (Liu et al. 2018)."""

import dataclasses
import math
import zlib

import numpy as np
import tensorflow as tf

from enas_tf.errors import InputError, ref
from enas_tf.options import Config, Group, option, require
from enas_tf.search.cell_predictors import PREDICTORS, CellPredictor
from enas_tf.search.cells import BLOCK_TOKENS, CELL_INPUTS, all_blocks, expand, num_blocks, pad
from enas_tf.search.searchers.history import History, generator, key
from enas_tf.search.searchers.searcher import SEARCHERS, Searcher
from enas_tf.spaces.space import Space


@dataclasses.dataclass(frozen=True)
class ProgressiveConfig:
    """How cells grow, and how their rewards are predicted."""

    beam: int = option(256, "cells of each level but the first; the best so many grow (PNAS: 256)", most=100_000)
    predictor: str = option("mlp", "what predicts the rewards of cells (PNAS: both)", choices=PREDICTORS)
    predictor_members: int = option(
        5, "predictors whose mean counts; each is fitted to four fifths of the cells (PNAS: 5)", most=1_000
    )
    predictor_epochs: int = option(50, "passes over the cells in a fit, one fit for each level", most=1_000_000)
    predictor_learning_rate: float = option(
        1e-3, "step size of the first fit's Adam; later fits have a fifth of it (PNAS: 0.01)"
    )

    def __post_init__(self):
        for name in ("beam", "predictor_members", "predictor_epochs"):
            require(getattr(self, name) >= 1, name, getattr(self, name), "at least 1")
        rate = self.predictor_learning_rate
        require(rate > 0, "predictor_learning_rate", rate, "above 0")


PROGRESSIVE = Group(ProgressiveConfig(), stages=("search",))


@dataclasses.dataclass
class _Level:
    """The cells of one size that are to be judged.

    Attributes:
      cells: int32 [n, 4 blocks], the most promising first.
      predicted: float32 [n]; None in the first level.
    """

    cells: np.ndarray
    predicted: np.ndarray | None = None


@SEARCHERS.register(
    "progressive",
    [PROGRESSIVE],
    defaults={"trials": 10_000_000},
    help="cells that grow block by block, as PNASNet was found; the search ends with its last level",
)
class ProgressiveSearcher(Searcher):
    """Proposes all cells of one block, and then, level by level, the most promising ones of one block more.

    The best cells of a level grow by every block. A predictor, which is fitted to all that was judged so far, says
    which of the results are proposed. Proposals have the tokens of their blocks alone. Of cells that build the same
    network one is proposed. A cell without a reward does not grow, unless no cell of its level has one.

    Departures: the predictor is fitted to the cells of all levels, where the paper goes on with those of the newest
    one. And its rewards are scaled (`cell_predictors.Scale`).

    What a checkpoint holds is what was judged. Levels and predictors follow from it: the random numbers of a fit follow
    from the order of the first level, which follows from the seed of the run.
    """

    proposes_levels = True

    def __init__(self, space: Space, config: ProgressiveConfig | None = None):
        if not hasattr(space, "prefix"):
            raise InputError(
                f"{ref('searcher')}=progressive grows cells block by block, and those of the {space.name} space do not "
                f"grow: expected a space such as pnas, or {ref('searcher')}=evolution, say."
            )
        super().__init__(space)
        self.config = config or ProgressiveConfig()
        self.history = History(space.num_tokens)
        self._num_levels = space.num_tokens // BLOCK_TOKENS
        self._num_ops = int(space.token_ranges[BLOCK_TOKENS - 1])
        self._level = _Level(self._first_level())
        self._predictor: CellPredictor | None = None

    @classmethod
    def build(cls, space, config: Config):
        return cls(space, config[PROGRESSIVE])

    @property
    def level_sizes(self) -> list[int]:
        """How many cells each level has, at most."""
        sizes = [len(self._first_level())]
        for num_nodes in range(CELL_INPUTS + 1, CELL_INPUTS + self._num_levels):
            grown = min(self.config.beam, sizes[-1]) * len(all_blocks(num_nodes, self._num_ops))
            sizes.append(min(self.config.beam, grown))
        return sizes

    @property
    def most_proposals(self):
        return sum(self.level_sizes)

    def propose(self, num, seed):
        self._grow()
        cells = self._level.cells
        if self._level.predicted is None:
            cells = generator(seed).permutation(cells)
        return tf.constant(cells[~self._are_judged(cells)][: int(num)], tf.int32)

    def update(self, tokens, rewards):
        self._grow()
        rows = tokens.numpy()
        self.history.add(pad(rows, self.space.num_tokens), rewards.numpy())
        best = float(self.history.rewards.max())
        said = {
            **self.reward_metrics(rewards),
            "best_reward": tf.constant(best if math.isfinite(best) else math.nan, tf.float32),
            "blocks": tf.constant(rows.shape[1] / BLOCK_TOKENS, tf.float32),
        }
        correlation = self._rank_correlation()
        return said if correlation is None else said | {"rank_correlation": tf.constant(correlation, tf.float32)}

    def _first_level(self) -> np.ndarray:
        return all_blocks(CELL_INPUTS, self._num_ops)

    def _are_judged(self, cells: np.ndarray) -> np.ndarray:
        """Return which of the cells have an outcome, bool [n]."""
        return np.array([row in self.history for row in pad(cells, self.space.num_tokens)], bool)

    def _grow(self) -> None:
        """Go on to the next level while all cells of the present one are judged, unless it is the last."""
        while self._level.cells.shape[1] < self.space.num_tokens and self._are_judged(self._level.cells).all():
            self._fit()
            cells = expand(self._parents(), self._num_ops)
            assert self._predictor is not None
            predicted = self._predictor.predict(cells)
            best = np.argsort(-predicted, kind="stable")[: self.config.beam]
            self._level = _Level(cells[best], predicted[best])

    def _known(self, fewest: int) -> tuple[np.ndarray, np.ndarray]:
        """Return what was judged, from `fewest` blocks up to those of the present level: padded rows and rewards."""
        sizes, most = num_blocks(self.history.tokens), self._level.cells.shape[1] // BLOCK_TOKENS
        chosen = (fewest <= sizes) & (sizes <= most)
        return self.history.tokens[chosen], self.history.rewards[chosen]

    def _fit(self) -> None:
        """Fit the predictor to the cells up to the present level that have a reward."""
        config, (rows, rewards) = self.config, self._known(1)
        if self._predictor is None:
            build, seed = PREDICTORS[config.predictor], zlib.crc32(rows.tobytes())
            sizes = self._num_levels, self._num_ops, config.predictor_members
            self._predictor = build(*sizes, config.predictor_learning_rate, seed)
        is_number = np.isfinite(rewards)
        if is_number.any():
            self._predictor.fit(rows[is_number], rewards[is_number], config.predictor_epochs)

    def _parents(self) -> np.ndarray:
        """Return the best cells of the present level, int32 [n, 4 blocks]."""
        num_tokens = self._level.cells.shape[1]
        rows, rewards = self._known(num_tokens // BLOCK_TOKENS)
        best = np.argsort(-rewards, kind="stable")[: self.config.beam]
        if np.isfinite(rewards).any():
            best = best[np.isfinite(rewards[best])]
        return rows[best, :num_tokens]

    def _rank_correlation(self) -> float | None:
        """Return how well the present level was predicted, once all of it is judged; None where that is not known."""
        # Imported here, since it takes scikit-learn a second.
        from enas_tf.search.prediction import rank_correlation

        level = self._level
        if level.predicted is None or not self._are_judged(level.cells).all():
            return None
        rows, rewards = self._known(level.cells.shape[1] // BLOCK_TOKENS)
        found = dict(zip(map(key, rows), rewards.tolist(), strict=True))
        truths = np.array([found[key(row)] for row in pad(level.cells, self.space.num_tokens)])
        is_number = np.isfinite(truths)
        return rank_correlation(level.predicted[is_number].tolist(), truths[is_number].tolist())

    @property
    def metric_names(self):
        return ["reward", "nonfinite_rewards", "best_reward", "blocks", "rank_correlation"]

    @property
    def metric_descriptions(self):
        return super().metric_descriptions | {
            "best_reward": "Best reward so far.",
            "blocks": "Blocks of the cell.",
            "rank_correlation": "Spearman's correlation of the rewards of a level with what the predictor said before "
            "it was fitted to them.",
        }

    @property
    def tracked(self):
        return super().tracked | {"history": self.history}

    @property
    def in_words(self):
        sizes = ", ".join(map(str, self.level_sizes))
        return f"levels of {sizes} cells, {self.config.predictor} of {self.config.predictor_members} members"
