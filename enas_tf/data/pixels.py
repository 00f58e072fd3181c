"""Arrays of pixels as a user has them: their layout, their type, and their conversion to bytes."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from enas_tf.data.images import PART_WORDS
from enas_tf.data.values import BYTES, ValueRange, largest_of, range_of_integers
from enas_tf.errors import InputError

# The numbers of channels that images usually have; a height or a width is larger.
_MOST_CHANNELS = 4
# Images that are inspected at once.
_CHUNK = 1024
# Images whose largest value is below this share of their range are remarked on.
_DARK = 0.25
_TYPES = "expected uint8, uint16, or floats in 0..1"

What = Callable[[str], str]


def check_images(shape: Sequence[int], dtype: np.dtype, num_labels: int, what: str) -> None:
    """Raise `InputError` unless an array is [n, h, w] or [n, h, w, c] with the channels last, and holds numbers.

    Args:
        shape: the shape of an array of images.
        dtype: its type.
        num_labels: how many labels belong to them.
        what: how messages call the array.
    """
    expected = "expected images as [n, h, w] or [n, h, w, c]"
    if len(shape) not in (3, 4) or 0 in shape[1:]:
        raise InputError(f"{what} has shape {list(shape)}: {expected}.")
    cure = None
    if shape[0] != num_labels == shape[-1]:
        cure = "the images last: save x.transpose(2, 0, 1)" if len(shape) == 3 else _cure_for_last(shape)
    elif len(shape) == 4 and shape[1] <= _MOST_CHANNELS < min(shape[2:]):
        cure = "the channels first: save x.transpose(0, 2, 3, 1)"
    if cure:
        raise InputError(f"{what} has shape {list(shape)}: {expected}, and these seem to have {cure}.")
    if dtype.kind not in "iuf":
        cure = "Save x.astype(numpy.uint8) * 255." if dtype.kind == "b" else "Save it as one of these."
        raise InputError(f"{what} is {dtype}: {_TYPES}. {cure}")


def _cure_for_last(shape: Sequence[int]) -> str:
    """Return what is wrong with [h, w, c, n], as MATLAB has images, or [c, h, w, n]."""
    is_channels_first = shape[0] <= _MOST_CHANNELS < shape[2]
    return f"the images last: save x.transpose({'3, 1, 2, 0' if is_channels_first else '3, 0, 1, 2'})"


def as_bytes(images: Mapping[str, np.ndarray], what: What) -> tuple[dict[str, np.ndarray], ValueRange, tuple[str, ...]]:
    """Return the images of each part as uint8 [n, h, w, c], the values that the training images had, and notes.

    Bytes stay as they are. Floats have to be in 0..1. Integers of 16 bits are scaled by the depth that the largest of
    all parts needs.

    Args:
        images: part -> its images, [n, h, w] or [n, h, w, c].
        what: returns how messages call the images of a part.

    Raises:
        InputError: the type or a value cannot be a pixel's.
    """
    wide = [array for array in images.values() if _is_wide(array)]
    wide_range = range_of_integers(largest_of(wide)) if wide else None
    ranges = {part: _range_of(array, wide_range, what(part)) for part, array in images.items()}
    converted = {
        part: ranges[part].to_bytes(array if array.ndim == 4 else array[..., np.newaxis])
        for part, array in images.items()
    }
    notes = _note_if_dark(images["train"], ranges["train"])
    if wide_range:
        notes.append(f"16-bit images were scaled from {wide_range.low:g}..{wide_range.high:g} to 0..255.")
    others = [part for part in images if ranges[part] != ranges["train"]]
    for part in others:
        found = f"The {PART_WORDS[part]} images had values {ranges[part]}"
        notes.append(f"{found}, the training images {ranges['train']}.")
    return converted, ranges["train"], tuple(notes)


def _note_if_dark(images: np.ndarray, values: ValueRange) -> list[str]:
    """Return the note about images that fill little of their range: few of the 256 levels of a byte are left of them.

    The range of wide integers is that of what is there.
    """
    if _is_wide(images) or not images.size:
        return []
    largest = float(images.max())
    if largest >= _DARK * values.high:
        return []
    cure = f"x / {largest:g}" if largest else "images that are not all of one value"
    return [
        f"The largest value of the training images is {largest:.3g}, of a range up to {values.high:g}: unless they are "
        f"that dark, they had another range before. Save {cure}."
    ]


def _is_wide(array: np.ndarray) -> bool:
    """Return whether pixels are unsigned integers of 16 bits, in any byte order."""
    return array.dtype.kind == "u" and array.dtype.itemsize == 2


def _range_of(array: np.ndarray, wide_range: ValueRange | None, what: str) -> ValueRange:
    """Return the range of an array; raise `InputError` if it has none that is known."""
    if array.dtype == np.uint8:
        return BYTES
    if wide_range is not None and _is_wide(array):
        return wide_range
    low, high, num_bad = _extremes(array)
    if num_bad:
        raise InputError(
            f"{what} has {num_bad:,} values that are NaN or infinite: {_TYPES}. Replace them, for example with "
            "numpy.nan_to_num(x), or leave those images out."
        )
    if array.dtype.kind == "f" and (not len(array) or 0 <= low <= high <= 1):
        return ValueRange(0.0, 1.0, array.dtype.name)
    cure = _cure(low, high, array.dtype.kind == "f")
    raise InputError(f"{what} is {array.dtype} with values {low:g}..{high:g}: {_TYPES}. {cure}")


def _extremes(array: np.ndarray) -> tuple[float, float, int]:
    """Return the lowest and the highest finite value, and the number of others; 0, 0 if there is none."""
    low, high, num_bad = np.inf, -np.inf, 0
    for start in range(0, len(array), _CHUNK):
        chunk = array[start : start + _CHUNK]
        finite = chunk[np.isfinite(chunk)]
        num_bad += chunk.size - finite.size
        if finite.size:
            low, high = min(low, float(finite.min())), max(high, float(finite.max()))
    return (low, high, num_bad) if low <= high else (0.0, 0.0, num_bad)


def _cure(low: float, high: float, is_float: bool) -> str:
    """Return how to save pixels with the values `low`..`high` so that they can be read; no cast of it wraps."""
    if low < 0:
        return "Save normalised images as they were before normalisation; for values in -1..1 save (x + 1) / 2."
    if high <= 255:
        others = " For other values divide by the largest that can occur, for example x / 16.0." if is_float else ""
        return f"For whole numbers 0..255 save x.astype(numpy.uint8).{others}"
    if high <= 65535:
        return "For whole numbers 0..65535 save x.astype(numpy.uint16), which is scaled by the depth that it needs."
    return "Divide by the largest value that can occur: x / x.max()."
