"""Images from a NumPy archive with the arrays x_train, y_train and, if there are any, those of valid and test."""

import dataclasses
import re

import numpy as np

from enas_tf.data.archive import Archive, open_archive
from enas_tf.data.arrays import check_pair, to_parts
from enas_tf.data.images import Parts
from enas_tf.data.paths import enumerate_items, part_of
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
            headers = (archive.header(pair[kind]) for kind in "xy")
            check_pair(*headers, archive.what(pair["x"]), archive.what(pair["y"]), pair["y"])
        class_names = _read_class_names(archive)
        archive.require_memory(names)
        images, labels = ({part: archive.read(pair[kind]) for part, pair in keys.items()} for kind in "xy")
        parts = to_parts(images, labels, class_names, lambda kind, part: archive.what(keys[part][kind]))
    if not others:
        return parts
    verb = "was" if len(others) == 1 else "were"
    note = f"{count_of(len(others), 'array')} {verb} not read: {enumerate_items(others)}."
    return dataclasses.replace(parts, notes=(*parts.notes, note))


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
