"""Images from a NumPy archive with the arrays x_train, y_train and, if there are any, those of valid and test."""

import re
from collections.abc import Mapping

import numpy as np

from enas_tf.data.archive import Archive, open_archive
from enas_tf.data.images import Parts, Split
from enas_tf.data.labels import check_labels, encode_labels
from enas_tf.data.paths import enumerate_items, part_of
from enas_tf.data.pixels import as_bytes, check_images
from enas_tf.errors import InputError, count_of

_CLASS_NAMES = "class_names"
# A class has a name of a few words; more than this is another array.
_NAMES_LIMIT = 2**26
_KEY = re.compile(r"([xy])_(\w+)", re.IGNORECASE)

# Part -> the names of its images and labels.
_Keys = dict[str, dict[str, str]]


def load_npz(location: str, data_dir: str | None, image_size: int | None) -> Parts:
    """Read the archive at `location`.

    Images are uint8, uint16, or floats in 0..1, of shape [n, h, w] or [n, h, w, c]. Labels are whole numbers, truth
    values or texts. `class_names` names the classes if it is there. All headers are checked before an array is read.

    Raises:
        InputError: the file cannot be read, an array is missing, or an array has a wrong type, shape or value.
    """
    with open_archive(location) as archive:
        keys, others = _find_keys(archive)
        names = [name for pair in keys.values() for name in pair.values()]
        for pair in keys.values():
            _check_pair(archive, pair)
        class_names = _read_class_names(archive)
        archive.require_memory(names)
        labels = {part: archive.read(pair["y"]) for part, pair in keys.items()}
        class_names, labels, label_notes = encode_labels(
            labels, class_names, lambda part: archive.what(keys[part]["y"])
        )
        images = {part: archive.read(pair["x"]) for part, pair in keys.items()}
        images, values, notes = as_bytes(images, lambda part: archive.what(keys[part]["x"]))
    if others:
        verb = "was" if len(others) == 1 else "were"
        notes += (f"{count_of(len(others), 'array')} {verb} not read: {enumerate_items(others)}.",)
    splits = {part: Split(images[part], labels[part]) for part in keys}
    return Parts(class_names, **splits, values=values, notes=label_notes + notes)


def _find_keys(archive: Archive) -> tuple[_Keys, list[str]]:
    """Return the names of the images and labels of each part, and those of arrays that nothing reads."""
    found: _Keys = {}
    others = [name for name in archive.names if name != _CLASS_NAMES]
    for name in list(others):
        match = _KEY.fullmatch(name)
        part = part_of(match[2]) if match else None
        if match and part:
            other = found.setdefault(part, {}).setdefault(match[1].lower(), name)
            if other is not name:
                raise InputError(f"{archive.what(other)} and {name} are the same part: expected one of them.")
            others.remove(name)
    missing = [f"{kind}_{part}" for part in ("train", *found) for kind in "xy" if kind not in found.get(part, {})]
    if missing:
        raise InputError(
            f"{archive.path} has no {', '.join(dict.fromkeys(missing))}: expected the arrays x_train, y_train, x_test, "
            "y_test, of which the last two may be absent (x_valid, y_valid and class_names may be there too); it holds "
            f"{enumerate_items(archive.names) or 'none'}. Save it with numpy.savez under these names."
        )
    return {part: found[part] for part in ("train", "valid", "test") if part in found}, others


def _check_pair(archive: Archive, pair: Mapping[str, str]) -> None:
    """Raise `InputError` unless the headers are those of images and of as many labels."""
    images, labels = archive.header(pair["x"]), archive.header(pair["y"])
    check_labels(labels.shape, labels.dtype, archive.what(pair["y"]))
    check_images(images.shape, images.dtype, labels.shape[0], archive.what(pair["x"]))
    if images.shape[0] != labels.shape[0]:
        raise InputError(
            f"{archive.what(pair['x'])} has {images.shape[0]} images but {pair['y']} has {labels.shape[0]} labels: "
            "expected one label per image."
        )


def _read_class_names(archive: Archive) -> tuple[str, ...] | None:
    """Return the array `class_names`; None if the archive has none."""
    if _CLASS_NAMES not in archive.names:
        return None
    header = archive.header(_CLASS_NAMES)
    if len(header.shape) != 1 or header.dtype.kind not in "US" or header.num_bytes > _NAMES_LIMIT:
        raise InputError(
            f"{archive.what(_CLASS_NAMES)} is {header.dtype} {list(header.shape)}: expected one text per class, in the "
            "order of their numbers. Save numpy.array(names, dtype=str), or leave it out."
        )
    names = archive.read(_CLASS_NAMES)
    try:
        return tuple(names.tolist() if header.dtype.kind == "U" else np.char.decode(names, "utf-8").tolist())
    except UnicodeDecodeError:
        raise InputError(f"{archive.what(_CLASS_NAMES)} is not UTF-8: expected text. Save it as str.") from None
