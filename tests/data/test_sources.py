"""The steps that all image sources share: the table of sources, the checks, and the parts that are split off."""

import dataclasses

import numpy as np
import pytest

from enas_tf.data import sources
from enas_tf.data.images import Parts, Split
from enas_tf.data.sources import DATA, DataConfig, load_images
from enas_tf.data.values import ValueRange
from enas_tf.errors import InputError, render


def make_split(labels, size=4):
    labels = np.asarray(labels, np.int32)
    return Split(np.zeros((len(labels), size, size, 1), np.uint8), labels)


@pytest.fixture
def load(monkeypatch):
    """Return a function that loads parts of the test as if a source had read them."""

    def load_parts(train, valid=None, test=None, classes=2, **options):
        parts = Parts(tuple("abc"[:classes]), train, valid, test)
        monkeypatch.setitem(sources.LOADERS, "npz", lambda *_: parts)
        return load_images(DataConfig("npz:made", **options))

    return load_parts


def test_official_parts_are_kept(load):
    train, valid, test = make_split([0, 1] * 10), make_split([0, 1] * 2), make_split([1, 0] * 3)
    data = load(train, valid, test)
    assert [data.train.labels.tolist(), data.valid.labels.tolist(), data.test.labels.tolist()] == [
        part.labels.tolist() for part in (train, valid, test)
    ]
    assert [data.train.name, data.valid.name, data.test.name] == ["training", "validation", "test"]


def test_missing_parts_are_split_off_disjointly(load):
    images = np.arange(200, dtype=np.uint8)[:, None, None, None]
    whole = Split(images, np.repeat(np.arange(2, dtype=np.int32), 100))
    data = load(whole, valid_fraction=0.2)
    parts = [split.images.ravel() for split in (data.train, data.valid, data.test)]
    np.testing.assert_array_equal(np.sort(np.concatenate(parts)), np.arange(200))
    assert [len(part) for part in parts] == [144, 36, 20]  # a tenth for the test, a fifth of the rest
    assert np.bincount(data.valid.labels).tolist() == [18, 18]


def test_limit_train_is_a_reproducible_random_choice(load):
    train, test = make_split([0] * 50 + [1] * 50), make_split([0, 1])
    limited = [load(train, test=test, limit_train=20) for _ in range(2)]
    assert len(limited[0].train) == 20
    assert set(limited[0].train.labels.tolist()) == {0, 1}  # the first 20 of the file are all of class 0
    np.testing.assert_array_equal(limited[0].train.labels, limited[1].train.labels)
    assert len(limited[0].valid) == len(load(train, test=test).valid)


@pytest.mark.parametrize(
    ("limit", "notes"),
    [
        (20, ("70 training images are left out by limit_train=20.",)),
        (89, ("1 training image is left out by limit_train=89.",)),
        (90, ()),
        (1000, ()),
        (None, ()),
    ],
)
def test_images_that_the_limit_leaves_out_are_counted(load, limit, notes):
    data = load(make_split([0, 1] * 50), test=make_split([0, 1]), limit_train=limit)
    assert tuple(render(note) for note in data.notes) == notes
    assert len(data.train) == min(limit or 90, 90)


@pytest.mark.parametrize("kind", ["folder", "npz"])
def test_the_home_directory_is_known(monkeypatch, tmp_path, kind):
    """A shell leaves the ~ of --dataset=folder:~/photos as it is."""
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(InputError, match=f"^dataset={kind}:{tmp_path}/photos: no such"):
        load_images(DataConfig(f"{kind}:~/photos"))
    (tmp_path / "photos").mkdir()
    with pytest.raises(InputError, match=r"To read ~/photos, write folder:~/photos\.$"):
        load_images(DataConfig("~/photos"))


def test_all_parts_are_resized(load):
    data = load(make_split([0, 1] * 10), test=make_split([0, 1], size=9), image_size=6)
    assert {split.images.shape[1:] for split in (data.train, data.valid, data.test)} == {(6, 6, 1)}


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"train": make_split([0, 0]), "classes": 1}, "1 class: expected at least 2"),
        ({"train": make_split([])}, "train part .*is empty"),
        ({"train": make_split([0, 1] * 9), "test": make_split([-1, -1])}, r"test part .*-1\.\.-1.*expected 0\.\.1"),
        ({"train": make_split([0, 2] * 9), "classes": 3}, r"no image of class 1.*found 0, 2\. Number"),
        ({"train": make_split([0, 1] * 9), "test": make_split([0, 1], size=5)}, r"\[5, 5, 1\].*image_size=32"),
        ({"train": make_split([0, 1])}, "No validation images"),
    ],
)
def test_unusable_data_is_refused(load, parts, message):
    with pytest.raises(InputError, match=message):
        load(**parts)


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        ("cifar10", "expected digits, tfds:NAME, .*write tfds:cifar10"),
        ("foldr:images", "Did you mean folder"),
        ("folder:", "expected folder:NAME_OR_PATH"),
        ("digits:here", "expected digits alone"),
    ],
)
def test_unknown_data_sets_are_refused(dataset, message):
    with pytest.raises(InputError, match=message):
        load_images(DataConfig(dataset))


@pytest.mark.parametrize(
    "options", [{"image_size": 0}, {"valid_fraction": 0.0}, {"valid_fraction": 1.0}, {"limit_train": 0}]
)
def test_wrong_options_are_named(options):
    with pytest.raises(InputError, match=f"{next(iter(options))}="):
        DataConfig(**options)


def test_classes_that_a_part_does_not_measure_are_named(load):
    data = load(make_split([0] * 30 + [1] * 30 + [2]), test=make_split([0, 0]), classes=3)
    assert data.notes == (
        "1 of 3 classes has no image in the validation part: c.",
        "2 of 3 classes have no image in the test part: b, c.",
    )
    assert load(make_split([0, 1] * 10)).notes == ()


def test_what_a_source_has_found_is_kept(monkeypatch):
    parts = Parts(("a", "b"), make_split([0, 1] * 10), values=ValueRange(0, 1, "float32"), notes=("A.",), num_skipped=3)
    monkeypatch.setitem(sources.LOADERS, "npz", lambda *_: parts)
    data = load_images(DataConfig("npz:made"))
    assert (data.values, data.notes, data.num_skipped) == (parts.values, parts.notes, parts.num_skipped)


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        ("photos", r"To read photos, write folder:photos\.$"),
        ("./photos", r"To read \./photos, write folder:\./photos\.$"),
        ("arrays.npz", r"To read arrays\.npz, write npz:arrays\.npz\.$"),
        ("arrays", r"To read arrays\.npz, write npz:arrays\.npz\.$"),
        ("table.csv", r"Of files, only NumPy archives are read: save the images as numpy\.savez"),
        ("other", r"If it is a set of TensorFlow Datasets, write tfds:other\.$"),
    ],
)
def test_what_is_there_is_suggested(tmp_path, monkeypatch, dataset, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    (tmp_path / "arrays.npz").touch()
    (tmp_path / "table.csv").touch()
    with pytest.raises(InputError, match=message):
        load_images(DataConfig(dataset))


@pytest.mark.parametrize("dataset", ["{}", "folder:{}", "npz:{}", "tfds:{}", "digits:{}", "pydoc:{}"])
@pytest.mark.parametrize("text", ["x" * 10_000_000, "a\0b", "a\nb" * 1000, "\udcff", "漢" * 5000, "../" * 5000])
def test_messages_stay_short(dataset, text):
    with pytest.raises(InputError) as caught:
        load_images(DataConfig(dataset.format(text)))
    assert len(str(caught.value)) < 1500
    assert str(caught.value).isprintable()


def test_every_option_has_a_text():
    assert all(field.metadata["help"] for field in dataclasses.fields(DataConfig))


def test_the_place_of_the_data_decides_nothing():
    assert [option.name for option in DATA.options if not option.decides] == ["data_dir"]


def test_messages_write_options_as_a_launcher_does():
    with pytest.raises(InputError) as caught:
        load_images(DataConfig(dataset="pydoc"))
    message = caught.value.render(lambda name: f"--{name}")
    assert message.startswith("--dataset=pydoc is text")
    assert message.endswith("--space=recurrent is for text.")


def test_text_is_no_set_of_images():
    with pytest.raises(InputError, match=r"dataset=pydoc is text.*digits.*space=recurrent"):
        load_images(DataConfig(dataset="pydoc"))
