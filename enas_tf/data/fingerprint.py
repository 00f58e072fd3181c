"""The fingerprint of a data set: what a run keeps of it, to tell later whether the data are still the same."""

import hashlib
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from enas_tf.data.images import ImageData
from enas_tf.data.paths import enumerate_items, shorten
from enas_tf.data.text import TextData


def fingerprint(data: ImageData | TextData) -> dict[str, Any]:
    """Return the fingerprint of `data`, which JSON can hold.

    Of images it has the names of the classes, the images per part and class, the shape and the values of images, and a
    hash of images and labels per part. Of text it has the size and a hash of the vocabulary, and the number and a hash
    of the tokens per part. Hashes are of contents in their order, so files that are copied elsewhere have the same.
    """
    return _of_images(data) if isinstance(data, ImageData) else _of_text(data)


def _of_images(data: ImageData) -> dict[str, Any]:
    parts = data.parts()
    # Hashing lets other threads run, and takes a third of a second for the bytes of CIFAR-10.
    with ThreadPoolExecutor() as pool:
        hashes = pool.map(lambda split: _hash(split.images, split.labels), parts.values())
        hashes = dict(zip(parts, hashes, strict=True))
    return {
        "kind": "images",
        "class_names": list(data.class_names),
        "image_shape": list(data.image_shape),
        "values": {"low": data.values.low, "high": data.values.high, "dtype": data.values.dtype},
        "counts": {name: count_per_class(split.labels, data.num_classes).tolist() for name, split in parts.items()},
        "hashes": hashes,
    }


def _of_text(data: TextData) -> dict[str, Any]:
    entries = "\n".join(data.vocabulary.entries).encode("utf-8", "surrogatepass")
    return {
        "kind": "text",
        "tokens": data.vocabulary.tokens,
        "vocab_size": data.vocab_size,
        "vocabulary": _hash(np.frombuffer(entries, np.uint8)),
        "counts": dict(data.num_tokens),
        "hashes": {part: _hash(ids) for part, ids in data.parts().items()},
    }


def count_per_class(labels: np.ndarray, num_classes: int) -> np.ndarray:
    """Return the number of examples of each class, int64 [num_classes]."""
    return np.bincount(labels, minlength=num_classes)


def _hash(*arrays: np.ndarray) -> str:
    """Return a hash of shapes, types and contents of `arrays`, the same on every machine."""
    digest = hashlib.blake2b(digest_size=16)
    for array in arrays:
        array = np.ascontiguousarray(array.astype(array.dtype.newbyteorder("<"), copy=False))
        digest.update(f"{array.dtype.str} {list(array.shape)}".encode())
        digest.update(array.reshape(-1).view(np.uint8))
    return digest.hexdigest()


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Return what has changed from the fingerprint `old` to `new`, a sentence each; nothing if they are equal.

    What one of them does not have is not compared: it may come from another version. `old` may come from a file of any
    content.
    """
    if not _is_fingerprint(old):
        return ["The record of the data is damaged, so the data cannot be compared with it."]
    if old.get("kind") != new.get("kind"):
        return [f"The data were {shorten(old.get('kind'))} and are now {shorten(new.get('kind'))}."]
    found = _class_differences(old, new) + _value_differences(old, new)
    is_same_classes = old.get("class_names") == new.get("class_names")
    changed_parts = _count_differences(old, new, is_same_classes)
    unit = "images" if new.get("kind") == "images" else "tokens"
    for part, old_hash, new_hash in _pairs(old, new, "hashes"):
        # Where counts or classes differ, hashes do too.
        if old_hash != new_hash and part not in changed_parts and is_same_classes:
            found.append(f"The {unit} of the {part} part are others, or in another order; their number is the same.")
    return found + [line for lines in changed_parts.values() for line in lines]


def _is_fingerprint(record: Any) -> bool:
    """Return whether `record` has the types that a fingerprint has, where it has anything."""
    if not isinstance(record, Mapping):
        return False
    checks = {
        "class_names": lambda names: _is_list(names, str),
        "image_shape": lambda shape: _is_list(shape, int),
        "values": lambda values: isinstance(values, Mapping) and values.keys() == {"low", "high", "dtype"},
        "counts": lambda parts: isinstance(parts, Mapping) and all(_is_count(count) for count in parts.values()),
        "hashes": lambda parts: isinstance(parts, Mapping),
    }
    return all(is_valid(record[key]) for key, is_valid in checks.items() if key in record)


def _is_list(items: Any, kind: type) -> bool:
    return isinstance(items, list) and all(isinstance(item, kind) for item in items)


def _is_count(count: Any) -> bool:
    """Return whether `count` is that of a part: one number of text, a number per class of images."""
    return isinstance(count, int) or _is_list(count, int)


def _pairs(old: Mapping[str, Any], new: Mapping[str, Any], key: str) -> list[tuple[str, Any, Any]]:
    """Return (part, old value, new value) of the parts that both have under `key`."""
    before, after = old.get(key, {}), new.get(key, {})
    return [(part, before[part], after[part]) for part in before if part in after]


def _class_differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Return how the names of the classes differ."""
    before, after = old.get("class_names"), new.get("class_names")
    if before is None or after is None or before == after:
        return []
    if sorted(before) == sorted(after):
        return [f"The classes are in another order: {enumerate_items(before)}; now {enumerate_items(after)}."]
    old_names, new_names = set(before), set(after)
    gone, added = [name for name in before if name not in new_names], [name for name in after if name not in old_names]
    moved = [(a, b) for a, b in zip(before, after, strict=False) if a != b]
    if len(before) == len(after) and len(moved) == len(gone) == len(added):
        return [f"Classes were renamed: {enumerate_items([f'{a} to {b}' for a, b in moved])}."]
    lines = [f"There were {len(before)} classes and there are now {len(after)}."] if len(before) != len(after) else []
    lines += [f"Classes that are gone: {enumerate_items(gone)}."] if gone else []
    return lines + ([f"Classes that are new: {enumerate_items(added)}."] if added else [])


def _value_differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Return how single values differ: shape and values of images, units and vocabulary of text."""
    found = []
    for key, name, show in (
        ("image_shape", "The shape of images", lambda shape: "x".join(map(str, shape))),
        ("values", "The range of pixels", lambda values: "{low}..{high} ({dtype})".format(**values)),
        ("tokens", "The unit of the text", str),
        ("vocab_size", "The size of the vocabulary", str),
    ):
        before, after = old.get(key), new.get(key)
        if before is not None and after is not None and before != after:
            found.append(f"{name} was {shorten(show(before))} and is now {shorten(show(after))}.")
    if not found and old.get("vocabulary") != new.get("vocabulary") and {"vocabulary"} <= old.keys() & new.keys():
        found.append("The vocabulary has other entries, or another order of them.")
    return found


def _count_differences(old: Mapping[str, Any], new: Mapping[str, Any], is_same_classes: bool) -> dict[str, list[str]]:
    """Return part -> how its counts differ, for the parts whose counts do."""
    found = {}
    for part, before, after in _pairs(old, new, "counts"):
        if before == after:
            continue
        if isinstance(before, int) or isinstance(after, int):
            found[part] = [f"The {part} part had {shorten(before)} tokens and has now {shorten(after)}."]
            continue
        found[part] = [f"The {part} part had {sum(before):,} images and has now {sum(after):,}."]
        if is_same_classes and "class_names" in new:
            changed = [
                f"{shorten(name)} {a:,} to {b:,}"
                for name, a, b in zip(new["class_names"], before, after, strict=False)
                if a != b
            ]
            found[part].append(f"Images per class of the {part} part: {enumerate_items(changed)}.")
    return found
