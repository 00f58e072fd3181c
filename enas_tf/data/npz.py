"""Images from a NumPy archive with the arrays x_train, y_train, x_test, y_test and optionally x_valid, y_valid."""

import zipfile

import numpy as np

from enas_tf.data.images import Parts, Split
from enas_tf.errors import InputError, ref

_REQUIRED = ("x_train", "y_train", "x_test", "y_test")


def load_npz(location: str, data_dir: str | None, image_size: int | None) -> Parts:
    """Read the archive at `location`. Images are uint8, or floats in 0..1, of shape [n, h, w] or [n, h, w, c].

    Raises:
        InputError: the file cannot be read, an array is missing, or an array has a wrong type, shape or value.
    """
    with _open(location) as archive:
        missing = [key for key in _REQUIRED if key not in archive]
        if missing:
            raise InputError(
                f"{location} has no {', '.join(missing)}: expected the arrays {', '.join(_REQUIRED)} (x_valid "
                f"and y_valid may be there too), it holds {', '.join(archive.files) or 'none'}. Save it with "
                "numpy.savez under these names."
            )
        train, test = (_read_split(archive, location, part) for part in ("train", "test"))
        valid = _read_split(archive, location, "valid") if "x_valid" in archive and "y_valid" in archive else None
    num_classes = int(max(split.labels.max(initial=0) for split in (train, valid, test) if split is not None)) + 1
    if num_classes > len(train):
        raise InputError(
            f"{location} has the label {num_classes - 1}, but {len(train)} training images: expected labels 0..n-1 "
            "for n classes, each with an image. Number the classes from 0 without gaps."
        )
    return Parts(tuple(str(label) for label in range(num_classes)), train, valid, test)


def _open(path: str) -> np.lib.npyio.NpzFile:
    """Open the archive at `path`; raise `InputError` if it is not a NumPy archive."""
    option = f"{ref('dataset')}=npz:{path}"
    try:
        archive = np.load(path, allow_pickle=False)
    except FileNotFoundError:
        raise InputError(f"{option}: no such file. Expected the path of a NumPy archive.") from None
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(f"{option} cannot be read as a NumPy archive (numpy.savez): {error}") from None
    if not isinstance(archive, np.lib.npyio.NpzFile):
        raise InputError(f"{option} holds one array: expected a NumPy archive, as numpy.savez writes it.")
    return archive


def _read_split(archive: np.lib.npyio.NpzFile, path: str, part: str) -> Split:
    """Return the images and labels of `part`; raise `InputError` for arrays that are not such."""
    images = _as_bytes(_read(archive, path, f"x_{part}"), f"x_{part} of {path}")
    labels = _as_labels(_read(archive, path, f"y_{part}"), f"y_{part} of {path}")
    if len(images) != len(labels):
        raise InputError(
            f"x_{part} of {path} has {len(images)} images but y_{part} has {len(labels)} labels: "
            "expected one label per image."
        )
    return Split(images, labels)


def _read(archive: np.lib.npyio.NpzFile, path: str, key: str) -> np.ndarray:
    """Return the array `key`; raise `InputError` if it cannot be read."""
    try:
        return archive[key]
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(f"{key} of {path} cannot be read: {error} Save it again as an array of numbers.") from None


def _as_bytes(images: np.ndarray, what: str) -> np.ndarray:
    """Return `images` as uint8 [n, h, w, c]; raise `InputError`, which calls them `what`, if they are not images."""
    if images.ndim not in (3, 4) or 0 in images.shape[1:]:
        raise InputError(f"{what} has shape {list(images.shape)}: expected images as [n, h, w] or [n, h, w, c].")
    images = images[..., np.newaxis] if images.ndim == 3 else images
    if images.dtype == np.uint8:
        return images
    is_float = np.issubdtype(images.dtype, np.floating)
    low, high = (images.min(initial=np.inf), images.max(initial=-np.inf)) if is_float else (None, None)
    # Comparisons with NaN are false, so NaN is refused too.
    if is_float and (not len(images) or (low >= 0 and high <= 1)):
        return np.round(images * 255).astype(np.uint8)
    values = f" with values {low:g}..{high:g}" if is_float else ""
    raise InputError(
        f"{what} is {images.dtype}{values}: expected uint8, or floats in 0..1. For values in 0..255 save "
        "x.astype(numpy.uint8); save normalised images as they were before normalisation."
    )


def _as_labels(labels: np.ndarray, what: str) -> np.ndarray:
    """Return `labels` as int32 [n]. A second axis of length 1, which data sets of Keras have, is dropped."""
    labels = labels[:, 0] if labels.ndim == 2 and labels.shape[1] == 1 else labels
    if labels.ndim != 1 or not np.issubdtype(labels.dtype, np.integer):
        raise InputError(
            f"{what} is {labels.dtype} {list(labels.shape)}: expected one integer per image, the class counted from 0. "
            "Turn one-hot rows into integers with y.argmax(axis=1)."
        )
    low, high = (labels.min(), labels.max()) if len(labels) else (0, 0)
    if low < 0 or high > np.iinfo(np.int32).max:
        raise InputError(f"{what} has labels {low}..{high}: expected classes counted from 0.")
    return labels.astype(np.int32)
