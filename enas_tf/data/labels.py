"""Labels of any type as class names and class numbers."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from enas_tf.data.paths import shorten
from enas_tf.errors import InputError

# Kind of NumPy's dtype -> the kind of labels that it is.
_KINDS = {"U": "texts", "S": "texts", "b": "truth values", "i": "numbers", "u": "numbers", "f": "numbers"}

What = Callable[[str], str]


def encode_labels(
    labels: Mapping[str, np.ndarray], class_names: tuple[str, ...] | None, what: What
) -> tuple[tuple[str, ...], dict[str, np.ndarray], tuple[str, ...]]:
    """Return the names of the classes, the labels of each part as int32 [n], and what was converted.

    Numbers (whole, also as floats) are classes counted from 0. Truth values are the classes False and True. Texts are
    the names of classes themselves. These are numbered in the alphabetical order of their names, unless `class_names`
    gives another.

    Args:
        labels: part -> its labels, [n] or [n, 1], which is what data sets of Keras have.
        class_names: the names in the order of their numbers; None names classes by their labels.
        what: returns how messages call the labels of a part.

    Raises:
        InputError: the labels have a wrong shape, type or value, or parts have labels of different kinds.
    """
    for part, array in labels.items():
        check_labels(array.shape, array.dtype, what(part))
    flat = {part: array.reshape(-1) for part, array in labels.items()}
    kinds = {part: _KINDS[array.dtype.kind] for part, array in flat.items()}
    for part, kind in kinds.items():
        if kind != kinds["train"]:
            raise InputError(
                f"{what('train')} holds {kinds['train']} and {what(part)} holds {kind}: expected labels of one kind."
            )
    if kinds["train"] == "texts":
        return _from_texts({part: _as_texts(array, what(part)) for part, array in flat.items()}, class_names, what)
    notes = ()
    if kinds["train"] == "truth values":
        class_names, notes = class_names or ("False", "True"), ("The labels False and True are the classes 0 and 1.",)
    elif flat["train"].dtype.kind == "f":
        notes = ("The labels are whole numbers stored as floats.",)
    numbers = {part: _as_classes(array, what(part)) for part, array in flat.items()}
    count = _count_classes(numbers, class_names, what)
    return class_names or tuple(str(number) for number in range(count)), numbers, notes


def check_labels(shape: Sequence[int], dtype: np.dtype, what: str) -> None:
    """Raise `InputError` unless an array is [n] or [n, 1] and of a type that labels have."""
    is_vector = len(shape) == 1 or (len(shape) == 2 and shape[1] == 1)
    if not is_vector or dtype.kind not in _KINDS:
        is_one_hot = len(shape) == 2 and shape[1] > 1 and dtype.kind in "iufb"
        cure = " Turn one-hot rows into integers with y.argmax(axis=1)." if is_one_hot else ""
        raise InputError(
            f"{what} is {dtype} {list(shape)}: expected one integer per image, the class counted from 0, or one text "
            f"per image, the name of the class.{cure}"
        )


def _as_classes(labels: np.ndarray, what: str) -> np.ndarray:
    """Return `labels` as int32; raise `InputError` unless they are whole numbers from 0 on."""
    if labels.dtype.kind == "f":
        with np.errstate(invalid="ignore"):
            is_whole = labels == np.round(labels)  # False for NaN.
        is_whole &= np.isfinite(labels)
        if not is_whole.all():
            index = int(np.argmin(is_whole))
            raise InputError(
                f"{what} is {labels.dtype} and has the label {labels[index]:g} at position {index}: expected one "
                "integer per image, the class counted from 0. Save whole numbers, or the name of each class."
            )
    low, high = (int(labels.min()), int(labels.max())) if len(labels) else (0, 0)
    if low < 0 or high > np.iinfo(np.int32).max:
        raise InputError(f"{what} has labels {low}..{high}: expected classes counted from 0.")
    return labels.astype(np.int32)


def _as_texts(labels: np.ndarray, what: str) -> np.ndarray:
    """Return texts as str; raise `InputError` if they are bytes that are not UTF-8."""
    if labels.dtype.kind == "U":
        return labels
    try:
        return np.char.decode(labels, "utf-8")
    except UnicodeDecodeError:
        raise InputError(f"{what} has bytes that are not UTF-8: expected names of classes. Save text.") from None


def _from_texts(
    texts: dict[str, np.ndarray], class_names: tuple[str, ...] | None, what: What
) -> tuple[tuple[str, ...], dict[str, np.ndarray], tuple[str, ...]]:
    """Return what `encode_labels` does, for labels that are the names of classes."""
    notes = ("The labels are names of classes.",)
    if class_names is None:
        class_names = tuple(np.unique(np.concatenate(list(texts.values()))).tolist())
        notes = ("The labels are names of classes, which are numbered in alphabetical order.",)
    numbers = {name: number for number, name in enumerate(class_names)}
    for part, array in texts.items():
        unknown = sorted(set(array.tolist()) - set(numbers))
        if unknown:
            raise InputError(
                f"{what(part)} has the label {shorten(unknown[0])}, which is not in class_names: expected the name of "
                "every class there."
            )
    encoded = {
        part: np.fromiter((numbers[name] for name in array.tolist()), np.int32, len(array))
        for part, array in texts.items()
    }
    return class_names, encoded, notes


def _count_classes(numbers: dict[str, np.ndarray], class_names: tuple[str, ...] | None, what: What) -> int:
    """Return the number of classes; raise `InputError` for a label that cannot be the number of one."""
    part = max(numbers, key=lambda part: numbers[part].max(initial=-1))
    count, num_images = int(numbers[part].max(initial=-1)) + 1, len(numbers["train"])
    if class_names is not None and count > len(class_names):
        raise InputError(
            f"{what(part)} has the label {count - 1}, but class_names has {len(class_names)} names: expected labels "
            f"0..{len(class_names) - 1}. Name every class there."
        )
    if class_names is None and count > num_images:
        raise InputError(
            f"{what(part)} has the label {count - 1}, but there are {num_images} training images: expected labels "
            "0..n-1 for n classes, each with an image. Number the classes from 0 without gaps."
        )
    return count
