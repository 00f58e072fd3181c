"""The options of macro networks."""

import dataclasses

from enas_tf.models.images import ImageChildConfig, ImageNetworkConfig
from enas_tf.options import Group, option, require


@dataclasses.dataclass(frozen=True)
class MacroNetworkConfig(ImageNetworkConfig):
    """Size of the searched macro network."""


@dataclasses.dataclass(frozen=True)
class MacroChildConfig(ImageChildConfig):
    """Size of a macro child.

    Departure: the reference's macro child always doubles its channels at a reduction, its search network never does.
    Here both keep them unless `channel_growth` is 2: the network that is retrained is the one that was searched.
    """

    channel_growth: int = option(
        1,
        "factor of a macro child's channels at each reduction (2 in the reference's script)",
        most=100,
    )

    def __post_init__(self):
        super().__post_init__()
        require(self.channel_growth >= 1, "channel_growth", self.channel_growth, "at least 1")


MACRO_NETWORK = Group(MacroNetworkConfig(), stages=("search",))
MACRO_CHILD = Group(MacroChildConfig(), prefix="retrain_", stages=("retrain",))
