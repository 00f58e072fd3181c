"""The searcher that was best on tables of trained networks, for the number of trials that a run has."""

from enas_tf.options import Config
from enas_tf.search.config import SEARCH
from enas_tf.search.searchers.searcher import SEARCHERS, Searcher
from enas_tf.spaces.space import Space

#: Trials up to which predictions are worth their time: one takes 0.05 s at 500 trials, and more of them do not help.
_MOST_PREDICTED = 5_000


@SEARCHERS.register("auto", help=f"surrogate for up to {_MOST_PREDICTED:,} trials, evolution for more")
class AutoSearcher(Searcher):
    """Stands for the searcher that `best_for` names, with its default options."""

    @classmethod
    def build(cls, space: Space, config: Config) -> Searcher:
        """Build the searcher that suits the length of the search."""
        chosen = SEARCHERS.entry(best_for(config[SEARCH].num_proposals))
        return chosen.component.build(space, Config({SEARCH: config[SEARCH]}))


def best_for(num_trials: int) -> str:
    """Return the name of the searcher that is best for `num_trials` (`benchmarks/README.md`, "Searchers")."""
    return "surrogate" if num_trials <= _MOST_PREDICTED else "evolution"
