"""The rows about a data set."""

import dataclasses

import numpy as np

from enas_tf.data.images import ImageData, Split
from enas_tf.data.report import describe
from enas_tf.data.sources import DataConfig, load_images
from enas_tf.data.text import TextConfig, TextData, build_vocabulary, split_tokens
from enas_tf.data.values import ValueRange


def make_split(labels):
    return Split(np.zeros((len(labels), 4, 6, 3), np.uint8), np.asarray(labels, np.int32))


DATA = ImageData("made", ("cat", "dog"), make_split([0] * 1000 + [1] * 2000), make_split([0, 1]), make_split([1]))


def test_rows_about_images():
    assert describe(DATA) == {
        "images": "3,000 training, 2 validation, 1 test",
        "size": "4x6 pixels (height x width), 3 channels",
        "classes": "2; training images per class: 1,000 (cat) to 2,000 (dog)",
        "pixels": "0..255 (uint8)",
        "skipped files": "none",
    }


def test_what_was_found_is_told():
    notes = ("12 files with the extension .webp were skipped.", "1 image was turned upright.")
    rows = describe(dataclasses.replace(DATA, values=ValueRange(0, 4095, "uint16"), notes=notes, num_skipped=1200))
    assert rows["pixels"] == "0..4095 (uint16), read as bytes"
    assert rows["skipped files"] == "1,200"
    assert rows["notes"] == " ".join(notes)


def test_classes_of_one_size():
    assert describe(dataclasses.replace(DATA, train=make_split([0, 1])))["classes"].endswith("per class: 1 each")


def test_rows_are_short():
    data = dataclasses.replace(DATA, class_names=("x" * 10_000, "y\n" * 1000))
    assert all(len(row) < 300 for row in describe(data).values())


def test_rows_about_digits():
    rows = describe(load_images(DataConfig()))
    assert rows["images"] == "1,294 training, 144 validation, 359 test"
    assert rows["size"] == "8x8 pixels (height x width), 1 channel"
    assert rows["pixels"] == "0..16 (float64), read as bytes"
    assert "notes" not in rows


def test_rows_about_text():
    text = "a b a\nc\n"
    vocabulary = build_vocabulary(split_tokens(text, "word"), TextConfig())
    train, valid = vocabulary.encode(text), vocabulary.encode("a d d\n")
    assert describe(TextData("made", vocabulary, train, valid, valid)) == {
        "words": "6 training, 4 validation, 4 test",
        "vocabulary": "5 entries",
        "unknown": "0.0% training, 50.0% validation, 50.0% test",
        "skipped files": "none",
    }
    characters = build_vocabulary(text, TextConfig("char"))
    ids = characters.encode(text)
    assert "characters" in describe(TextData("made", characters, ids, ids, ids))
