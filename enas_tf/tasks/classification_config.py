"""Options of the classification of images."""

import dataclasses

from enas_tf.options import Group, option, require


@dataclasses.dataclass(frozen=True)
class ImageSearchConfig:
    """The number of children that share a step of a search."""

    children_per_step: int = option(
        1,
        "M: each training step draws this many children; each takes its part of the batch",
        most=1_000,
    )

    def __post_init__(self):
        require(self.children_per_step >= 1, "children_per_step", self.children_per_step, "at least 1")


@dataclasses.dataclass(frozen=True)
class ImageRetrainConfig:
    """Target and data of a child's training."""

    label_smoothing: float = option(0.0, "share of the target spread evenly over all classes")
    train_on: str = option(
        "train",
        "train = keep the validation part to watch; train+valid = train on both, for final numbers as papers do",
        choices=("train", "train+valid"),
    )

    def __post_init__(self):
        require(0 <= self.label_smoothing < 1, "label_smoothing", self.label_smoothing, "a share in [0, 1)")


@dataclasses.dataclass(frozen=True)
class ImageDeviceConfig:
    """The computation of networks for images on devices."""

    sync_batch_norm: bool = option(
        False, "statistics of batch normalisation in training are those of all devices that compute one child"
    )
    jit_compile: bool = option(
        False,
        "XLA compiles the gradients of a child that is retrained; for GPUs, on a CPU it is slower",
        stages=("retrain",),
    )


@dataclasses.dataclass(frozen=True)
class ClassConfig:
    """How much the images of each class count."""

    class_weights: str = option(
        "none",
        "none = all images count alike; balanced = all classes do, in the loss and in what networks are judged by, "
        "however many images each has",
        choices=("none", "balanced"),
    )


CLASSES = Group(ClassConfig())
IMAGE_SEARCH = Group(ImageSearchConfig(), stages=("search",), is_of_sharing=True)
IMAGE_RETRAIN = Group(ImageRetrainConfig(), stages=("retrain",))
IMAGE_DEVICE = Group(ImageDeviceConfig())
