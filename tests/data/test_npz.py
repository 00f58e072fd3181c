"""Archives of arrays: the arrays that are read, and the message about each wrong array."""

import numpy as np
import pytest

from enas_tf.data.sources import DataConfig, load_images
from enas_tf.errors import InputError

RANDOM = np.random.default_rng(0)


def arrays(**changes):
    made = {
        "x_train": RANDOM.integers(0, 256, (20, 5, 5, 3), np.uint8),
        "y_train": np.arange(20) % 2,
        "x_test": RANDOM.integers(0, 256, (6, 5, 5, 3), np.uint8),
        "y_test": np.arange(6) % 2,
    }
    return {key: value for key, value in (made | changes).items() if value is not None}


def load(directory, **changes):
    path = directory / "images.npz"
    np.savez(path, **arrays(**changes))
    return load_images(DataConfig(f"npz:{path}", valid_fraction=0.2))


def test_arrays_are_read(tmp_path):
    made = arrays()
    data = load(tmp_path, **made)
    np.testing.assert_array_equal(data.test.images, made["x_test"])
    np.testing.assert_array_equal(data.test.labels, made["y_test"])
    assert [len(data.train), len(data.valid), data.class_names] == [16, 4, ("0", "1")]


def test_a_validation_part_is_taken_as_it_is(tmp_path):
    x_valid = RANDOM.integers(0, 256, (3, 5, 5, 3), np.uint8)
    data = load(tmp_path, x_valid=x_valid, y_valid=np.array([1, 0, 1]))
    np.testing.assert_array_equal(data.valid.images, x_valid)
    assert len(data.train) == 20


def test_labels_of_two_axes_and_images_without_channels(tmp_path):
    x_train, x_test = (RANDOM.integers(0, 256, (count, 5, 7), np.uint8) for count in (20, 6))
    data = load(tmp_path, x_train=x_train, x_test=x_test, y_test=np.array([[0], [1], [1], [0], [0], [1]], np.uint8))
    assert data.image_shape == (5, 7, 1)
    assert data.test.labels.tolist() == [0, 1, 1, 0, 0, 1]


def test_floats_up_to_one_are_scaled(tmp_path):
    made = arrays()
    data = load(tmp_path, **made | {"x_test": (made["x_test"] / 255).astype(np.float32)})
    np.testing.assert_array_equal(data.test.images, made["x_test"])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"y_test": None}, r"images\.npz has no y_test.*it holds x_train, y_train, x_test"),
        ({"x_train": np.zeros((20, 25), np.uint8)}, r"x_train of .*\[20, 25\]: expected images as \[n, h, w\]"),
        ({"x_train": np.full((20, 5, 5, 3), 2.5)}, r"x_train of .*float64 with values 2\.5\.\.2\.5: expected uint8"),
        ({"x_train": np.full((20, 5, 5, 3), np.nan)}, "x_train of .*float64 with values nan"),
        ({"x_train": np.zeros((20, 5, 5, 3), np.int64)}, r"x_train of .*int64: expected uint8.*astype"),
        ({"y_train": np.zeros(19, int)}, "20 images but y_train has 19 labels"),
        ({"y_train": np.zeros(20)}, "y_train of .*float64 .*expected one integer per image"),
        ({"y_train": np.eye(20, dtype=int)}, "argmax"),
        ({"y_train": np.arange(20) % 2 - 1}, r"y_train of .*labels -1\.\.0: expected classes counted from 0"),
        ({"y_train": np.arange(20) % 2 + 1}, r"no image of class 0.*found 1, 2"),
        ({"y_train": np.array([{}] * 20)}, "y_train of .*cannot be read"),
    ],
)
def test_wrong_arrays_are_named(tmp_path, changes, message):
    with pytest.raises(InputError, match=message):
        load(tmp_path, **changes)


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "no such file"), (b"text", "cannot be read as a NumPy archive"), (b"PK\3\4", "cannot")],
)
def test_wrong_files_are_named(tmp_path, content, message):
    path = tmp_path / "images.npz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=f"images.npz.*{message}"):
        load_images(DataConfig(f"npz:{path}"))


def test_a_single_array_is_no_archive(tmp_path):
    np.save(tmp_path / "images.npy", np.zeros(3))
    with pytest.raises(InputError, match=r"images\.npy holds one array"):
        load_images(DataConfig(f"npz:{tmp_path / 'images.npy'}"))
