"""The options of NAS networks for images."""

import dataclasses

from enas_tf.options import Group, option, require


@dataclasses.dataclass(frozen=True)
class NasConvConfig:
    """What the size of a NAS network depends on beside its architecture, which has the numbers of filters."""

    dropout: float = option(0.0, "share of features dropped before the classifier of a NAS network")
    more_filters: int = option(
        0, "filters that every layer has beside those of the architecture (40 in the paper's largest)", most=100_000
    )

    def __post_init__(self):
        require(0 <= self.dropout < 1, "dropout", self.dropout, "a share in [0, 1)")
        require(self.more_filters >= 0, "more_filters", self.more_filters, "0 or more")


NAS_CONV_NETWORK = Group(NasConvConfig(), stages=("search",))
NAS_CONV_CHILD = Group(NasConvConfig(), prefix="retrain_", stages=("retrain",))
