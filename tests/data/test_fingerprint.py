"""Fingerprints: equal for equal data, and the words about what differs."""

import dataclasses
import json
import time

import numpy as np
import pytest

from enas_tf.data.fingerprint import differences, fingerprint
from enas_tf.data.images import ImageData, Split
from enas_tf.data.sources import DataConfig, load_images
from enas_tf.data.text import TextConfig, TextData, build_vocabulary, split_tokens
from enas_tf.data.values import ValueRange

NAMES = ("cat", "dog", "fox")


def make_split(labels, seed=0, size=4):
    labels = np.asarray(labels, np.int32)
    return Split(np.random.default_rng(seed).integers(0, 256, (len(labels), size, size, 3), np.uint8), labels)


def make_images(names=NAMES, train=(0, 1, 2) * 4, valid=(0, 1, 2), test=(0, 1, 2), seed=0, **options):
    splits = [make_split(labels, seed + part) for part, labels in enumerate((train, valid, test))]
    return ImageData("made", names, *splits, **options)


def make_text(text="a b a\nc\n", tokens="word", vocab_size=100):
    vocabulary = build_vocabulary(split_tokens(text, tokens), TextConfig(tokens, vocab_size))
    return TextData("made", vocabulary, *(vocabulary.encode(text) for _ in range(3)))


def between(old, new):
    """Return the differences of two data sets, of which the first has been to a file in between."""
    return differences(json.loads(json.dumps(fingerprint(old))), fingerprint(new))


@pytest.mark.parametrize("make", [make_images, make_text])
def test_equal_data_do_not_differ(make):
    assert between(make(), make()) == []
    assert fingerprint(make()) == fingerprint(make())


def test_the_fingerprint_of_images():
    found = fingerprint(make_images())
    assert found["class_names"] == list(NAMES)
    assert found["counts"] == {"training": [4, 4, 4], "validation": [1, 1, 1], "test": [1, 1, 1]}
    assert set(found["hashes"]) == {"training", "validation", "test"}
    assert len(set(found["hashes"].values())) == 3


def test_the_fingerprint_of_text():
    found = fingerprint(make_text())
    assert (found["vocab_size"], found["counts"]["training"]) == (5, 6)


def test_the_layout_in_memory_does_not_matter():
    data = make_images()
    other = dataclasses.replace(data, train=Split(np.asfortranarray(data.train.images), data.train.labels))
    assert fingerprint(other) == fingerprint(data)


def test_where_data_lie_does_not_matter():
    assert between(make_images(), dataclasses.replace(make_images(), name="other", notes=("A.",), num_skipped=1)) == []


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {"names": ("dog", "cat", "fox")},
            ["The classes are in another order: cat, dog, fox; now dog, cat, fox."],
        ),
        ({"names": ("cat", "hound", "fox")}, ["Classes were renamed: dog to hound."]),
        ({"names": ("x", "y", "z")}, ["Classes were renamed: cat to x, dog to y, fox to z."]),
        (
            {"names": ("cat", "dog"), "train": (0, 1) * 6, "valid": (0, 1), "test": (0, 1)},
            [
                "There were 3 classes and there are now 2.",
                "Classes that are gone: fox.",
                "The training part had 12 images and has now 12.",
                "The validation part had 3 images and has now 2.",
                "The test part had 3 images and has now 2.",
            ],
        ),
        (
            {"names": ("ape", "cat", "dog")},
            ["Classes that are gone: fox.", "Classes that are new: ape."],
        ),
        (
            {"train": (0, 1, 2) * 4 + (1,)},
            [
                "The training part had 12 images and has now 13.",
                "Images per class of the training part: dog 4 to 5.",
            ],
        ),
        (
            {"seed": 7},
            [
                f"The images of the {part} part are others, or in another order; their number is the same."
                for part in ("training", "validation", "test")
            ],
        ),
        (
            {"values": ValueRange(0, 1, "float32")},
            ["The range of pixels was 0.0..255.0 (uint8) and is now 0.0..1.0 (float32)."],
        ),
    ],
)
def test_what_differs_is_named(changes, expected):
    assert between(make_images(), make_images(**changes)) == expected


def test_one_changed_pixel_is_found():
    data = make_images()
    images = data.test.images.copy()
    images[0, 0, 0, 0] ^= 1
    changed = dataclasses.replace(data, test=Split(images, data.test.labels))
    assert between(data, changed) == [
        "The images of the test part are others, or in another order; their number is the same."
    ]


def test_exchanged_labels_are_found():
    data = make_images()
    changed = dataclasses.replace(data, test=Split(data.test.images, data.test.labels[::-1].copy()))
    assert len(between(data, changed)) == 1


def test_another_shape_is_named():
    data = make_images()
    splits = [make_split(split.labels, size=6) for split in data.parts().values()]
    assert "The shape of images was 4x4x3 and is now 6x6x3." in between(data, ImageData("made", NAMES, *splits))


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        (
            make_text("a b a\nc d\n"),
            [
                "The size of the vocabulary was 5 and is now 6.",
                *(f"The {part} part had 6 tokens and has now 7." for part in ("training", "validation", "test")),
            ],
        ),
        (make_text("a b a\nd\n"), ["The vocabulary has other entries, or another order of them."]),
        (
            make_text("a b b\nc\n"),
            ["The vocabulary has other entries, or another order of them."]
            + [
                f"The tokens of the {part} part are others, or in another order; their number is the same."
                for part in ("training", "validation", "test")
            ],
        ),
        (make_images(), ["The data were text and are now images."]),
    ],
)
def test_what_differs_in_a_text_is_named(other, expected):
    assert between(make_text(), other) == expected


def test_another_unit_is_named():
    assert "The unit of the text was word and is now char." in between(make_text(), make_text(tokens="char"))


def test_what_an_older_fingerprint_lacks_is_not_compared():
    new = fingerprint(make_images())
    for key in new.keys() - {"kind"}:
        old = {name: value for name, value in new.items() if name != key}
        assert differences(old, new) == differences(new, old) == []


@pytest.mark.parametrize("key", ["kind", "class_names", "image_shape", "values", "counts", "hashes"])
@pytest.mark.parametrize(
    "value", [None, 5, "text", [], [[1]], {}, {"training": None}, {"training": 5}, [None] * 3, 1e99]
)
def test_a_damaged_record_is_no_error(key, value):
    new = fingerprint(make_images())
    found = differences(new | {key: value}, new)
    assert isinstance(found, list)
    assert all(isinstance(line, str) for line in found)


@pytest.mark.parametrize("record", [None, [], 5, "text"])
def test_a_record_of_another_type_is_damaged(record):
    assert differences(record, fingerprint(make_images())) == [
        "The record of the data is damaged, so the data cannot be compared with it."
    ]


def test_many_classes_make_a_short_message():
    names = tuple(f"class {number} {'x' * 200}" for number in range(500))
    train, other = np.arange(1000) % 500, np.concatenate([np.arange(500), np.arange(500)[::-1], np.arange(300)])
    old = make_images(names, train, np.arange(500), np.arange(500))
    new = make_images(names[::-1], other, np.arange(500), np.arange(500))
    assert sum(map(len, between(old, new))) < 2500
    assert sum(map(len, between(old, make_images(names, other, np.arange(500), np.arange(500))))) < 2500


def test_a_hash_takes_less_than_a_second():
    images = np.zeros((60_000, 32, 32, 3), np.uint8)
    split = Split(images, np.zeros(60_000, np.int32))
    data = ImageData("made", NAMES, split, make_split([0]), make_split([0]))
    start = time.perf_counter()
    fingerprint(data)
    assert time.perf_counter() - start < 1.5


def test_digits_have_the_same_fingerprint_on_every_machine():
    found = fingerprint(load_images(DataConfig()))
    assert found["hashes"]["test"] == "e64f5a9aecbbadaa315a78c8d0eb2ba4"
