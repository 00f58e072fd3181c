"""What every network for images is told: its width, and the images it is for."""

import dataclasses

from enas_tf.errors import InputError
from enas_tf.options import option, require

#: Stems of networks of cells: their 3x3 convolutions as (multiple of the network's channels, stride). The first is the
#: reference's (micro_child.py); it has none for large images: the second brings 224 pixels to 28, as NASNet's does.
STEMS = {"cifar": ((3, 1),), "imagenet": ((1, 2), (2, 2), (3, 2))}
_CELLS_HELP = "networks of cells: normal cells before, between and behind the two reduction cells (the N of N @ F)"
_STEM_HELP = (
    "networks of cells: what stands before the first cell. cifar = one convolution, for images of about 32 pixels; "
    "imagenet = three that each halve the image, for about 224"
)


@dataclasses.dataclass(frozen=True)
class NetworkConfig:
    """Size and dropout of the searched network; the reference's search values (scripts/cifar10_macro_search.sh).

    `cells_per_stage` and `stem` are read for the micro space only (scripts/cifar10_micro_search.sh: 6 + 2 cells).
    """

    channels: int = option(36, "channels of every layer of the searched network; cells double them at each reduction")
    dropout: float = option(0.1, "share of features dropped before the classifier while shared weights are trained")
    cells_per_stage: int = option(2, _CELLS_HELP)
    stem: str = option("cifar", _STEM_HELP, choices=tuple(STEMS))

    def __post_init__(self):
        require(self.channels >= 1, "channels", self.channels, "at least 1")
        require(0 <= self.dropout < 1, "dropout", self.dropout, "a share in [0, 1)")
        require(self.cells_per_stage >= 1, "cells_per_stage", self.cells_per_stage, "at least 1")
        require(self.stem in STEMS, "stem", self.stem, f"one of {', '.join(STEMS)}")

    def as_child(self) -> "ChildConfig":
        """A child of the searched network's size."""
        return ChildConfig(channels=self.channels, cells_per_stage=self.cells_per_stage, stem=self.stem)


@dataclasses.dataclass(frozen=True)
class ChildConfig:
    """Size and regularisation of a retrained child; the reference's macro values (scripts/cifar10_macro_final.sh).

    Departure: the reference's macro child always doubles its channels at a reduction, its search network never does.
    Here both keep them, so that what is searched is what is retrained, unless `channel_growth` is 2. Networks of cells
    double them in search and child, here and there; what is for them only has scripts/cifar10_micro_final.sh's values
    in `launch/defaults.py`.
    """

    channels: int = option(96, "channels of the child before the first reduction (the F of N @ F)")
    channel_growth: int = option(
        1,
        "factor of a macro child's channels at each reduction (2 in the reference's script); cells always double them",
    )
    dropout: float = option(0.5, "share of features dropped before the classifier")
    cells_per_stage: int = option(5, _CELLS_HELP)
    stem: str = option("cifar", _STEM_HELP, choices=tuple(STEMS))
    drop_path_keep: float = option(
        1.0,
        "networks of cells: probability of keeping an operation's result in the last cell at the end of the training; "
        "1 in the first and at the beginning (0.6 in the paper)",
    )
    auxiliary_weight: float = option(
        0.0, "networks of cells: weight of an auxiliary classifier's loss in training; 0 = without one (paper: 0.4)"
    )

    def __post_init__(self):
        require(self.channels >= 1, "channels", self.channels, "at least 1")
        require(self.channel_growth >= 1, "channel_growth", self.channel_growth, "at least 1")
        require(0 <= self.dropout < 1, "dropout", self.dropout, "a share in [0, 1)")
        require(self.cells_per_stage >= 1, "cells_per_stage", self.cells_per_stage, "at least 1")
        require(self.stem in STEMS, "stem", self.stem, f"one of {', '.join(STEMS)}")
        require(0 < self.drop_path_keep <= 1, "drop_path_keep", self.drop_path_keep, "a probability above 0, up to 1")
        require(self.auxiliary_weight >= 0, "auxiliary_weight", self.auxiliary_weight, "0 or more")


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
