"""Images from a directory that has one subdirectory per class."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import tensorflow as tf

from enas_tf.data.decoding import decode, decode_files, largest_wide_value
from enas_tf.data.headers import Header, read_header, turn_upright
from enas_tf.data.images import Parts, Split
from enas_tf.data.layout import Layout, find_layout
from enas_tf.data.paths import (
    enumerate_items,
    require_memory_for_images,
    require_path,
    shorten,
    show_given,
    show_path,
)
from enas_tf.data.values import BYTES, ValueRange, range_of_integers
from enas_tf.errors import InputError, count_of, ref


def load_folder(location: str, data_dir: str | None, image_size: int | None) -> Parts:
    """Read `location`/CLASS/IMAGE, or `location`/PART/CLASS/IMAGE where PART is train, test and optionally valid.

    Classes are numbered in the alphabetical order of their names. Images have one channel if every file is grayscale,
    otherwise three. They are turned upright by their Exif orientation. Images with 16 bits per channel are scaled by
    the depth that the brightest of them needs.

    Raises:
        InputError: there is nothing to read, an image is unreadable, images differ in size, or parts differ in classes.
    """
    option = f"{ref('dataset')}=folder:{show_given(location)}"
    require_path(location, "a directory", option, "one with a directory per class")
    root = Path(location)
    layout = find_layout(root)
    class_names = _same_class_names(layout)
    paths = [path for part in layout.files.values() for name in class_names for path in part[name]]
    images, values, notes = _read_images(root, paths, image_size)
    splits, start = {}, 0
    for part, by_class in layout.files.items():
        counts = [len(by_class[name]) for name in class_names]
        labels = np.repeat(np.arange(len(class_names), dtype=np.int32), counts)
        splits[part] = Split(images[start : start + len(labels)], labels)
        start += len(labels)
    found = {"values": values, "notes": layout.notes + notes, "num_skipped": layout.num_skipped}
    return Parts(class_names, **splits, **found)


def _same_class_names(layout: Layout) -> tuple[str, ...]:
    """Return the names of the classes; raise `InputError` unless all parts have the same ones."""
    names = tuple(layout.files["train"])
    for part, by_class in layout.files.items():
        different = sorted(set(names) ^ set(by_class))
        if different:
            raise InputError(
                f"{show_path(layout.parts[part])} and {show_path(layout.parts['train'])} hold different classes: only "
                f"one of the two has images of {enumerate_items(different)}. Every part needs a directory with images "
                "for each class."
            )
    return names


def _read_images(
    root: Path, paths: list[Path], image_size: int | None
) -> tuple[np.ndarray, ValueRange, tuple[str, ...]]:
    """Decode all files to uint8 [n, h, w, c]; return the range of their values and what was converted too."""
    if image_size is not None:
        require_memory_for_images(len(paths), (image_size, image_size, 3), show_path(root))
    names = [os.fsencode(path) for path in paths]
    headers = [read_header(path) for path in paths]
    is_wide = [header.is_wide for header in headers]
    values = BYTES
    try:
        if any(is_wide):
            wide = [name for name, header in zip(names, headers, strict=True) if header.is_wide]
            values = range_of_integers(largest_wide_value(wide))
        images = _decode_all(root, names, headers, values.high, image_size)
    except tf.errors.OpError:
        raise InputError(_describe_unreadable(root, paths)) from None
    for path, image in zip(paths, images, strict=True):
        if image.shape != images[0].shape:
            raise InputError(
                f"Images differ in size: {show_path(paths[0])} is {_size(images[0])} and {show_path(path)} is "
                f"{_size(image)} pixels (height x width). Expected one size; {ref('image_size')}=32, for example, "
                "resizes all to 32x32."
            )
    return np.stack(images), values if all(is_wide) else BYTES, _notes(headers, values)


def _decode_all(
    root: Path, names: Sequence[bytes], headers: Sequence[Header], high: float, image_size: int | None
) -> list[np.ndarray]:
    """Decode all files to the same number of channels, uint8 [h, w, c] of any sizes."""

    def decode_with(channels: int) -> list[np.ndarray]:
        decoded = decode_files(names, [header.is_wide for header in headers], high, channels, image_size)
        images = []
        for image, header in zip(decoded, headers, strict=True):
            if not images:
                require_memory_for_images(len(names), image.shape, show_path(root))
            images.append(turn_upright(image, header.orientation))
        return images

    images = decode_with(0)
    channels = {image.shape[-1] for image in images}
    # Files of both kinds, or with transparency, are read again as colour.
    return decode_with(3) if len(channels) > 1 or channels & {2, 4} else images


def _notes(headers: Sequence[Header], values: ValueRange) -> tuple[str, ...]:
    """Return what was converted, a sentence each."""
    notes = []
    if wide := sum(header.is_wide for header in headers):
        notes.append(
            f"{wide:,} of {count_of(len(headers), 'image')} had 16 bits per channel and were scaled from "
            f"0..{values.high:g} to 0..255."
        )
    if turned := sum(header.orientation != 1 for header in headers):
        verb = "was turned upright by its" if turned == 1 else "were turned upright by their"
        notes.append(f"{count_of(turned, 'image')} {verb} Exif orientation.")
    if clear := sum(header.has_alpha for header in headers):
        notes.append(
            f"{count_of(clear, 'image')} of {len(headers):,} can be transparent, which is left out: where the shape is "
            "in the transparency, put them on a background first."
        )
    return tuple(notes)


def _size(image: np.ndarray) -> str:
    return f"{image.shape[0]}x{image.shape[1]}"


def _describe_unreadable(root: Path, paths: list[Path]) -> str:
    """Return a message that names the files that cannot be decoded: the pipeline's own error does not name any."""
    with ThreadPoolExecutor() as pool:
        is_readable = pool.map(_is_readable, paths)
        bad = [path for path, is_good in zip(paths, is_readable, strict=True) if not is_good]
    expected = "expected a PNG, JPEG, GIF or BMP file"
    if not bad:
        return "An image could be read only when it was tried again: the disk may be at fault. Start the command again."
    if len(bad) == 1:
        return f"{show_path(bad[0])} cannot be read as an image: {expected}. Replace or remove it."
    names = enumerate_items([shorten(path.relative_to(root)) for path in bad])
    return (
        f"{len(bad):,} of {len(paths):,} files in {show_path(root)} cannot be read as images: {expected} each. Replace "
        f"or remove them: {names}."
    )


def _is_readable(path: Path) -> bool:
    """Return whether the file at `path` can be decoded."""
    try:
        decode(tf.io.read_file(os.fsencode(path)), 3, None)
    except tf.errors.OpError:
        return False
    return True
