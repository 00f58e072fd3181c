"""Containers of labelled images, which are held in memory as bytes."""

import dataclasses
from functools import cached_property

import numpy as np

from enas_tf.data.values import BYTES, ValueRange

# Part -> its name in messages.
PART_WORDS = {"train": "training", "valid": "validation", "test": "test"}
# Number of images whose statistics are summed at once: copies stay small, and 2048 * 255**2 fits into 32 bits.
_CHUNK = 2048


@dataclasses.dataclass(frozen=True, eq=False)
class Split:
    """One part of a data set: images uint8 [n, h, w, c], labels int32 [n], and the name of the part in messages."""

    images: np.ndarray
    labels: np.ndarray
    name: str = "given"

    def __post_init__(self):
        if self.images.dtype != np.uint8 or self.images.ndim != 4:
            raise TypeError(f"images must be uint8 [n, h, w, c], not {self.images.dtype} {list(self.images.shape)}")
        if self.labels.dtype != np.int32 or self.labels.shape != self.images.shape[:1]:
            raise TypeError(f"labels must be int32 [n], not {self.labels.dtype} {list(self.labels.shape)}")

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, indices: np.ndarray) -> "Split":
        """Return a copy of the images and labels at `indices` (int [m]), in that order."""
        return Split(self.images[indices], self.labels[indices], self.name)

    def concatenate(self, other: "Split") -> "Split":
        """Return this split followed by `other`, whose images have the same shape."""
        images, labels = np.concatenate([self.images, other.images]), np.concatenate([self.labels, other.labels])
        return Split(images, labels, f"{self.name} and {other.name}")


@dataclasses.dataclass(frozen=True, eq=False)
class Parts:
    """The parts of a data set as its source holds them.

    Attributes:
        class_names: the name of each class, in the order of their numbers.
        train: the training images.
        valid: the validation images; None where the source has no such part.
        test: the test images; None where the source has no such part.
        test_fraction: the share of the training images that becomes the test part of a source without one.
        values: the range and the type that the pixels had before they became bytes.
        notes: what was found, converted or skipped, a sentence each.
        num_skipped: the number of files that were not read.
    """

    class_names: tuple[str, ...]
    train: Split
    valid: Split | None = None
    test: Split | None = None
    test_fraction: float = 0.1
    values: ValueRange = BYTES
    notes: tuple[str, ...] = ()
    num_skipped: int = 0

    def present(self) -> dict[str, Split]:
        """Return name -> split of the parts that exist, `train` first."""
        parts = {"train": self.train, "valid": self.valid, "test": self.test}
        return {name: split for name, split in parts.items() if split is not None}


@dataclasses.dataclass(frozen=True, eq=False)
class ImageData:
    """A data set for training: three disjoint parts with images of one shape and labels 0..num_classes-1.

    Attributes:
        name: how the user named it.
        class_names: the name of each class, in the order of their numbers.
        train: the training images.
        valid: the validation images.
        test: the test images.
        values: the range and the type that the user's pixels had before they became bytes.
        notes: what was found, converted or skipped, a sentence each.
        num_skipped: the number of files that were not read.
    """

    name: str
    class_names: tuple[str, ...]
    train: Split
    valid: Split
    test: Split
    values: ValueRange = BYTES
    notes: tuple[str, ...] = ()
    num_skipped: int = 0

    def parts(self) -> dict[str, Split]:
        """Return name in messages -> split, the training part first."""
        return {PART_WORDS[name]: getattr(self, name) for name in PART_WORDS}

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of every image."""
        height, width, channels = self.train.images.shape[1:]
        return height, width, channels

    @property
    def num_classes(self) -> int:
        return len(self.class_names)

    @property
    def channel_mean(self) -> np.ndarray:
        """Mean of each channel over the training part, float32 [c], in units of 0..255."""
        return self._moments[0]

    @property
    def channel_variance(self) -> np.ndarray:
        """Variance (divided by n) of each channel over the training part, float32 [c], in squared units of 0..255."""
        return self._moments[1]

    @cached_property
    def _moments(self) -> tuple[np.ndarray, np.ndarray]:
        return channel_moments(self.train.images)


def channel_moments(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and variance, both float32 [c], of each channel of `images` (uint8 [n, h, w, c])."""
    sums, sums_of_squares = np.zeros((2, *images.shape[1:]), np.int64)
    for start in range(0, len(images), _CHUNK):
        chunk = images[start : start + _CHUNK]
        sums += chunk.sum(axis=0, dtype=np.uint32)
        sums_of_squares += np.square(chunk, dtype=np.uint16).sum(axis=0, dtype=np.uint32)
    count = images.size // images.shape[-1]
    mean, mean_of_squares = (total.sum(axis=(0, 1)) / count for total in (sums, sums_of_squares))
    return mean.astype(np.float32), (mean_of_squares - mean**2).astype(np.float32)
