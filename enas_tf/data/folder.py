"""Images from a folder with one directory per class."""

from pathlib import Path

import numpy as np
import tensorflow as tf

from enas_tf.data.decoding import decode, decode_each
from enas_tf.data.images import Parts, Split
from enas_tf.errors import InputError

_SUFFIXES = (".png", ".jpg", ".jpeg", ".gif", ".bmp")


def load_folder(location: str, data_dir: str | None, image_size: int | None) -> Parts:
    """Reads `location`/CLASS/IMAGE, or `location`/PART/CLASS/IMAGE where PART is train, test and, if wanted, valid.

    Classes are numbered in the alphabetical order of their names. Images have one channel if every file is grayscale,
    otherwise three.

    Raises:
        InputError: nothing to read, an unreadable image, images of different sizes, or parts whose classes differ.
    """
    root = Path(location)
    if not root.is_dir():
        raise InputError(f"--dataset=folder:{location}: no such directory. Expected one with a directory per class.")
    files = {part: _list_classes(path) for part, path in _part_directories(root).items()}
    class_names = _same_class_names(root, files)
    paths = [path for part in files.values() for name in class_names for path in part[name]]
    images = _read_images(paths, image_size)
    splits, start = {}, 0
    for part, by_class in files.items():
        counts = [len(by_class[name]) for name in class_names]
        labels = np.repeat(np.arange(len(class_names), dtype=np.int32), counts)
        splits[part] = Split(images[start : start + len(labels)], labels)
        start += len(labels)
    return Parts(class_names, **splits)


def _part_directories(root: Path) -> dict[str, Path]:
    """The directory of each part. Without `root`/train there is one part, and its classes lie in `root` itself."""
    if not (root / "train").is_dir():
        return {"train": root}
    return {part: root / part for part in ("train", "valid", "test") if (root / part).is_dir()}


def _list_classes(directory: Path) -> dict[str, list[Path]]:
    """The image files of each class below `directory`, sorted by name; directories without images are no classes."""
    classes = sorted(path for path in directory.iterdir() if path.is_dir() and not path.name.startswith("."))
    files = {path.name: sorted(file for file in path.iterdir() if _is_image(file)) for path in classes}
    files = {name: paths for name, paths in files.items() if paths}
    if len(files) < 2:
        raise InputError(
            f"{directory} holds images of {len(files)} classes{''.join(f' ({name})' for name in files)}: expected "
            f"at least 2 directories, one per class, with images in them ({', '.join(_SUFFIXES)})."
        )
    return files


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in _SUFFIXES and not path.name.startswith(".") and path.is_file()


def _same_class_names(root: Path, files: dict[str, dict[str, list[Path]]]) -> tuple[str, ...]:
    names = tuple(files["train"])
    for part, by_class in files.items():
        different = sorted(set(names) ^ set(by_class))
        if different:
            raise InputError(
                f"{root / part} and {root / 'train'} hold different classes: only one of the two has images of "
                f"{', '.join(different)}. Every part needs a directory with images for each class."
            )
    return names


def _read_images(paths: list[Path], image_size: int | None) -> np.ndarray:
    """All files decoded, uint8 [n, h, w, c]."""
    names = [str(path) for path in paths]
    encoded = tf.data.Dataset.from_tensor_slices(names).map(tf.io.read_file, num_parallel_calls=tf.data.AUTOTUNE)
    try:
        images = list(decode_each(encoded, 0, image_size))
        channels = {image.shape[-1] for image in images}
        if len(channels) > 1 or channels & {2, 4}:
            # Mixed files, or some with transparency, are read again as colour.
            images = list(decode_each(encoded, 3, image_size))
    except tf.errors.OpError:
        raise InputError(_describe_unreadable(names)) from None
    for name, image in zip(names, images, strict=True):
        if image.shape != images[0].shape:
            raise InputError(
                f"Images differ in size: {names[0]} is {_size(images[0])} and {name} is {_size(image)} pixels "
                "(height x width). Expected one size; --image_size=32, for example, resizes all of them to 32x32."
            )
    return np.stack(images)


def _size(image: np.ndarray) -> str:
    return f"{image.shape[0]}x{image.shape[1]}"


def _describe_unreadable(names: list[str]) -> str:
    """Names the first file that cannot be decoded: the pipeline's own error does not say which it was."""
    for name in names:
        try:
            decode(tf.io.read_file(name), 3, None)
        except tf.errors.OpError:
            return f"{name} cannot be read as an image: expected a PNG, JPEG, GIF or BMP file. Replace or remove it."
    return "An image could be read at the second attempt only: the disk may be at fault. Try again."
