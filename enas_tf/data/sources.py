"""Loading of the images that `dataset` names: the table of image sources, and the checks that all of them share."""

import collections
import dataclasses
import difflib
import os

import numpy as np

from enas_tf.data.decoding import resize_array
from enas_tf.data.digits import load_digits
from enas_tf.data.folder import load_folder
from enas_tf.data.images import PART_WORDS, ImageData, Parts, Split
from enas_tf.data.npz import load_npz
from enas_tf.data.paths import describe_path, enumerate_items, require_memory_for_images, shorten, show_given
from enas_tf.data.splits import first_shuffled, split_indices
from enas_tf.data.tfds import load_tfds
from enas_tf.errors import InputError, count_of, ref
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
    # Shells leave ~ as it is behind a colon.
    parts = LOADERS[prefix](os.path.expanduser(location), config.data_dir, config.image_size)
    return prepare(parts, config, _option(config.dataset))


def prepare(parts: Parts, config: DataConfig, what: str) -> ImageData:
    """Return the parts that a source has given as data for training: checked, resized, complete, limited.

    Args:
        parts: what the source holds.
        config: the options of the data.
        what: how messages call the source.

    Raises:
        InputError: the parts cannot be used for classification.
    """
    _check_class_names(what, parts.class_names)
    _check_labels(what, parts)
    parts = _resize(what, parts, config.image_size)
    _check_shapes(what, parts)
    train, valid, test = complete(parts, config.valid_fraction)
    train, limit_notes = _limit(train, config.limit_train)
    _check_classes(what, parts.class_names, train, valid, test)
    named = [_rename(split, word) for split, word in zip((train, valid, test), PART_WORDS.values(), strict=True)]
    notes = (
        parts.notes
        + limit_notes
        + tuple(note for split in named[1:] for note in _missing_classes(parts.class_names, split))
    )
    return ImageData(config.dataset, parts.class_names, *named, parts.values, notes, parts.num_skipped)


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


def _limit(train: Split, limit: int | None) -> tuple[Split, tuple[str, ...]]:
    """Return at most `limit` images of the training part, all for None, and the note about those left out."""
    num_left = 0 if limit is None else max(0, len(train) - limit)
    if not num_left:
        return train, ()
    verb = "is" if num_left == 1 else "are"
    note = f"{count_of(num_left, 'training image')} {verb} left out by {ref('limit_train')}={limit}."
    return train.take(first_shuffled(len(train), limit, _SPLIT_SEED)), (note,)


def _rename(split: Split, name: str) -> Split:
    return dataclasses.replace(split, name=name)


def _option(dataset: str) -> str:
    """Return the option as messages show it. A path is to be copied, so it may be longer than other values."""
    return f"{ref('dataset')}={show_given(dataset)}"


def _resize(option: str, parts: Parts, side: int | None) -> Parts:
    """Return `parts` with all images as squares of `side` pixels; None keeps their sizes."""
    if side is None:
        return parts
    present = parts.present()
    count = sum(len(split) for split in present.values())
    require_memory_for_images(count, (side, side, parts.train.images.shape[-1]), option)
    resized = {name: Split(resize_array(split.images, side), split.labels) for name, split in present.items()}
    return dataclasses.replace(parts, **resized)


def _describe_unknown(dataset: str, prefix: str) -> str:
    """Return the message about a `dataset` that is no set of images."""
    option, expected = _option(dataset), "expected digits, tfds:NAME, folder:PATH or npz:PATH"
    if prefix in ("pydoc", "text"):
        return f"{option} is text, but this space needs images: {expected}. {ref('space')}=recurrent is for text."
    return f"{option} is not a set of images: {expected}. {_suggest(dataset, prefix)}"


def _suggest(dataset: str, prefix: str) -> str:
    """Return what the user may have meant by `dataset`: a path that exists, a kind of source, or a set of TFDS."""
    places, place = {"a directory": ("folder", dataset), "a file": ("npz", dataset)}, os.path.expanduser(dataset)
    if describe_path(place) == "missing" and describe_path(f"{place}.npz") == "a file":
        places["missing"] = ("npz", f"{dataset}.npz")
    if found := places.get(describe_path(place)):
        kind, path = found
        if kind == "npz" and not path.endswith(".npz"):
            return (
                "Of files, only NumPy archives are read: save the images as "
                "numpy.savez('photos.npz', x_train=x, y_train=y), and write npz:photos.npz."
            )
        return f"To read {show_given(path)}, write {kind}:{show_given(path)}."
    close = difflib.get_close_matches(shorten(prefix), LOADERS, n=1)
    if close:
        return f"Did you mean {close[0]}?"
    return f"If it is a set of TensorFlow Datasets, write tfds:{shorten(dataset)}."


def _check_class_names(option: str, names: tuple[str, ...]) -> None:
    """Raise `InputError` unless there are two classes or more, whose names can each be a line of a file in UTF-8."""
    if len(names) < 2:
        raise InputError(f"{option} has {count_of(len(names), 'class')}: expected at least 2 to tell apart.")
    if len(set(names)) < len(names):
        ((twice, _),) = collections.Counter(names).most_common(1)
        raise InputError(f"{option} has two classes called {shorten(twice)}: expected different names. Rename one.")
    for name in names:
        if name.splitlines() != [name] or "\0" in name:
            reason = "it has a line break or a NUL character" if name else "it is empty"
            raise InputError(
                f"{option} has a class whose name is '{shorten(name)}': expected names of one line each, and {reason}. "
                "Rename the class."
            )
        try:
            name.encode()
        except UnicodeEncodeError:
            raise InputError(
                f"{option} has a class whose name is '{shorten(name)}': expected names in UTF-8. Rename the class."
            ) from None


def _check_labels(option: str, parts: Parts) -> None:
    """Raise `InputError` unless no part is empty and every label is one of the classes."""
    count = len(parts.class_names)
    for name, split in parts.present().items():
        if not len(split):
            raise InputError(f"The {name} part of {option} is empty: expected images of each class.")
        low, high = split.labels.min(), split.labels.max()
        if low < 0 or high >= count:
            reason = " A label of -1 usually means that the part is published without labels." if low < 0 else ""
            raise InputError(
                f"The {name} part of {option} has labels {low}..{high}: expected 0..{count - 1} for {count} classes."
                f"{reason}"
            )


def _check_shapes(option: str, parts: Parts) -> None:
    """Raise `InputError` unless the images of all parts have one shape."""
    shapes = {name: split.images.shape[1:] for name, split in parts.present().items()}
    if len(set(shapes.values())) > 1:
        shown = ", ".join(f"{name} {list(shape)}" for name, shape in shapes.items())
        raise InputError(
            f"The parts of {option} have images of different shapes ({shown}): expected one height, width and number "
            f"of channels. {ref('image_size')}=32, for example, resizes all of them to 32x32."
        )


def _check_classes(option: str, class_names: tuple[str, ...], train: Split, valid: Split, test: Split) -> None:
    """Raise `InputError` unless every class has training images and no part is empty."""
    present = np.unique(train.labels)
    missing = sorted(set(range(len(class_names))) - set(present.tolist()))
    if missing:
        _check_others_lack_them(option, class_names, missing, {"validation": valid, "test": test})
        is_named = any(class_names[number] != str(number) for number in missing)
        shown = [f"{number} ({class_names[number]})" if is_named else number for number in missing]
        raise InputError(
            f"The training part of {option} has no image of class {enumerate_items(shown)}: expected labels "
            f"0..{len(class_names) - 1}, each at least once, and found {', '.join(map(str, present[:20]))}. Number the "
            "classes from 0 without gaps."
        )
    for name, split in (("validation", valid), ("test", test)):
        if not len(split):
            raise InputError(
                f"No {name} images could be split off {option}: too few training images ({len(train)}). Expected at "
                f"least 2 of a class; use more data or a larger {ref('valid_fraction')}."
            )


def _check_others_lack_them(
    option: str, class_names: tuple[str, ...], missing: list[int], others: dict[str, Split]
) -> None:
    """Raise `InputError` if another part has images of a class that the training part lacks: no number is left out."""
    for name, split in others.items():
        unseen = sorted(set(missing) & set(np.unique(split.labels).tolist()))
        if unseen:
            shown = enumerate_items([class_names[number] for number in unseen])
            raise InputError(
                f"The {name} part of {option} has images of class {shown}, and the training part has none: expected "
                "training images of every class. Add some, or leave those images out."
            )


def _missing_classes(class_names: tuple[str, ...], split: Split) -> tuple[str, ...]:
    """Return the note about the classes of which a part has no image, if there are any: nothing measures them."""
    present = np.bincount(split.labels, minlength=len(class_names)) > 0
    missing = [name for name, is_present in zip(class_names, present, strict=True) if not is_present]
    if not missing:
        return ()
    number = f"{len(missing):,} of {len(class_names):,} classes {'has' if len(missing) == 1 else 'have'}"
    return (f"{number} no image in the {split.name} part: {enumerate_items(missing)}.",)
