"""Images that a program holds are the images of an archive with the same arrays."""

import numpy as np
import pytest
import tensorflow as tf

from enas_tf.api.images import GivenImages, image_arrays
from enas_tf.data.fingerprint import fingerprint
from enas_tf.data.sources import DataConfig, load_images
from enas_tf.errors import InputError
from enas_tf.experiments.config import read_options

RNG = np.random.default_rng(0)
X, Y = RNG.integers(0, 256, [40, 5, 6], np.uint8), np.arange(40) % 4


def load(given, **options):
    return given.load(read_options({"dataset": given.dataset, **options}))


CASES = {
    "bytes": {"x": X, "y": Y},
    "channels": {"x": np.stack([X, X, X], -1), "y": Y[:, None]},
    "floats": {"x": X / np.float32(255), "y": Y.astype(float)},
    "wide": {"x": X.astype(np.uint16) * 257, "y": Y},
    "texts": {"x": X, "y": np.array([f"class {label}" for label in Y])},
    "names": {"x": X, "y": Y, "class_names": ["a", "b", "c", "d"]},
    "parts": {"x": X, "y": Y, "validation_data": (X[:8], Y[:8]), "test_data": (X[8:16], Y[8:16])},
    "lists": {"x": X.tolist(), "y": Y.tolist()},
}


@pytest.mark.parametrize("name", [name for name in CASES if name != "lists"])
def test_arrays_are_the_archive_that_is_kept_of_them(tmp_path, name):
    """What a later process loads from the workdir has the same bits."""
    given = GivenImages(image_arrays(**CASES[name]), tmp_path)
    given.keep(is_new=True)
    options = {"valid_fraction": 0.25, "limit_train": 20, "image_size": 4}
    here, there = load(given, **options), load_images(DataConfig(given.dataset, **options))
    assert fingerprint(here) == fingerprint(there)
    assert (here.name, here.notes) == (there.name, there.notes)


def test_data_are_written_once_and_again_for_a_search_that_begins(tmp_path):
    path, given = tmp_path / "data.npz", GivenImages(image_arrays(X, Y), tmp_path)
    given.keep(is_new=True)
    kept = path.read_bytes()
    GivenImages(image_arrays(X[:20], Y[:20]), tmp_path).keep(is_new=False)
    assert path.read_bytes() == kept, "a run that resumes has the same data"
    GivenImages(image_arrays(X[:20], Y[:20]), tmp_path).keep(is_new=True)
    assert path.read_bytes() != kept


DATASETS = {
    "batches": lambda x, y: tf.data.Dataset.from_tensor_slices((x, y)).batch(7),
    "single": lambda x, y: tf.data.Dataset.from_tensor_slices((x, y)),
    "shuffled": lambda x, y: tf.data.Dataset.from_tensor_slices((x, y)).shuffle(40, seed=3).batch(9),
}


@pytest.mark.parametrize("shape", [(5, 6), (5, 6, 1)])
@pytest.mark.parametrize("name", DATASETS)
def test_a_dataset_is_collected_in_an_order_of_its_own(name, shape):
    """So that one which is shuffled anew gives the same run."""
    x = X.reshape(40, *shape)
    expected, found = image_arrays(DATASETS["batches"](x, Y)), image_arrays(DATASETS[name](x, Y))
    np.testing.assert_array_equal(found.images["train"], expected.images["train"])
    np.testing.assert_array_equal(found.labels["train"], expected.labels["train"])
    pairs = {(image.tobytes(), label) for image, label in zip(x, Y.tolist(), strict=True)}
    images, labels = found.images["train"], found.labels["train"].tolist()
    assert {(image.tobytes(), label) for image, label in zip(images, labels, strict=True)} == pairs


def test_floats_of_a_dataset_in_0_to_255_become_bytes():
    """As `image_dataset_from_directory` of Keras has them; it knows the names of the classes, too."""
    dataset = tf.data.Dataset.from_tensor_slices((X.astype("float32"), Y)).batch(8)
    dataset.class_names = ["a", "b", "c", "d"]
    arrays = image_arrays(dataset, validation_data=dataset)
    assert arrays.images["train"].dtype == np.uint8
    assert sorted(map(bytes, arrays.images["valid"])) == sorted(map(bytes, X))
    assert arrays.class_names == ("a", "b", "c", "d")


def endless():
    return tf.data.Dataset.from_tensor_slices((X, Y)).repeat()


WRONG = [
    (lambda: image_arrays(X), "train part is not complete"),
    (lambda: image_arrays(X, Y[:3]), "x_train has 40 images but y_train has 3 labels"),
    (lambda: image_arrays(X, Y, validation_data=X), "valid part is not complete"),
    (lambda: image_arrays(X, Y, test_data=(X, np.eye(4)[Y])), r"y_test is float64 \[40, 4\].*argmax"),
    (lambda: image_arrays(X.transpose(1, 2, 0), Y), "images last"),
    (lambda: image_arrays(endless()), r"without an end.*take\(n\)"),
    (lambda: image_arrays(endless(), Y), "leave y out"),
    (lambda: image_arrays(tf.data.Dataset.from_tensor_slices(X)), "expected arrays"),
    (lambda: image_arrays(tf.data.Dataset.from_tensor_slices((X, Y)).take(0)), "without an example"),
    (lambda: image_arrays([[[1, 2]], [[1]]], [0, 1]), "train part cannot be an array"),
]


@pytest.mark.parametrize(("call", "words"), WRONG)
def test_wrong_data_are_refused(call, words):
    with pytest.raises(InputError, match=words):
        call()


def test_wrong_values_are_refused_where_they_are_loaded(tmp_path):
    for x, y, words in (
        (X * 1.0, Y, "x_train is float64 with values 0..255"),
        (X, Y + 1, "The training part of the data set given has no image of class 0"),
    ):
        with pytest.raises(InputError, match=words):
            load(GivenImages(image_arrays(x, y), tmp_path))


def test_a_dataset_that_is_too_large_is_refused_before_all_of_it_is_there(monkeypatch):
    monkeypatch.setattr("enas_tf.api.images.MOST_BYTES", 500)
    with pytest.raises(InputError, match=r"more than .* GiB"):
        image_arrays(endless().take(10**9))
