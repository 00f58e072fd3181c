"""Archives of arrays: the arrays that are read, and the message about each wrong array."""

import re

import numpy as np
import pytest

from enas_tf.data.sources import DataConfig, load_images
from enas_tf.data.values import ValueRange
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


def test_without_a_test_part_a_tenth_is_taken(tmp_path):
    data = load(tmp_path, x_test=None, y_test=None)
    assert [len(data.train), len(data.valid), len(data.test)] == [14, 4, 2]


@pytest.mark.parametrize("keys", [("x_val", "y_val"), ("X_validation", "Y_validation"), ("x_VALID", "y_valid")])
def test_usual_names_of_the_validation_part(tmp_path, keys):
    x_valid = RANDOM.integers(0, 256, (3, 5, 5, 3), np.uint8)
    data = load(tmp_path, **dict(zip(keys, (x_valid, np.array([1, 0, 1])), strict=True)))
    np.testing.assert_array_equal(data.valid.images, x_valid)
    assert not data.notes


def test_arrays_that_are_not_read_are_named(tmp_path):
    assert load(tmp_path, x_extra=np.zeros(3), ids=np.zeros(3)).notes == ("2 arrays were not read: x_extra, ids.",)


@pytest.mark.parametrize("names", [np.array(["cat", "dog"]), np.array([b"cat", b"dog"])])
def test_class_names_are_used(tmp_path, names):
    data = load(tmp_path, class_names=names)
    assert (data.class_names, data.notes) == (("cat", "dog"), ())


@pytest.mark.parametrize("dtype", [str, bytes])
def test_texts_are_the_names_of_classes(tmp_path, dtype):
    y_train, y_test = np.array(["dog", "cat"] * 10).astype(dtype), np.array(["cat", "dog"] * 3).astype(dtype)
    data = load(tmp_path, y_train=y_train, y_test=y_test)
    assert data.class_names == ("cat", "dog")
    assert data.test.labels.tolist() == [0, 1] * 3
    assert data.notes == ("The labels are names of classes, which are numbered in alphabetical order.",)


def test_class_names_give_the_order_of_texts(tmp_path):
    changes = {"y_train": np.array(["dog", "cat"] * 10), "y_test": np.array(["cat", "dog"] * 3)}
    data = load(tmp_path, **changes, class_names=np.array(["dog", "cat"]))
    assert (data.class_names, data.test.labels.tolist()) == (("dog", "cat"), [1, 0] * 3)
    with pytest.raises(InputError, match=r"y_train of .* has the label dog, which is not in class_names"):
        load(tmp_path, **changes, class_names=np.array(["fox", "cat"]))


def test_a_class_without_training_images_is_named(tmp_path):
    changes = {"y_train": np.array(["dog", "cat"] * 10), "y_test": np.array(["cat", "fox"] * 3)}
    expected = r"The test part of .* has images of class fox, and the training part has none.*Add some, or leave those"
    with pytest.raises(InputError, match=expected):
        load(tmp_path, **changes)


@pytest.mark.parametrize(
    ("images", "cure"),
    [
        (lambda x: x / 255 / 255, r"0\.00392, of a range up to 1: .* Save x / 0\.00392157\.$"),
        (lambda x: x % 17, r"16, of a range up to 255: .* Save x / 16\.$"),
        (lambda x: x * 0, r"0, of a range up to 255: .* Save images that are not all of one value\.$"),
    ],
)
def test_images_that_fill_little_of_their_range_are_remarked_on(tmp_path, images, cure):
    made = arrays()
    changes = {part: images(made[part]) for part in ("x_train", "x_test")}
    changes["x_train"].flat[0] = images(np.float64(255)) if changes["x_train"].dtype.kind == "f" else images(16)
    (note,) = load(tmp_path, **changes).notes
    assert re.search(cure, note), note


def test_images_of_any_usual_brightness_are_not_remarked_on(tmp_path):
    assert load(tmp_path).notes == ()
    assert load(tmp_path, x_train=arrays()["x_train"] // 3).notes == ()


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16])
def test_whole_numbers_may_be_floats(tmp_path, dtype):
    data = load(tmp_path, y_train=(np.arange(20) % 2).astype(dtype), y_test=(np.arange(6) % 2).astype(dtype)[:, None])
    assert (data.test.labels.tolist(), data.class_names) == ([0, 1] * 3, ("0", "1"))
    assert data.notes == ("The labels are whole numbers stored as floats.",)


def test_truth_values_are_two_classes(tmp_path):
    data = load(tmp_path, y_train=np.arange(20) % 2 == 1, y_test=np.arange(6) % 2 == 1)
    assert (data.test.labels.tolist(), data.class_names) == ([0, 1] * 3, ("False", "True"))
    assert data.notes == ("The labels False and True are the classes 0 and 1.",)


@pytest.mark.parametrize(
    ("largest", "high"), [(200, 255), (256, 1023), (1500, 4095), (4095, 4095), (4096, 16383), (65535, 65535)]
)
def test_16_bit_images_are_scaled_by_their_true_range(tmp_path, largest, high):
    x_train = RANDOM.integers(0, largest + 1, (20, 5, 5, 3), np.uint16)
    x_train[0, 0, 0, 0] = largest
    x_test = RANDOM.integers(0, largest // 2, (6, 5, 5, 3), np.uint16)  # of the same range, although it is darker
    data = load(tmp_path, x_train=x_train, x_test=x_test)
    np.testing.assert_array_equal(data.test.images, np.round(x_test * (255 / high)))
    assert data.values == ValueRange(0, high, "uint16")
    assert data.notes == (f"16-bit images were scaled from 0..{high} to 0..255.",)


def test_any_byte_order_is_read(tmp_path):
    made = arrays()
    changes = {"x_train": made["x_train"].astype(">u2") * 257, "x_test": (made["x_test"] * 257.0).astype("<u2")}
    data = load(tmp_path, **made | changes)
    np.testing.assert_array_equal(data.test.images, made["x_test"])
    assert data.values == ValueRange(0, 65535, "uint16")


def test_the_values_are_those_of_the_training_images(tmp_path):
    made = arrays()
    floats = {"x_train": (made["x_train"] / 255).astype(np.float32)}
    assert load(tmp_path, **made).values == ValueRange(0, 255, "uint8")
    data = load(tmp_path, **made | floats)
    assert data.values == ValueRange(0, 1, "float32")
    assert data.notes == ("The test images had values 0..255 (uint8), the training images 0..1 (float32).",)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_floats_become_the_bytes_that_they_always_became(tmp_path, dtype):
    x_train = RANDOM.random((20, 5, 5, 3)).astype(dtype)
    data = load(tmp_path, x_train=x_train, x_valid=x_train, y_valid=np.arange(20) % 2)
    np.testing.assert_array_equal(data.valid.images, np.round(x_train * 255).astype(np.uint8))


@pytest.mark.parametrize("shape", [(20, 4, 4, 16), (20, 6, 7, 5), (20, 4, 8, 4)])
def test_images_of_many_channels_are_not_taken_for_channels_first(tmp_path, shape):
    x_train, x_test = np.zeros(shape, np.uint8), np.zeros((6, *shape[1:]), np.uint8)
    assert load(tmp_path, x_train=x_train, x_test=x_test).image_shape == shape[1:]


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
        (
            {"x_train": np.full((20, 5, 5, 3), np.nan)},
            "x_train of .* has 1,500 values that are NaN .*nan_to_num",
        ),
        ({"x_train": np.full((20, 5, 5, 3), -np.inf)}, "x_train of .* has 1,500 values that are NaN or infinite"),
        ({"x_train": np.zeros((20, 5, 5, 3), np.int64)}, r"x_train of .*int64 .*: expected uint8.*astype\(numpy.uint8"),
        ({"x_train": np.full((20, 5, 5, 3), 300)}, r"int64 with values 300\.\.300: .* save x.astype\(numpy.uint16\)"),
        ({"x_train": np.full((20, 5, 5, 3), 16.0)}, r"float64 with values 16\.\.16: .*x / 16\.0"),
        ({"x_train": np.full((20, 5, 5, 3), -0.5)}, "as they were before normalisation"),
        ({"x_train": np.full((20, 5, 5, 3), True)}, r"x_train of .*bool: .*x.astype\(numpy.uint8\) \* 255"),
        ({"x_train": np.full((20, 5, 5, 3), "a")}, "x_train of .*<U1: expected uint8"),
        ({"x_train": np.zeros((20, 3, 32, 32), np.uint8)}, r"channels first: save x\.transpose\(0, 2, 3, 1\)"),
        ({"x_train": np.zeros((20, 1, 28, 30), np.uint8)}, r"channels first: save x\.transpose\(0, 2, 3, 1\)"),
        ({"x_train": np.zeros((32, 32, 3, 20), np.uint8)}, r"images last: save x\.transpose\(3, 0, 1, 2\)"),
        ({"x_train": np.zeros((3, 32, 32, 20), np.uint8)}, r"images last: save x\.transpose\(3, 1, 2, 0\)"),
        ({"x_train": np.zeros((28, 28, 20), np.uint8)}, r"images last: save x\.transpose\(2, 0, 1\)"),
        ({"y_train": np.zeros(19, int)}, "20 images but y_train has 19 labels"),
        ({"y_train": np.arange(20) / 2}, r"y_train of .*float64 .*label 0\.5 at position 1: expected one integer per"),
        ({"y_train": np.full(20, np.nan)}, "the label nan at position 0: expected one integer per image"),
        ({"y_train": np.full(20, np.inf)}, "the label inf at position 0: expected one integer per image"),
        ({"y_train": np.zeros((20, 2, 2), int)}, r"y_train of .*\[20, 2, 2\]: expected one integer .* of the class\.$"),
        ({"y_train": np.array(["a", "b"] * 10)}, "y_train of .* holds texts and y_test of .* holds numbers"),
        ({"y_train": np.array([True, False] * 10)}, "y_train of .* holds truth values and y_test of .* holds numbers"),
        ({"y_train": np.arange(20) * 2}, "the label 38, but there are 20 training images"),
        ({"y_train": np.full(20, 2**40)}, r"y_train of .*1099511627776: expected classes counted from 0"),
        ({"y_train": np.zeros(20, "datetime64[s]")}, "expected one integer per image"),
        ({"y_train": np.eye(20, dtype=int)}, "argmax"),
        ({"y_train": np.arange(20) % 2 - 1}, r"y_train of .*labels -1\.\.0: expected classes counted from 0"),
        ({"y_train": np.arange(20) % 2 + 1}, r"images of class 0, and the training part has none"),
        ({"y_train": np.array([{}] * 20)}, r"y_train of .*cannot be read: it holds Python objects.*x\.astype\(str\)"),
        ({"x_valid": np.zeros((4, 5, 5, 3), np.uint8)}, r"images\.npz has no y_valid"),
        ({"X_val": np.zeros((4, 5, 5, 3)), "x_valid": np.zeros((4, 5, 5, 3))}, "X_val of .* and x_valid are the same"),
        ({"class_names": np.array([["a", "b"]])}, r"class_names of .*\[1, 2\]: expected one text per class"),
        ({"class_names": np.array(["a"])}, "the label 1, but class_names has 1 names"),
        ({"class_names": np.array(["a", "a"])}, "two classes called a: expected different names"),
        ({"class_names": np.array(["a", "b", "c"])}, r"no image of class 2 \(c\)"),
        ({"class_names": np.array(["a", ""])}, "'': expected names of one line each, and it is empty"),
        (
            {"class_names": np.array(["a", "b\nc"])},
            r"'b\\nc': expected names of one line each, and it has a",
        ),
        ({"class_names": np.array(["a", "b\u2028c"])}, "it has a line break"),
        ({"class_names": np.array([b"a", b"\xff"])}, "class_names of .* is not UTF-8"),
    ],
)
def test_wrong_arrays_are_named(tmp_path, changes, message):
    with pytest.raises(InputError, match=message):
        load(tmp_path, **changes)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no such file"),
        (b"", "cannot be read as a NumPy archive .*: it is empty"),
        (b"id,label\n1,2\n", "cannot be read as a NumPy archive .*: it is a text that begins with 'id,label'"),
        (b"\n", "it is a text that begins with ''"),
        (b"\x89PNG\r\n\xff\xff\xff\xff\xff", "it begins with the bytes 89 50 4e 47, and an archive with 50 4b"),
        (b"PK\3\4", "cannot"),
    ],
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
