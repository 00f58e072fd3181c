"""The options of networks of NASNet's family, and the order of their cells.

Source of the skeleton: research/slim/nets/nasnet/{nasnet,pnasnet}.py of tensorflow/models.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

from enas_tf.errors import InputError
from enas_tf.models.cell_config import NUM_REDUCTIONS, STEMS, CellChildConfig, CellNetworkConfig
from enas_tf.models.images import ImageConfig
from enas_tf.options import Group, option, require
from enas_tf.spaces.cells import CellArchitecture

#: Widths of the reduction cells in the stem for large images, as shares of the network's: F / 4, then F / 2.
STEM_SHARES = (4, 2)
#: Kernel of the stem's convolution.
STEM_KERNEL = 3
_STEM_HELP = (
    "in networks of NASNet's family: cifar = one convolution; imagenet = one with stride 2, and two reduction cells of "
    "F / 4 and F / 2 filters"
)
_STEM_CHANNELS_HELP = (
    "channels of the stem's convolution; 0 = 3 F with the stem cifar, 32 with imagenet (96 in the large networks)"
)
_SKIP_HELP = (
    "the earlier input of a cell behind a reduction is the earlier one of the reduction instead of its last (slim's "
    "large networks)"
)


@dataclasses.dataclass(frozen=True)
class NasnetNetworkConfig(CellNetworkConfig):
    """Size of the networks that are trained in a search, and their drop-path."""

    drop_path_keep: float = option(
        1.0, "probability of keeping an operation's result in the last cell at the end of the training of a trial"
    )
    stem: str = option("cifar", _STEM_HELP, choices=STEMS)
    stem_channels: int = option(0, _STEM_CHANNELS_HELP, most=100_000)
    skip_reduction_input: bool = option(False, _SKIP_HELP)

    def __post_init__(self):
        super().__post_init__()
        keep = self.drop_path_keep
        require(0 < keep <= 1, "drop_path_keep", keep, "a probability above 0, up to 1")
        require(self.stem_channels >= 0, "stem_channels", self.stem_channels, "0 or more")


@dataclasses.dataclass(frozen=True)
class NasnetChildConfig(CellChildConfig):
    """Size and regularisation of a child."""

    cells_per_stage: int = option(6, "cells of a stage (the N of N @ F)", most=1_000)
    stem: str = option("cifar", _STEM_HELP, choices=STEMS)
    stem_channels: int = option(0, _STEM_CHANNELS_HELP, most=100_000)
    skip_reduction_input: bool = option(False, _SKIP_HELP)

    def __post_init__(self):
        super().__post_init__()
        require(self.stem_channels >= 0, "stem_channels", self.stem_channels, "0 or more")


NASNET_NETWORK = Group(NasnetNetworkConfig(), stages=("search",))
NASNET_CHILD = Group(NasnetChildConfig(), prefix="retrain_", stages=("retrain",))


@dataclasses.dataclass(frozen=True)
class Place:
    """A cell in a network.

    Attributes:
      kind: which cell of the architecture stands there.
      channels: its filters.
      strides: 2 where it halves the image.
      last: the tensor that it reads as h_i: 0 is the stem's convolution, k the output of the k-th cell.
      before: that of h_i-1; None in the first cell, which reads the stem's convolution as it is.
    """

    kind: str
    channels: int
    strides: int
    last: int
    before: int | None


def place_cells(config: NasnetNetworkConfig | NasnetChildConfig, kinds: Sequence[str]) -> list[Place]:
    """Return the cells of a network in order.

    Where the architecture has one kind of cell, the cells with a stride are the first ones of their stages. Where it
    has two, reduction cells stand between stages of N normal ones.
    """
    is_one, places = len(kinds) == 1, list[Place]()
    outputs: list[Any] = [None, 0]

    def add(channels: int, strides: int, before: int | None) -> None:
        places.append(Place(kinds[-1 if strides == 2 else 0], channels, strides, outputs[-1], before))
        outputs.append(len(places))

    if config.stem == "imagenet":
        for share in STEM_SHARES:
            add(config.channels // share, 2, outputs[-2])
    channels, before = config.channels, outputs[-2]
    for number in range((NUM_REDUCTIONS + 1) * config.cells_per_stage):
        halves = number > 0 and number % config.cells_per_stage == 0
        channels *= 1 + halves
        if is_one:
            if config.skip_reduction_input or not halves or before is None:
                before = outputs[-2]
            add(channels, 1 + halves, before)
            continue
        before = outputs[-2]
        if halves:
            add(channels, 2, outputs[-2])
        add(channels, 1, before if config.skip_reduction_input else outputs[-2])
    return places


def live_cells(places: Sequence[Place], architecture: CellArchitecture) -> list[bool]:
    """Return of each cell whether the last one depends on it. A Keras model has no layers of the others."""
    live = [False] * (len(places) + 1)
    live[-1] = True
    for number in reversed(range(len(places))):
        place = places[number]
        if live[number + 1]:
            nodes = architecture.live_nodes(place.kind)
            live[place.last] |= 0 in nodes
            live[place.last if place.before is None else place.before] |= 1 in nodes
    return live[1:]


def early_cell(places: Sequence[Place]) -> int:
    """Return the number of the cell that the auxiliary classifier reads: the one before the last reduction."""
    return max(number for number, place in enumerate(places) if place.strides == 2) - 1


def stem_channels(config: NasnetNetworkConfig | NasnetChildConfig) -> int:
    """Return the channels of the stem's convolution."""
    return config.stem_channels or (3 * config.channels if config.stem == "cifar" else 32)


def check_size(image: ImageConfig, config: NasnetNetworkConfig | NasnetChildConfig) -> None:
    """Raise `InputError` for images that the stem cannot read, and for too few filters to split in two."""
    is_large = config.stem == "imagenet"
    least = 2 * (STEM_SHARES[0] if is_large else 1)
    require(config.channels >= least, "channels", config.channels, f"at least {least} with this stem")
    if is_large and min(image.height, image.width) < STEM_KERNEL:
        raise InputError(
            f"images of {image.height}x{image.width} pixels do not fit the stem imagenet: expected {STEM_KERNEL} or "
            "more."
        )
