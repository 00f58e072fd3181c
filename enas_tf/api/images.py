"""Images that a program holds: arrays, or a `tf.data.Dataset`, which is collected into arrays."""

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from enas_tf.data.arrays import ImageArrays
from enas_tf.data.images import ImageData
from enas_tf.data.sources import DATA, DataConfig, prepare
from enas_tf.errors import InputError
from enas_tf.experiments.config import RunOptions
from enas_tf.runtime.files import replacement

#: The most bytes that are collected of a part that is a `tf.data.Dataset`.
MOST_BYTES = 4 * 2**30
_EXPECTED = "expected arrays (x, y) of images and labels, or a tf.data.Dataset of such pairs"


class GivenImages:
    """Arrays in the place of the option `dataset` (`experiments.run.GivenData`).

    Args:
      arrays: the images.
      workdir: a run's directory. They are kept in its file data.npz, which the option `dataset` can name.
    """

    def __init__(self, arrays: ImageArrays, workdir: Path):
        self._arrays, self._path = arrays, workdir.absolute() / "data.npz"
        self._loaded: tuple[DataConfig, ImageData] | None = None
        self._is_kept = False

    def at(self, workdir: Path) -> "GivenImages":
        """Return the same images, kept in another directory."""
        return GivenImages(self._arrays, workdir)

    @property
    def dataset(self) -> str:
        """The value of the option `dataset` that names the same images."""
        return f"npz:{self._path}"

    def load(self, options: RunOptions) -> ImageData:
        config = options[DATA]
        if self._loaded is None or self._loaded[0] != config:
            self._loaded = config, prepare(self._arrays.parts(), config, "the data set given")
        return self._loaded[1]

    def keep(self, is_new: bool) -> None:
        if self._is_kept or (self._path.exists() and not is_new):
            return
        with replacement(self._path) as aside:
            np.savez(aside, **self._arrays.to_archive())  # type: ignore[arg-type]
        self._is_kept = True


def image_arrays(
    x: Any, y: Any = None, validation_data: Any = None, test_data: Any = None, class_names: Iterable[str] | None = None
) -> ImageArrays:
    """Return the images that a caller has given.

    Args:
      x: training images, or a `tf.data.Dataset` of pairs of an image and a label, in batches or not.
      y: training labels; None where `x` is a data set.
      validation_data: a pair (x, y) or a data set; None to split it off the training images.
      test_data: likewise.
      class_names: the names in the order of the classes' numbers; those of the data set, or the numbers, if not given.

    Raises:
      InputError: a part is neither arrays nor a data set, or cannot be collected.
    """
    if is_dataset(x) and y is not None:
        raise InputError("y is given beside a tf.data.Dataset, which has the labels in it: leave y out.")
    pairs = {"train": _pair("train", x if is_dataset(x) else (x, y))}
    for part, data in (("valid", validation_data), ("test", test_data)):
        if data is not None:
            pairs[part] = _pair(part, data)
    names = class_names if class_names is not None else getattr(x, "class_names", None)
    images, labels = ({part: pair[place] for part, pair in pairs.items()} for place in (0, 1))
    return ImageArrays(images, labels, None if names is None else tuple(str(name) for name in names))


def is_dataset(data: Any) -> bool:
    """Return whether `data` is a `tf.data.Dataset`."""
    return isinstance(data, tf.data.Dataset)


def _pair(part: str, data: Any) -> tuple[np.ndarray, np.ndarray]:
    if is_dataset(data):
        return _collect(part, data)
    if not isinstance(data, tuple | list) or len(data) != 2 or any(item is None for item in data):
        raise InputError(f"the {part} part is not complete: {_EXPECTED}.")
    try:
        images, labels = (np.asarray(item) for item in data)
    except (ValueError, TypeError) as error:
        raise InputError(f"the {part} part cannot be an array ({error}): {_EXPECTED}, images of one size.") from error
    return images, labels


def _collect(part: str, dataset: tf.data.Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Return all examples of a data set, in an order that does not depend on how it is shuffled.

    Floats of 0..255, as Keras' `image_dataset_from_directory` has them, become bytes.
    """
    is_batched = _is_batched(part, dataset)
    if dataset.cardinality() == tf.data.INFINITE_CARDINALITY:
        raise InputError(f"the {part} part is a tf.data.Dataset without an end: expected one that ends. Use take(n).")
    images, labels, num_bytes = [], [], 0
    for image, label in (dataset if is_batched else dataset.batch(256)).as_numpy_iterator():
        images.append(image)
        labels.append(label)
        num_bytes += image.nbytes
        if num_bytes > MOST_BYTES:
            raise InputError(
                f"the {part} part is a tf.data.Dataset of more than {MOST_BYTES / 2**30:g} GiB, and all of it is "
                "collected in memory: expected less. Use smaller images or bytes, take(n), or dataset='folder:...'."
            )
    if not images:
        raise InputError(f"the {part} part is a tf.data.Dataset without an example: {_EXPECTED}.")
    x, y = np.concatenate(images), np.concatenate(labels)
    keys = [hashlib.blake2b(image.tobytes() + label.tobytes()).digest() for image, label in zip(x, y, strict=True)]
    order = sorted(range(len(keys)), key=keys.__getitem__)
    return _to_bytes(x)[order], y[order]


def _is_batched(part: str, dataset: tf.data.Dataset) -> bool:
    """Return whether the elements of a data set are batches; raise `InputError` unless they are pairs."""
    spec = dataset.element_spec
    ranks = [getattr(getattr(item, "shape", None), "rank", None) for item in spec] if isinstance(spec, tuple) else []
    if len(ranks) != 2 or None in ranks:
        raise InputError(
            f"the {part} part is a tf.data.Dataset of {spec}: {_EXPECTED}, whose shapes are known. Use map to make it "
            "one."
        )
    image, label = ranks
    # Images without channels: a batch of them has as many labels.
    return image == 4 or (image == 3 and label == 1 and spec[0].shape[0] == spec[1].shape[0])


def _to_bytes(images: np.ndarray) -> np.ndarray:
    if images.dtype.kind != "f" or not np.isfinite(images).all() or not (images.min() >= 0 and 1 < images.max() <= 255):
        return images
    return np.round(images).astype(np.uint8)
