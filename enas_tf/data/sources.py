"""Loading of the images that `dataset` names: the table of image sources, and the checks that all of them share."""

import dataclasses
import difflib

import numpy as np

from enas_tf.data.decoding import resize_array
from enas_tf.data.digits import load_digits
from enas_tf.data.folder import load_folder
from enas_tf.data.images import ImageData, Parts, Split
from enas_tf.data.npz import load_npz
from enas_tf.data.splits import first_shuffled, split_indices
from enas_tf.data.tfds import load_tfds
from enas_tf.errors import InputError, ref
from enas_tf.options import Group, option, require

# Runs with different seeds are compared on the same images, so the parts of a data set do not depend on a run's seed.
_SPLIT_SEED = 20180209

# Prefix of `dataset` -> loader(location, data_dir, image_size) -> Parts; the location is what follows the colon.
LOADERS = {"digits": load_digits, "tfds": load_tfds, "folder": load_folder, "npz": load_npz}


@dataclasses.dataclass(frozen=True)
class DataConfig:
    """The images of a run. `valid_fraction` is that of the ENAS paper: 5,000 of CIFAR-10's 50,000 training images."""

    dataset: str = option("digits", "images: digits | tfds:NAME | folder:PATH | npz:PATH")
    data_dir: str | None = option(None, "directory of TensorFlow Datasets; its own default if not given", decides=False)
    image_size: int | None = option(
        None, "side in pixels of the square that all images are resized to; their own size if not given"
    )
    valid_fraction: float = option(0.1, "share of the training images held out if there is no official validation part")
    limit_train: int | None = option(None, "number of training images to keep, a fixed random choice; all if not given")

    def __post_init__(self):
        is_size = self.image_size is None or self.image_size >= 1
        require(is_size, "image_size", self.image_size, "a number of pixels, 1 or more")
        require(0 < self.valid_fraction < 1, "valid_fraction", self.valid_fraction, "a number between 0 and 1")
        is_limit = self.limit_train is None or self.limit_train >= 1
        require(is_limit, "limit_train", self.limit_train, "a number of images, 1 or more")


DATA = Group(DataConfig())


def load_images(config: DataConfig) -> ImageData:
    """Read the data set of `config` into memory. The same configuration gives the same images in the same order.

    Raises:
        InputError: the data set is unknown, cannot be read, or cannot be used for classification.
    """
    prefix, _, location = config.dataset.partition(":")
    if prefix not in LOADERS:
        raise InputError(_describe_unknown(config.dataset, prefix))
    if prefix != "digits" and not location:
        raise InputError(f"{ref('dataset')}={config.dataset} is not complete: expected {prefix}:NAME_OR_PATH.")
    parts = LOADERS[prefix](location, config.data_dir, config.image_size)
    _check_labels(config.dataset, parts)
    parts = _resize(parts, config.image_size)
    _check_shapes(config.dataset, parts)
    train, valid, test = complete(parts, config.valid_fraction)
    if config.limit_train is not None:
        train = train.take(first_shuffled(len(train), config.limit_train, _SPLIT_SEED))
    _check_classes(config.dataset, parts.class_names, train, valid, test)
    named = (_rename(train, "training"), _rename(valid, "validation"), _rename(test, "test"))
    return ImageData(config.dataset, parts.class_names, *named)


def complete(parts: Parts, valid_fraction: float) -> tuple[Split, Split, Split]:
    """Return the training, validation and test part.

    Missing parts are split off the training part, the test part first.
    """
    train, valid, test = parts.train, parts.valid, parts.test
    if test is None:
        train, test = _split_off(train, parts.test_fraction)
    if valid is None:
        train, valid = _split_off(train, valid_fraction)
    return train, valid, test


def _split_off(split: Split, fraction: float) -> tuple[Split, Split]:
    """Return what is left of `split`, and the fraction of it that is held out."""
    kept, held_out = split_indices(split.labels, fraction, _SPLIT_SEED)
    return split.take(kept), split.take(held_out)


def _rename(split: Split, name: str) -> Split:
    return dataclasses.replace(split, name=name)


def _resize(parts: Parts, side: int | None) -> Parts:
    """Return `parts` with all images as squares of `side` pixels; None keeps their sizes."""
    resized = {name: Split(resize_array(split.images, side), split.labels) for name, split in parts.present().items()}
    return dataclasses.replace(parts, **resized)


def _describe_unknown(dataset: str, prefix: str) -> str:
    """Return the message about a `dataset` that is no set of images."""
    option, expected = f"{ref('dataset')}={dataset}", "expected digits, tfds:NAME, folder:PATH or npz:PATH"
    if prefix in ("pydoc", "text"):
        return f"{option} is text, but this space needs images: {expected}. {ref('space')}=recurrent is for text."
    close = difflib.get_close_matches(prefix, LOADERS, n=1)
    hint = f"Did you mean {close[0]}?" if close else f"If it is a set of TensorFlow Datasets, write tfds:{dataset}."
    return f"{option} is not a set of images: {expected}. {hint}"


def _check_labels(dataset: str, parts: Parts) -> None:
    """Raise `InputError` unless there are at least two classes and every label is one of them."""
    count = len(parts.class_names)
    if count < 2:
        raise InputError(f"{ref('dataset')}={dataset} has {count} class: expected at least 2 to tell apart.")
    for name, split in parts.present().items():
        if not len(split):
            raise InputError(f"The {name} part of {ref('dataset')}={dataset} is empty: expected images of each class.")
        if split.labels.min() < 0 or split.labels.max() >= count:
            raise InputError(
                f"The {name} part of {ref('dataset')}={dataset} has labels {split.labels.min()}..{split.labels.max()}: "
                f"expected 0..{count - 1} for {count} classes. A label of -1 usually means that the part is published "
                "without labels."
            )


def _check_shapes(dataset: str, parts: Parts) -> None:
    """Raise `InputError` unless the images of all parts have one shape."""
    shapes = {name: split.images.shape[1:] for name, split in parts.present().items()}
    if len(set(shapes.values())) > 1:
        shown = ", ".join(f"{name} {list(shape)}" for name, shape in shapes.items())
        raise InputError(
            f"The parts of {ref('dataset')}={dataset} have images of different shapes ({shown}): expected one height, "
            f"width and number of channels. {ref('image_size')}=32, for example, resizes all of them to 32x32."
        )


def _check_classes(dataset: str, class_names: tuple[str, ...], train: Split, valid: Split, test: Split) -> None:
    """Raise `InputError` unless every class has training images and no part is empty."""
    present = np.unique(train.labels)
    missing = sorted(set(range(len(class_names))) - set(present.tolist()))
    if missing:
        raise InputError(
            f"The training part of {ref('dataset')}={dataset} has no image of class "
            f"{', '.join(map(str, missing[:10]))}: expected labels 0..{len(class_names) - 1}, each at least once, and "
            f"found {', '.join(map(str, present[:20]))}. Number the classes from 0 without gaps."
        )
    for name, split in (("validation", valid), ("test", test)):
        if not len(split):
            raise InputError(
                f"No {name} images could be split off {ref('dataset')}={dataset}: too few training images "
                f"({len(train)}). Expected at least 2 of a class; use more data or a larger {ref('valid_fraction')}."
            )
