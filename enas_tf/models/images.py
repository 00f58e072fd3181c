"""The options that all networks for images share, and the properties of the images (`ImageConfig`)."""

import dataclasses

from enas_tf.errors import InputError, ref
from enas_tf.options import option, require


@dataclasses.dataclass(frozen=True)
class ImageNetworkConfig:
    """Width and dropout of a searched network; the values of scripts/cifar10_macro_search.sh of the reference."""

    channels: int = option(
        36,
        "channels of every layer of the searched network; cells double them at each reduction",
        most=100_000,
    )
    dropout: float = option(0.1, "share of features dropped before the classifier while shared weights are trained")

    def __post_init__(self):
        _check(self.channels, self.dropout)


@dataclasses.dataclass(frozen=True)
class ImageChildConfig:
    """Width and dropout of a child that is trained from scratch; the values of scripts/cifar10_macro_final.sh."""

    channels: int = option(96, "channels of the child before the first reduction (the F of N @ F)", most=100_000)
    dropout: float = option(0.5, "share of features dropped before the classifier")

    def __post_init__(self):
        _check(self.channels, self.dropout)


def _check(channels: int, dropout: float) -> None:
    require(channels >= 1, "channels", channels, "at least 1")
    require(0 <= dropout < 1, "dropout", dropout, "a share in [0, 1)")


@dataclasses.dataclass(frozen=True)
class ImageConfig:
    """Shape of the images, mean and variance of each channel (in units of 0..255), and number of classes."""

    height: int
    width: int
    channels: int
    num_classes: int
    mean: tuple[float, ...]
    variance: tuple[float, ...]


def check_halvings(image: ImageConfig, channels: int, num_halvings: int) -> None:
    """Check that a network of `channels` channels can halve the images `num_halvings` times.

    Raises:
      InputError: a height or a width is odd on the way, or the number of channels is odd.
    """
    require(channels % 2 == 0, "channels", channels, "an even number: a factorized reduction joins two halves of it")
    factor = 2**num_halvings
    if image.height % factor or image.width % factor:
        side = max(factor, round(image.height / factor) * factor)
        raise InputError(
            f"images of {image.height}x{image.width} pixels do not fit a network with {num_halvings} reductions: "
            f"expected height and width that {factor} divides. {ref('image_size')}={side} resizes them."
        )
