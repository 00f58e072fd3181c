"""Images and labels as arrays, whether a program holds them or an archive: the same checks and conversions for both."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Protocol

import numpy as np

from enas_tf.data.images import Parts, Split
from enas_tf.data.labels import check_labels, encode_labels
from enas_tf.data.pixels import as_bytes, check_images
from enas_tf.errors import InputError


class Header(Protocol):
    """What is known of an array without its values; an array itself knows it too."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    @property
    def dtype(self) -> np.dtype: ...


def check_pair(images: Header, labels: Header, what_images: str, what_labels: str, name_labels: str) -> None:
    """Raise `InputError` unless two arrays are images and as many labels.

    Args:
      images: the images, or their header.
      labels: the labels, or their header.
      what_images: how messages call the images.
      what_labels: how messages call the labels.
      name_labels: the name of the labels beside that of the images.
    """
    check_labels(labels.shape, labels.dtype, what_labels)
    check_images(images.shape, images.dtype, labels.shape[0], what_images)
    if images.shape[0] != labels.shape[0]:
        raise InputError(
            f"{what_images} has {images.shape[0]} images but {name_labels} has {labels.shape[0]} labels: expected one "
            "label per image."
        )


def to_parts(
    images: Mapping[str, np.ndarray],
    labels: Mapping[str, np.ndarray],
    class_names: tuple[str, ...] | None,
    what: Callable[[str, str], str],
) -> Parts:
    """Return the parts of a data set from arrays that `check_pair` has passed.

    Args:
      images: part ("train", "valid", "test") -> its images, uint8, uint16 or floats in 0..1, [n, h, w] or [n, h, w, c].
      labels: part -> its labels: whole numbers, truth values or texts.
      class_names: the names in the order of their numbers; None names classes by their labels.
      what: returns how messages call the images ("x") or the labels ("y") of a part.

    Raises:
      InputError: a value cannot be that of a pixel or of a label.
    """
    names, numbers, label_notes = encode_labels(labels, class_names, lambda part: what("y", part))
    pixels, values, notes = as_bytes(images, lambda part: what("x", part))
    splits = {part: Split(pixels[part], numbers[part]) for part in images}
    return Parts(names, **splits, values=values, notes=label_notes + notes)


@dataclasses.dataclass(frozen=True, eq=False)
class ImageArrays:
    """Images that a program holds: part ("train", "valid", "test") -> its images, and -> its labels.

    Raises:
      InputError: an array has a wrong type or shape.
    """

    images: Mapping[str, np.ndarray]
    labels: Mapping[str, np.ndarray]
    class_names: tuple[str, ...] | None = None

    def __post_init__(self):
        for part, images in self.images.items():
            names = [_name(kind, part) for kind in "xy"]
            check_pair(images, self.labels[part], *names, names[1])

    def parts(self) -> Parts:
        """Return the parts of the data set."""
        return to_parts(self.images, self.labels, self.class_names, _name)

    def to_archive(self) -> dict[str, np.ndarray]:
        """Return name -> array of the NumPy archive that holds the same data."""
        named = {} if self.class_names is None else {"class_names": np.array(self.class_names, dtype=np.str_)}
        pairs = {f"x_{part}": images for part, images in self.images.items()}
        return pairs | {f"y_{part}": labels for part, labels in self.labels.items()} | named


def _name(kind: str, part: str) -> str:
    return f"{kind}_{part}"
