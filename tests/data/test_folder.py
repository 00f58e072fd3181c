"""Folders of image files, written by the test and read back."""

import numpy as np
import pytest
import tensorflow as tf

from enas_tf.data.sources import DataConfig, load_images
from enas_tf.errors import InputError

ENCODERS = {".png": tf.io.encode_png, ".jpg": lambda image: tf.io.encode_jpeg(image, quality=100)}


def write(path, value, size=(6, 6), channels=3):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(ENCODERS[path.suffix](np.full((*size, channels), value, np.uint8)).numpy())


def write_classes(directory, names=("cat", "dog"), count=10, **options):
    """Write `count` images per class, with the colour 10 * class + number."""
    for label, name in enumerate(names):
        for number in range(count):
            write(directory / name / f"{number}.png", 10 * label + number, **options)


def load(directory, **options):
    return load_images(DataConfig(f"folder:{directory}", **options))


def test_one_directory_per_class(tmp_path):
    write_classes(tmp_path)
    data = load(tmp_path, valid_fraction=0.25)
    assert (data.class_names, data.image_shape) == (("cat", "dog"), (6, 6, 3))
    assert [len(data.train), len(data.valid), len(data.test)] == [14, 4, 2]
    splits = (data.train, data.valid, data.test)
    colours, labels = (
        np.concatenate(parts)
        for parts in zip(*((split.images[:, 0, 0, 0], split.labels) for split in splits), strict=True)
    )
    np.testing.assert_array_equal(np.sort(colours), np.arange(20))
    np.testing.assert_array_equal(labels, colours // 10)


def test_parts_of_their_own(tmp_path):
    for part, count in (("train", 5), ("valid", 3), ("test", 2)):
        write_classes(tmp_path / part, count=count)
    data = load(tmp_path)
    assert [len(data.train), len(data.valid), len(data.test)] == [10, 6, 4]
    assert data.valid.images[:, 0, 0, 0].tolist() == [0, 1, 2, 10, 11, 12]
    assert data.valid.labels.tolist() == [0, 0, 0, 1, 1, 1]


def test_grayscale_stays_unless_mixed_with_colour(tmp_path):
    write_classes(tmp_path, channels=1)
    assert load(tmp_path).image_shape == (6, 6, 1)
    write(tmp_path / "cat" / "colour.jpg", 77)
    assert load(tmp_path).image_shape == (6, 6, 3)


def test_transparency_is_dropped(tmp_path):
    write_classes(tmp_path, channels=4)
    assert load(tmp_path).image_shape == (6, 6, 3)


def test_other_files_are_ignored(tmp_path):
    write_classes(tmp_path)
    for path in (tmp_path / "cat" / "notes.txt", tmp_path / "cat" / "._0.png", tmp_path / "README"):
        path.write_text("no image")
    (tmp_path / ".cache").mkdir()
    (tmp_path / "empty").mkdir()
    assert load(tmp_path).class_names == ("cat", "dog")


def test_images_of_different_sizes_need_image_size(tmp_path):
    write_classes(tmp_path)
    write(tmp_path / "dog" / "wide.png", 7, size=(6, 9))
    with pytest.raises(InputError, match=r"cat.0\.png is 6x6 and .*wide\.png is 6x9 pixels.*image_size=32"):
        load(tmp_path)
    assert load(tmp_path, image_size=5).image_shape == (5, 5, 3)


def test_an_unreadable_image_is_named(tmp_path):
    write_classes(tmp_path)
    (tmp_path / "dog" / "4.png").write_bytes(b"no image")
    with pytest.raises(InputError, match=r"dog.4\.png cannot be read as an image: expected a PNG, JPEG"):
        load(tmp_path)


def test_a_directory_is_needed(tmp_path):
    with pytest.raises(InputError, match="nowhere: no such directory"):
        load(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("names", "message"), [((), "images of 0 classes"), (("cat",), r"images of 1 classes \(cat\)")]
)
def test_two_classes_are_needed(tmp_path, names, message):
    write_classes(tmp_path, names, count=1)
    with pytest.raises(InputError, match=f"{message}: expected at least 2 directories"):
        load(tmp_path)


def test_parts_have_the_same_classes(tmp_path):
    write_classes(tmp_path / "train")
    write_classes(tmp_path / "test", ("cat", "fox"), count=1)
    with pytest.raises(InputError, match=r"test and .*train hold different classes: .* dog, fox"):
        load(tmp_path)
