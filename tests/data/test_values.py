"""Laws of the range of a user's pixels."""

import dataclasses

import numpy as np
import pytest
from sklearn.datasets import load_digits

from enas_tf.data.sources import DataConfig, load_images
from enas_tf.data.values import BYTES, ValueRange, largest_of, range_of_integers

ALL = np.arange(256, dtype=np.uint8).reshape(4, 8, 8, 1)
RANGES = [
    BYTES,
    ValueRange(0, 1, "float32"),
    ValueRange(0, 16, "float64"),
    ValueRange(0, 4095, "uint16"),
    ValueRange(0, 65535, "uint16"),
    ValueRange(-1, 1, "float32"),
    ValueRange(-1024, 3071, "int16"),
]


@pytest.mark.parametrize("values", RANGES, ids=str)
def test_bytes_come_back(values):
    theirs = values.from_bytes(ALL)
    assert theirs.dtype == values.dtype
    assert (theirs.min(), theirs.max()) == (values.low, values.high)
    np.testing.assert_array_equal(values.to_bytes(theirs), ALL)


def test_bytes_are_not_copied():
    assert BYTES.to_bytes(ALL) is ALL
    assert BYTES.from_bytes(ALL) is ALL


def test_floats_are_those_of_a_division():
    np.testing.assert_array_equal(ValueRange(0, 1, "float64").from_bytes(ALL), ALL / 255)


def test_conversion_is_an_affine_map():
    values = ValueRange(-1, 1, "float32")
    theirs = np.linspace(-1, 1, 1000, dtype=np.float32)
    np.testing.assert_array_equal(values.to_bytes(theirs), np.round((theirs + 1) * 127.5))
    assert values.scale == 127.5


def test_values_outside_are_clipped():
    assert ValueRange(0, 1, "float32").to_bytes(np.array([-5, 0.5, 7])).tolist() == [0, 128, 255]


def test_large_arrays_are_converted_in_chunks():
    theirs = np.linspace(0, 1, 5000)
    np.testing.assert_array_equal(ValueRange(0, 1, "float64").to_bytes(theirs), np.round(theirs * 255))


@pytest.mark.parametrize(
    ("largest", "high"),
    [(0, 255), (255, 255), (256, 1023), (1024, 4095), (4095, 4095), (4096, 16383), (16384, 65535), (65535, 65535)],
)
def test_integers_have_the_depth_that_they_need(largest, high):
    assert range_of_integers(largest) == ValueRange(0, high, "uint16")


def test_largest_of_arrays():
    assert largest_of([np.array([1, 7], np.uint16), np.zeros(0, np.uint16)]) == 7
    assert largest_of([]) == 0


@pytest.mark.parametrize("limits", [(1, 1), (2, 1), (np.nan, 1), (0, np.inf)])
def test_a_range_has_two_ends(limits):
    with pytest.raises(ValueError, match="low < high"):
        ValueRange(*limits)


def test_a_type_has_a_name_of_numpy():
    with pytest.raises(TypeError):
        ValueRange(0, 1, "colour")


def test_ranges_are_values():
    assert ValueRange(0.0, 255.0, "uint8") == ValueRange()
    assert hash(ValueRange(0, 255)) == hash(BYTES)
    assert ValueRange(**dataclasses.asdict(RANGES[2])) == RANGES[2]
    assert str(RANGES[2]) == "0..16 (float64)"


def test_digits_keep_the_values_of_scikit_learn():
    data = load_images(DataConfig())
    assert data.values == ValueRange(0, 16, "float64")
    theirs = load_digits().images[..., np.newaxis]
    np.testing.assert_array_equal(data.values.to_bytes(theirs)[..., 0], np.round(load_digits().images * (255 / 16)))
    ours = np.concatenate([split.images for split in data.parts().values()])
    found = sorted(image.tobytes() for image in data.values.to_bytes(theirs))
    assert found == sorted(image.tobytes() for image in ours)
