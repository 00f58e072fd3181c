"""What every network for images is told: its width, and the images it is for."""

import dataclasses

from enas_tf.errors import InputError
from enas_tf.options import option, require


@dataclasses.dataclass(frozen=True)
class NetworkConfig:
    """Width and dropout of the searched network; the reference's search values (scripts/cifar10_macro_search.sh)."""

    channels: int = option(36, "channels of every layer of the searched network")
    dropout: float = option(0.1, "share of features dropped before the classifier while shared weights are trained")

    def __post_init__(self):
        require(self.channels >= 1, "channels", self.channels, "at least 1")
        require(0 <= self.dropout < 1, "dropout", self.dropout, "a share in [0, 1)")


@dataclasses.dataclass(frozen=True)
class ChildConfig:
    """Width and dropout of a retrained child; the reference's values (scripts/cifar10_macro_final.sh).

    Departure: the reference's child always doubles its channels at a reduction, its search network never does. Here
    both keep them, so that what is searched is what is retrained, unless `channel_growth` is 2.
    """

    channels: int = option(96, "channels of the child before the first reduction")
    channel_growth: int = option(1, "factor of the child's channels at each reduction (2 in the reference's script)")
    dropout: float = option(0.5, "share of features dropped before the classifier")

    def __post_init__(self):
        require(self.channels >= 1, "channels", self.channels, "at least 1")
        require(self.channel_growth >= 1, "channel_growth", self.channel_growth, "at least 1")
        require(0 <= self.dropout < 1, "dropout", self.dropout, "a share in [0, 1)")


@dataclasses.dataclass(frozen=True)
class ImageConfig:
    """Shape of the images, mean and variance per channel (in 0..255 units), and number of classes."""

    height: int
    width: int
    channels: int
    num_classes: int
    mean: tuple[float, ...]
    variance: tuple[float, ...]


def check_halvings(image: ImageConfig, channels: int, num_halvings: int) -> None:
    """Raises `InputError` unless height and width can be halved `num_halvings` times, with an even width."""
    require(channels % 2 == 0, "channels", channels, "an even number: a factorized reduction joins two halves of it")
    factor = 2**num_halvings
    if image.height % factor or image.width % factor:
        side = max(factor, round(image.height / factor) * factor)
        raise InputError(
            f"images of {image.height}x{image.width} pixels do not fit a network with {num_halvings} reductions: "
            f"expected height and width that {factor} divides. --image_size={side} resizes them."
        )
