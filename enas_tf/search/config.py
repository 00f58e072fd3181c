"""How long a search is: epochs, updates of the searcher, proposals of an update; and how many finalists follow it."""

import dataclasses

from enas_tf.options import Group, option, require


@dataclasses.dataclass(frozen=True)
class SearchConfig:
    """Length of a search; the reference's macro values (scripts/cifar10_macro_search.sh)."""

    epochs: int = option(310, "epochs of search; each trains shared weights, then the searcher", most=1_000_000)
    updates_per_epoch: int = option(50, "updates of the searcher in an epoch", most=1_000_000)
    samples_per_update: int = option(20, "proposals whose rewards make up one update of the searcher", most=1_000_000)
    warm_up: float = option(
        0.0,
        "share of the epochs, from the first one on, in which shared weights are trained on uniform proposals and the "
        "searcher rests (the paper: none)",
    )

    start_from: str | None = option(
        None,
        "directory of another search of the same networks, whose shared weights and policy this one begins with; the "
        "classes and the shape of its data are the same",
    )

    @property
    def num_warm_up(self) -> int:
        """Number of epochs in which the searcher rests."""
        return int(self.warm_up * self.epochs)

    @property
    def num_updates(self) -> int:
        """Number of updates of the searcher in the whole search."""
        return (self.epochs - self.num_warm_up) * self.updates_per_epoch

    @property
    def num_proposals(self) -> int:
        """Number of proposals that are rewarded in the whole search."""
        return self.num_updates * self.samples_per_update

    def __post_init__(self):
        require(self.epochs >= 1, "epochs", self.epochs, "at least 1")
        require(self.updates_per_epoch >= 0, "updates_per_epoch", self.updates_per_epoch, "0 or more")
        require(self.samples_per_update >= 1, "samples_per_update", self.samples_per_update, "at least 1")
        require(0 <= self.warm_up < 1, "warm_up", self.warm_up, "a share in [0, 1)")


SEARCH = Group(SearchConfig(), stages=("search",))


@dataclasses.dataclass(frozen=True)
class FinalistsConfig:
    """How many candidates are trained before one is kept (the paper: none)."""

    finalists: int = option(
        12,
        "candidates of derive that are trained from scratch for a sixteenth of retrain_epochs, the best third of them "
        "for a quarter; the best is kept. 0 = shared weights alone decide, as in the paper",
        most=100_000,
    )

    random_finalists: int = option(
        2,
        "uniform random architectures that are trained beside the finalists: they say whether shared weights have "
        "found better ones, and win where not",
        most=100_000,
    )

    def __post_init__(self):
        require(self.finalists >= 0, "finalists", self.finalists, "0 or more")
        require(self.random_finalists >= 0, "random_finalists", self.random_finalists, "0 or more")


#: No stage of its own, as derive has none.
FINALISTS = Group(FinalistsConfig(), stages=())
