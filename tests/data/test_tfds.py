"""Data sets of TFDS: small ones that the tests write in its format, and CIFAR-10 where it is on disk."""

import os
import time
from pathlib import Path

import numpy as np
import pytest
import requests

from enas_tf.data.sources import DataConfig, load_images
from enas_tf.data.values import BYTES
from enas_tf.errors import InputError

tfds = pytest.importorskip("tensorflow_datasets")

TFDS_DIR = Path(os.environ.get("ENAS_TF_TFDS_DIR", Path(__file__).parents[3] / "shared" / "tensorflow_datasets"))


def write(directory, counts, shape=(4, 4, 3), sizes=(4,), features=None, file_format=None):
    """Write a data set `made`: image k of `counts[split]` is full of k, its class is k % 2, its width in `sizes`."""
    features = features or {
        "image": tfds.features.Image(shape=shape, encoding_format="png"),
        "label": tfds.features.ClassLabel(names=["cat", "dog"]),
    }

    class Made(tfds.core.GeneratorBasedBuilder, skip_registration=True):
        VERSION = tfds.core.Version("1.0.0")
        name = "made"

        def _info(self):
            return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

        def _split_generators(self, dl_manager):
            return {split: self._generate_examples(count) for split, count in counts.items()}

        def _generate_examples(self, count):
            for k in range(count):
                image = np.full((4, sizes[k % len(sizes)], shape[-1]), k, np.uint8)
                yield k, {key: {"image": image, "label": k % 2}.get(key, 0) for key in features}

    Made(data_dir=directory, file_format=file_format).download_and_prepare()
    return directory


def load(directory, name="made", **options):
    return load_images(DataConfig(f"tfds:{name}", data_dir=str(directory), **options))


@pytest.mark.parametrize("image_size", [None, 6])
def test_images_and_labels_are_read(tmp_path, image_size):
    data = load(write(tmp_path, {"train": 20, "test": 4}), image_size=image_size, valid_fraction=0.2)
    assert (data.class_names, data.image_shape[:2]) == (("cat", "dog"), (image_size or 4,) * 2)
    assert [len(data.train), len(data.valid), len(data.test)] == [16, 4, 4]
    numbers = data.test.images[:, 0, 0, 0]
    assert sorted(numbers.tolist()) == [0, 1, 2, 3]
    np.testing.assert_array_equal(data.test.labels, numbers % 2)


def test_files_of_another_format_are_refused(tmp_path):
    write(tmp_path, {"train": 20, "test": 4}, file_format="array_record")
    with pytest.raises(
        InputError, match=r"are array_record: expected tfrecord.*tfds build made --file_format=tfrecord"
    ):
        load(tmp_path)


@pytest.mark.parametrize(
    ("counts", "sizes"),
    [
        ({"train": 20, "validation": 6, "test": 4}, [20, 6, 4]),
        ({"train": 20, "validation": 6}, [18, 2, 6]),  # the official validation part becomes the test part
        ({"train": 40}, [32, 4, 4]),
    ],
)
def test_missing_parts(tmp_path, counts, sizes):
    data = load(write(tmp_path, counts))
    assert [len(data.train), len(data.valid), len(data.test)] == sizes


def test_splits_that_are_not_read_are_named(tmp_path):
    data = load(write(tmp_path, {"train": 20, "validation": 6, "extra": 5}))
    assert data.notes == (
        "1 split was not read: extra (5).",
        "The official validation part is the test part, since there is none.",
    )
    assert data.values == BYTES


def test_images_larger_than_the_memory_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"20 images of 10000000x10000000 pixels would take .* PB"):
        load(write(tmp_path, {"train": 20, "test": 4}), image_size=10_000_000)


def test_channels_come_last_in_every_data_set():
    """TFDS stores images as files, so an array with its channels first cannot become one."""
    for encoding in ("png", "jpeg"):
        with pytest.raises(Exception, match=r"channels|acceptable"):
            tfds.features.Image(shape=(3, 32, 32), encoding_format=encoding).encode_example(
                np.zeros((3, 32, 32), np.uint8)
            )


def test_images_of_different_sizes_need_image_size(tmp_path):
    write(tmp_path, {"train": 40, "test": 4}, shape=(None, None, 3), sizes=(4, 5))
    with pytest.raises(InputError, match=r"made.* differ in size \(4x[45] and 4x[45] pixels.*image_size=32"):
        load(tmp_path)
    assert load(tmp_path, image_size=5).image_shape == (5, 5, 3)


def test_a_shape_that_is_not_promised_is_found(tmp_path):
    data = load(write(tmp_path, {"train": 40, "test": 4}, shape=(None, None, 1)))
    assert data.image_shape == (4, 4, 1)
    np.testing.assert_array_equal(data.train.images[:, 0, 0, 0] % 2, data.train.labels)


def test_other_features_are_refused(tmp_path):
    write(tmp_path, {"train": 2}, features={"label": tfds.features.ClassLabel(num_classes=2), "x": np.int64})
    with pytest.raises(InputError, match=r"expected the features image .*it has label, x\."):
        load(tmp_path)


def test_a_train_split_is_needed(tmp_path):
    with pytest.raises(InputError, match="no train split, only test"):
        load(write(tmp_path, {"test": 4}))


def test_damaged_files_are_reported(tmp_path):
    write(tmp_path, {"train": 20, "test": 4})
    (path,) = tmp_path.glob("made/*/made-train*")
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(InputError, match=r"made.* cannot be read .*Remove that directory"):
        load(tmp_path)


def test_unknown_names_get_close_ones(tmp_path):
    with pytest.raises(InputError, match=r"tfds:cifar11: .*knows no such data set, .*\. Close to it are .*cifar10"):
        load(tmp_path, "cifar11")


def test_a_set_of_ones_own_is_looked_for_in_the_directory_of_the_data(tmp_path):
    """It may have been forgotten, or be one level too deep."""
    write(tmp_path, {"train": 20, "test": 4})
    assert len(load(tmp_path).train) > 0
    for place in (None, tmp_path / "made"):
        with pytest.raises(InputError, match=r"none of that name is prepared in .*data_dir.*/made/VERSION\.$"):
            load(place)


def test_wrong_versions_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"tfds:mnist:99\.0\.0 cannot be opened"):
        load(tmp_path, "mnist:99.0.0")


def test_without_a_network_it_fails_fast(tmp_path, monkeypatch):
    def refuse(*args, **kwargs):
        raise requests.ConnectionError("no network")

    monkeypatch.setattr(requests.Session, "request", refuse)
    start = time.monotonic()
    with pytest.raises(InputError, match=rf"mnist/.* is not at {tmp_path}.*could not be downloaded.*data_dir"):
        load(tmp_path, "mnist")
    assert time.monotonic() - start < 5
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(
    not (TFDS_DIR / "cifar10").is_dir(),
    reason=f"no CIFAR-10 at {TFDS_DIR}: set ENAS_TF_TFDS_DIR to a directory of TensorFlow Datasets that holds it",
)
def test_cifar10():
    data = load(TFDS_DIR, "cifar10")
    assert (data.image_shape, data.num_classes) == ((32, 32, 3), 10)
    assert [len(data.train), len(data.valid), len(data.test)] == [45000, 5000, 10000]
    assert np.bincount(data.valid.labels).tolist() == [500] * 10
    # The mean colour and its deviation in units of 0..1, as they are often published for CIFAR-10.
    np.testing.assert_allclose(data.channel_mean / 255, [0.4914, 0.4822, 0.4465], atol=0.01)
    np.testing.assert_allclose(np.sqrt(data.channel_variance) / 255, [0.247, 0.2435, 0.2616], atol=0.005)
