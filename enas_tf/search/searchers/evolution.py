"""Regularised evolution: the oldest of a population make way for mutations of the best of a few (Real et al. 2019)."""

import dataclasses

import numpy as np

from enas_tf.options import Config, Group, option, require
from enas_tf.search.searchers.history import HistorySearcher
from enas_tf.search.searchers.searcher import SEARCHERS
from enas_tf.spaces.space import Space


@dataclasses.dataclass(frozen=True)
class EvolutionConfig:
    """Sizes of the evolution. The paper has 100 and 25, for 20,000 trials; the defaults are for hundreds."""

    population: int = option(25, "how many of the newest trials can be parents (AmoebaNet: 100)", most=1_000_000)
    tournament: int = option(10, "draws from the population, the best of which is mutated (AmoebaNet: 25)", most=10_000)

    def __post_init__(self):
        require(self.population >= 1, "population", self.population, "at least 1")
        require(self.tournament >= 1, "tournament", self.tournament, "at least 1")


EVOLUTION = Group(EvolutionConfig(), stages=("search",))


@SEARCHERS.register("evolution", [EVOLUTION], help="regularised evolution, as AmoebaNet was found")
class EvolutionSearcher(HistorySearcher):
    """Mutates one decision of the best of some draws from the population (Real et al. 2019, algorithm 1).

    The first `population` proposals are uniform. A child that was judged before is drawn anew.
    """

    def __init__(self, space: Space, config: EvolutionConfig | None = None):
        super().__init__(space)
        self.config = config or EvolutionConfig()
        self.num_kept = self.config.population

    @classmethod
    def build(cls, space, config: Config):
        return cls(space, config[EVOLUTION])

    def propose_one(self, rng, taken):
        history, size = self.history, self.config.population
        if len(history) + len(taken) < size or not len(history):
            return self.random_one(rng, taken)
        first = max(0, len(history) - size)

        def draw() -> np.ndarray:
            drawn = rng.integers(first, len(history), self.config.tournament)
            parent = history.tokens[drawn[np.argmax(history.rewards[drawn])]]
            return self.space.mutate(parent[None], rng)[0]

        found = self.new_one(draw, taken)
        return self.random_one(rng, taken) if found is None else found

    @property
    def in_words(self):
        return f"population of {self.config.population}, tournaments of {self.config.tournament}"
