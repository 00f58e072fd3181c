"""The options of networks of cells, and what follows from them: the order of the cells, the stem, the images that fit.

A network is a stem, then three stages of `cells_per_stage` normal cells with a reduction cell between each two, which
doubles the channels.
"""

import dataclasses

from enas_tf.models.images import ImageChildConfig, ImageConfig, ImageNetworkConfig, check_halvings
from enas_tf.options import Group, option, require

#: Stems: their 3x3 convolutions as (multiple of the network's channels, stride). The first is the reference's
#: (micro_child.py). It has none for large images: the second brings 224 pixels to 28, as NASNet's does.
STEMS = {"cifar": ((3, 1),), "imagenet": ((1, 2), (2, 2), (3, 2))}
#: Reduction cells of a network.
NUM_REDUCTIONS = 2
_CELLS_HELP = "normal cells before, between and after the two reduction cells (the N of N @ F)"
_STEM_HELP = (
    "what stands before the first cell: cifar = one convolution, for images of about 32 pixels; imagenet = three that "
    "each halve the image, for about 224"
)


@dataclasses.dataclass(frozen=True)
class CellNetworkConfig(ImageNetworkConfig):
    """Size of the searched network of cells: 6 + 2 cells, as in scripts/cifar10_micro_search.sh of the reference."""

    cells_per_stage: int = option(2, _CELLS_HELP, most=1_000)
    stem: str = option("cifar", _STEM_HELP, choices=STEMS)

    def __post_init__(self):
        super().__post_init__()
        _check(self.cells_per_stage, self.stem)


@dataclasses.dataclass(frozen=True)
class CellChildConfig(ImageChildConfig):
    """Size and regularisation of a child of cells; the paper's values of the latter are defaults of the space."""

    cells_per_stage: int = option(5, _CELLS_HELP, most=1_000)
    stem: str = option("cifar", _STEM_HELP, choices=STEMS)
    drop_path_keep: float = option(
        1.0,
        "probability of keeping an operation's result in the last cell at the end of the training; 1 in the first cell "
        "and at the beginning (0.6 in the paper)",
    )
    auxiliary_weight: float = option(
        0.0, "weight of an auxiliary classifier's loss in training; 0 = without one (0.4 in the paper)"
    )

    def __post_init__(self):
        super().__post_init__()
        _check(self.cells_per_stage, self.stem)
        require(0 < self.drop_path_keep <= 1, "drop_path_keep", self.drop_path_keep, "a probability above 0, up to 1")
        require(self.auxiliary_weight >= 0, "auxiliary_weight", self.auxiliary_weight, "0 or more")


def _check(cells_per_stage: int, stem: str) -> None:
    require(cells_per_stage >= 1, "cells_per_stage", cells_per_stage, "at least 1")
    require(stem in STEMS, "stem", stem, f"one of {', '.join(STEMS)}")


CELL_NETWORK = Group(CellNetworkConfig(), stages=("search",))
CELL_CHILD = Group(CellChildConfig(), prefix="retrain_", stages=("retrain",))


def cell_kinds(cells_per_stage: int) -> list[str]:
    """Return the kind of each cell of a network in order: "normal" or "reduction"."""
    stage = ["normal"] * cells_per_stage
    return [*stage, "reduction"] * NUM_REDUCTIONS + stage


def check_size(image: ImageConfig, channels: int, stem: str) -> None:
    """Raise `InputError` when the images cannot be halved as often as the network does."""
    halvings = sum(strides == 2 for _, strides in STEMS[stem])
    check_halvings(image, 2 * channels, num_halvings=halvings + NUM_REDUCTIONS)
