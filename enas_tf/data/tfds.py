"""Images from TensorFlow Datasets (TFDS), which are downloaded if they are not on disk."""

import contextlib
import difflib
import logging
import urllib.parse
from collections.abc import Collection
from typing import Any

import numpy as np
import tensorflow as tf

from enas_tf.data.decoding import decode, decode_each
from enas_tf.data.images import Parts, Split
from enas_tf.data.paths import enumerate_items, require_memory_for_images, shorten
from enas_tf.errors import InputError, count_of, ref

# Number of examples that one call of a parallel map parses and decodes.
_BATCH = 250
# A download is tried only if a server of the data set answers within this many seconds.
_PROBE_SECONDS = 5


def load_tfds(location: str, data_dir: str | None, image_size: int | None) -> Parts:
    """Read the data set `location` (NAME, NAME/CONFIG or NAME:VERSION) below `data_dir`; None is TFDS' own default.

    The official validation part of a data set without a test part becomes the test part.

    Raises:
        InputError: the data set is unknown, is neither on disk nor can be downloaded, or has no images with classes.
    """
    import tensorflow_datasets as tfds  # Slow to import, and not needed by the other sources.

    with quiet():
        builder = find(tfds, location, data_dir)
        if not builder.is_prepared():
            download(builder)
        image, label = _features(tfds, builder, location)
        present = {part: name for part, name in _part_names(list(builder.info.splits), location).items() if name}
        splits = {part: _read_split(tfds, builder, name, image, image_size) for part, name in present.items()}
    notes = unread_splits(builder, present.values())
    if present.get("test") == "validation":
        notes += ("The official validation part is the test part, since there is none.",)
    return Parts(tuple(label.names), **splits, notes=notes)


def unread_splits(builder: Any, names: Collection[str]) -> tuple[str, ...]:
    """Return the note about the official splits beside `names`, which are not read; nothing if there are none."""
    others = [f"{name} ({split.num_examples:,})" for name, split in builder.info.splits.items() if name not in names]
    verb = "was" if len(others) == 1 else "were"
    return (f"{count_of(len(others), 'split')} {verb} not read: {enumerate_items(others)}.",) if others else ()


@contextlib.contextmanager
def quiet():
    """Silence within its block the messages that TFDS logs for its own developers."""
    loggers = {logging.getLogger(name): logging.getLogger(name).level for name in ("absl", "urllib3.connectionpool")}
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for logger, level in loggers.items():
            logger.setLevel(level)


def find(tfds: Any, name: str, data_dir: str | None) -> Any:
    """Return the builder of the data set `name`; raise `InputError` if there is none."""
    option = f"{ref('dataset')}=tfds:{shorten(name)}"
    try:
        return tfds.builder(name, data_dir=data_dir)
    except tfds.core.DatasetNotFoundError:
        known = tfds.list_builders(with_community_datasets=False)
        close = difflib.get_close_matches(shorten(name.split("/")[0].split(":")[0]), known, n=5)
        hint = f" Close to it are {', '.join(close)}." if close else ""
        place = f"in {ref('data_dir')}={shorten(data_dir)}" if data_dir else f"in its own directory ({ref('data_dir')})"
        raise InputError(
            f"{option}: TensorFlow Datasets knows no such data set, and none of that name is prepared {place}.{hint} "
            f"The directory of your own one is {ref('data_dir')}/{shorten(name).split('/')[0]}/VERSION."
        ) from None
    except Exception as error:
        # The errors of a builder for a wrong configuration, version or directory are not documented.
        raise InputError(f"{option} cannot be opened: {first_line(error)}") from None


def download(builder: Any) -> None:
    """Download and prepare a data set.

    Without a network TFDS gives up only after minutes, since it repeats each request ten times. So the servers of the
    data set are probed first.
    """
    try:
        _probe(sorted(builder.url_infos))
        builder.download_and_prepare()
    except Exception as error:
        # Network, disk, missing packages and files that have to be fetched by hand raise errors of different types.
        raise InputError(
            f"The data set {builder.info.full_name} is not at {builder.data_dir} and could not be downloaded "
            f"({first_line(error)}). Give the directory that holds it with {ref('data_dir')}, or prepare it on a "
            f"machine that has a network with `tfds build {builder.name}` and copy it there."
        ) from None


def _probe(urls: list[str]) -> None:
    """Raise an error unless a server of `urls` answers, with any status; do nothing if `urls` is empty."""
    import requests

    failure = None
    for _, url in sorted({urllib.parse.urlsplit(url).netloc: url for url in urls}.items())[:3]:
        try:
            requests.head(url, timeout=_PROBE_SECONDS)
            return
        except requests.RequestException as error:
            failure = ConnectionError(f"no answer from {urllib.parse.urlsplit(url).netloc}: {type(error).__name__}")
    if failure:
        raise failure


def first_line(error: Exception) -> str:
    """Return the type of `error` and the first line of its message, at most 300 characters."""
    return shorten(f"{type(error).__name__}: {error}".strip().splitlines()[0], 300)


def _features(tfds: Any, builder: Any, name: str) -> tuple[Any, Any]:
    """Return the features `image` and `label`; raise `InputError` unless they are byte images and single classes."""
    features = dict(builder.info.features.items())
    image, label = (features.get(key) for key in ("image", "label"))
    is_image = isinstance(image, tfds.features.Image) and image.np_dtype == np.uint8
    if not is_image or not isinstance(label, tfds.features.ClassLabel):
        raise InputError(
            f"{ref('dataset')}=tfds:{shorten(name)} is no set of images with classes: expected the features image "
            f"(uint8) and label (a class), it has {enumerate_items(sorted(features))}. Choose a data set for image "
            "classification."
        )
    return image, label


def _part_names(available: list[str], name: str) -> dict[str, str | None]:
    """Return part -> the official split to read it from, or None if it has to be split off the training part."""
    if "train" not in available:
        found = enumerate_items(available) or "none"
        raise InputError(
            f"{ref('dataset')}=tfds:{shorten(name)} has no train split, only {found}. Choose another data set."
        )
    test, valid = (part if part in available else None for part in ("test", "validation"))
    if test is None:
        valid, test = None, valid
    return {"train": "train", "valid": valid, "test": test}


def _read_split(tfds: Any, builder: Any, name: str, image: Any, image_size: int | None) -> Split:
    """Read and decode one official split on all cores."""
    count, where = builder.info.splits[name].num_examples, f"The {name} split of {builder.info.full_name}"
    batches = _encoded_batches(tfds, builder, name)
    height, width, channels = image.shape if image_size is None else (image_size, image_size, image.shape[-1])
    if height and width:
        require_memory_for_images(count, (height, width, channels or 3), where)
    try:
        if height and width and channels:
            return _read_equal(batches, (height, width, channels), image_size)
        return _read_unequal(batches.unbatch(), channels or 3, image_size, builder.info.full_name)
    except tf.errors.OpError as error:
        raise InputError(
            f"The files of {builder.info.full_name} at {builder.data_dir} cannot be read ({first_line(error)}). "
            "Remove that directory and prepare the data set again."
        ) from None


def _encoded_batches(tfds: Any, builder: Any, name: str) -> tf.data.Dataset:
    """Return a dataset of {"image": encoded, string [b]; "label": int64 [b]}, in the order of the files.

    Parsing whole batches takes half the time of TFDS' own reader, which parses examples one by one.
    """
    if builder.info.file_format != tfds.core.FileFormat.TFRECORD:
        raise InputError(
            f"The files of {builder.info.full_name} at {builder.data_dir} are {builder.info.file_format.value}: "
            f"expected tfrecord. Prepare them again with `tfds build {builder.name} --file_format=tfrecord`."
        )
    spec = {"image": tf.io.FixedLenFeature([], tf.string), "label": tf.io.FixedLenFeature([], tf.int64)}
    records = tf.data.TFRecordDataset(builder.info.splits[name].filepaths).batch(_BATCH)
    return records.map(lambda batch: tf.io.parse_example(batch, spec), num_parallel_calls=tf.data.AUTOTUNE)


def _read_equal(batches: tf.data.Dataset, shape: tuple[int, int, int], image_size: int | None) -> Split:
    """Decode images whose `shape` is known beforehand, a batch at a time."""

    def decode_batch(batch):
        spec = tf.TensorSpec(shape, tf.uint8)
        images = tf.map_fn(lambda item: decode(item, shape[-1], image_size), batch["image"], fn_output_signature=spec)
        return images, batch["label"]

    decoded = batches.map(decode_batch, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    images, labels = zip(*decoded.prefetch(tf.data.AUTOTUNE).as_numpy_iterator(), strict=True)
    return Split(np.concatenate(images), np.concatenate(labels).astype(np.int32))


def _read_unequal(examples: tf.data.Dataset, channels: int, image_size: int | None, name: str) -> Split:
    """Decode images whose shape the data set does not promise; raise `InputError` at the first that differs."""
    labels = np.fromiter((example["label"] for example in examples.as_numpy_iterator()), np.int32)
    images: list[np.ndarray] = []
    for image in decode_each(examples.map(lambda example: example["image"]), channels, image_size):
        if images and image.shape != images[0].shape:
            sizes = [f"{shape[0]}x{shape[1]}" for shape in (images[0].shape, image.shape)]
            raise InputError(
                f"Images of {name} differ in size ({sizes[0]} and {sizes[1]} pixels, height x width). Expected one "
                f"size; {ref('image_size')}=32, for example, resizes all of them to 32x32."
            )
        images.append(image)
    return Split(np.stack(images), labels)
