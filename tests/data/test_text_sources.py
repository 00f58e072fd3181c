"""Sources of text: Python's help topics, directories and sets of TFDS that the tests write, and WikiText on disk."""

import os
from pathlib import Path

import numpy as np
import pytest

from enas_tf.data import sources, text_sources
from enas_tf.data.text import TextConfig
from enas_tf.data.text_sources import TEXT_SOURCE, TextSourceConfig, load_pydoc, load_text
from enas_tf.errors import InputError

TEXT_DIR = os.environ.get("ENAS_TF_TEXT_DIR")
CONTENTS = {"train": "a b a c\nb a\n", "valid": "a d\n", "test": "c\n\nb\n"}


def write(directory, contents=CONTENTS, name="{}.txt"):
    for part, content in contents.items():
        content = content if isinstance(content, bytes) else content.encode()
        (directory / name.format(part)).write_bytes(content)
    return directory


def load(dataset, tokens="word", vocab_size=10_000, limit_train=None, data_dir=None):
    return load_text(str(dataset), data_dir, TextConfig(tokens, vocab_size), limit_train)


def assert_equal(first, second):
    assert first.vocabulary == second.vocabulary
    for ids, others in zip(first.parts().values(), second.parts().values(), strict=True):
        np.testing.assert_array_equal(ids, others)


def decoded(data):
    return [data.vocabulary.decode(ids) for ids in data.parts().values()]


# Python's help topics


@pytest.mark.parametrize(
    ("tokens", "entries", "count"), [("word", (500, 10_000), 40_000), ("char", (60, 1000), 200_000)]
)
def test_pydoc_has_parts_of_80_10_and_10_percent(tokens, entries, count):
    data = load("pydoc", tokens)
    assert entries[0] < data.vocab_size < entries[1]
    total = sum(data.num_tokens.values())
    assert count < total < 10 * count
    shares = [size / total for size in data.num_tokens.values()]
    np.testing.assert_allclose(shares, [0.8, 0.1, 0.1], atol=0.03)
    assert_equal(data, load("pydoc", tokens))


def test_no_paragraph_of_pydoc_comes_twice():
    texts = load_pydoc("", None, "char")
    paragraphs = [
        " ".join(text.split()) for part in (texts.train, texts.valid, texts.test) for text in part.split("\n\n")
    ]
    paragraphs = [text for text in paragraphs if text]
    assert len(set(paragraphs)) == len(paragraphs) > 500


def test_words_of_pydoc_are_plain():
    data = load("pydoc")
    words = set(data.vocabulary.entries)
    assert {"the", "statement", "is", ".", "(", "="} <= words
    assert not [word for word in words if word != word.lower() or word.startswith("==")]


def test_a_model_of_pydoc_meets_unknown_words():
    data = load("pydoc")
    unknown = [np.mean(ids == data.vocabulary.unknown) for ids in data.parts().values()]
    assert 0.005 < unknown[0] < max(unknown) < 0.15
    assert np.bincount(data.train).min() >= 2  # words that occur once are unknown


# Directories


@pytest.mark.parametrize("name", ["{}.txt", "wiki.{}.tokens", "wiki.{}.raw", "ptb.{}.txt"])
def test_files_of_a_directory_are_read_as_they_are(tmp_path, name):
    data = load(f"text:{write(tmp_path, name=name)}")
    assert data.vocabulary.entries == ("<unk>", "<eos>", "a", "b", "c")
    assert decoded(data) == ["a b a c\nb a\n", "a <unk>\n", "c\n\nb\n"]
    assert data.num_tokens == {"training": 8, "validation": 3, "test": 5}


def test_characters_of_a_directory(tmp_path):
    data = load(f"text:{write(tmp_path)}", "char")
    assert data.vocabulary.entries == ("<unk>", " ", "a", "b", "\n", "c")
    assert decoded(data) == ["a b a c\nb a\n", "a <unk>\n", "c\n\nb\n"]


def test_files_of_windows_are_read_alike(tmp_path):
    (tmp_path / "windows").mkdir()
    contents = {part: b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode() for part, text in CONTENTS.items()}
    write(tmp_path / "windows", contents)
    for tokens in ("word", "char"):
        assert_equal(load(f"text:{write(tmp_path)}", tokens), load(f"text:{tmp_path / 'windows'}", tokens))


@pytest.mark.parametrize("tokens", ["word", "char"])
def test_limit_train_keeps_the_first_tokens(tmp_path, tokens):
    whole, limited = (load(f"text:{write(tmp_path)}", tokens, limit_train=limit) for limit in (None, 3))
    assert len(limited.train) == 3
    assert whole.vocabulary.decode(whole.train[:3]) == limited.vocabulary.decode(limited.train)
    assert set(limited.train) | {0, 1} == set(range(limited.vocab_size))  # every entry occurs in the tokens kept
    assert len(limited.test) == len(whole.test)
    for limit in (0, 1000):
        assert_equal(load(f"text:{tmp_path}", tokens, limit_train=limit), whole)


def test_vocab_size_limits_the_entries(tmp_path):
    assert load(f"text:{write(tmp_path)}", vocab_size=3).vocabulary.entries == ("<unk>", "<eos>", "a")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"valid": ""}, r"valid\.txt is empty: expected text"),
        ({"test": " \n\n"}, r"test\.txt is empty"),
        ({"train": b"good\nb\xe4d\n"}, r"train\.txt is not UTF-8: .*byte 0xe4 at offset 6\. Convert it"),
        ({"valid": "a b\n".encode("utf-16")}, r"valid\.txt is not UTF-8: .*`iconv -f utf-16 -t utf-8`"),
        ({"test": b"a\0b\n"}, r"test\.txt is not a text: .*NUL character at offset 1"),
    ],
)
def test_wrong_files_are_named(tmp_path, changes, message):
    with pytest.raises(InputError, match=message):
        load(f"text:{write(tmp_path, CONTENTS | changes)}")


@pytest.mark.parametrize("part", ["train", "valid", "test"])
def test_a_missing_file_is_named(tmp_path, part):
    write(tmp_path)
    (tmp_path / f"{part}.txt").unlink()
    expected = rf"{tmp_path} has no {part}\.txt: .*wiki\.{part}\.tokens.*ptb\.{part}\.txt\. Put the {part} part"
    with pytest.raises(InputError, match=expected):
        load(f"text:{tmp_path}")


@pytest.mark.parametrize("names", [("Train", "val", "TEST"), ("training", "validation", "testing")])
def test_usual_names_of_parts(tmp_path, names):
    for part, name in zip(CONTENTS, names, strict=True):
        (tmp_path / f"{name}.txt").write_text(CONTENTS[part])
    assert decoded(load(f"text:{tmp_path}")) == ["a b a c\nb a\n", "a <unk>\n", "c\n\nb\n"]


def test_files_that_are_not_read_are_named(tmp_path):
    write(tmp_path, dict.fromkeys(CONTENTS, "other\n"), "wiki.{}.tokens")
    write(tmp_path, {"valid": "other\n"}, "validation.txt")
    data = load(f"text:{write(tmp_path)}")
    assert decoded(data)[1] == "a <unk>\n"
    assert data.num_skipped == 4
    assert data.notes == (
        "4 files were skipped beside those that were read: "
        "wiki.train.tokens, validation.txt, wiki.valid.tokens, wiki.test.tokens.",
    )
    assert load("pydoc").notes == ()


def test_special_files_are_refused_at_once(tmp_path):
    write(tmp_path)
    (tmp_path / "valid.txt").unlink()
    os.mkfifo(tmp_path / "valid.txt")
    for place, message in (
        (tmp_path, r"valid\.txt is a named pipe\. Expected a text file"),
        (tmp_path / "valid.txt", r"valid\.txt is a named pipe\. Expected a file, or a directory with"),
        ("/dev/zero", r"/dev/zero is a device\. Expected"),
    ):
        with pytest.raises(InputError, match=message):
            load(f"text:{place}")


def test_files_larger_than_the_memory_are_refused(tmp_path):
    os.truncate(write(tmp_path) / "valid.txt", 2**42)  # A file of holes, which takes no space.
    with pytest.raises(InputError, match=r"valid\.txt would take 8\.8 TB of memory"):
        load(f"text:{tmp_path}")


def test_a_directory_that_is_there_is_suggested(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "prose").mkdir()
    with pytest.raises(InputError, match=r"To read that directory, write text:prose\.$"):
        load("prose")


def test_a_single_file_is_cut_in_three(tmp_path):
    lines = [f"line {number} of a book" for number in range(100)]
    (tmp_path / "book.txt").write_text("".join(f"{line}\n" for line in lines))
    data = load(f"text:{tmp_path / 'book.txt'}")
    sizes = [len(ids) for ids in data.parts().values()]
    assert sum(sizes) == 100 * 6, "five words and the end of each line"
    np.testing.assert_allclose([size / 600 for size in sizes], [0.81, 0.09, 0.1], atol=0.02)
    assert data.notes == ("The test part is the last tenth of the file, the validation part the tenth before.",)
    assert len(load(f"text:{tmp_path / 'book.txt'}", "char").train) > sizes[0]


def test_a_text_without_blanks_has_no_words(tmp_path):
    (tmp_path / "book.txt").write_text("".join("漢" * 500 + "\n" for _ in range(30)))
    with pytest.raises(InputError, match=r"characters and .* words: words are cut at blanks.*Use tokens=char"):
        load(f"text:{tmp_path / 'book.txt'}")
    assert len(load(f"text:{tmp_path / 'book.txt'}", "char").train) > 10_000


@pytest.mark.parametrize("dataset", ["{}", "text:{}", "tfds:{}", "pydoc:{}", "folder:{}"])
@pytest.mark.parametrize("text", ["x" * 10_000_000, "a\0b", "a\nb" * 1000, "\udcff", "漢" * 5000])
def test_messages_stay_short(dataset, text):
    with pytest.raises(InputError) as caught:
        load(dataset.format(text))
    assert len(str(caught.value)) < 1500
    assert str(caught.value).isprintable()


# The table of sources


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        ("wikitext", "expected pydoc, text:PATH, tfds:NAME.*write tfds:wikitext; if it is a directory, text:wikitext"),
        ("pydocs", r"is not a text.*Did you mean pydoc\?"),
        ("txt:here", r"Did you mean text:PATH\?"),
        ("digits", "holds images, but the recurrent space needs text: expected pydoc, text:PATH, tfds:NAME"),
        ("folder:images", "folder:images holds images"),
        ("text:", "dataset=text: is not complete: expected text:PATH"),
        ("tfds", "is not complete: expected tfds:NAME"),
        ("pydoc:here", "expected pydoc alone"),
        ("text:nowhere", r"text:nowhere: no such directory \(/.*/nowhere\)\. Expected a file, or a directory with"),
    ],
)
def test_unknown_data_sets_are_refused(dataset, message):
    with pytest.raises(InputError, match=message):
        load(dataset)


def test_every_kind_is_text_or_images():
    assert set(text_sources.KINDS) == set(text_sources.LOADERS)
    assert set(text_sources._IMAGE_KINDS) == set(sources.LOADERS) - set(text_sources.LOADERS)


def test_a_negative_limit_is_refused():
    with pytest.raises(InputError, match=r"limit_train=-1 is not valid: expected a number of tokens"):
        load("pydoc", limit_train=-1)


@pytest.mark.parametrize("limit", [0, -1])
def test_the_limit_of_a_config_is_positive(limit):
    with pytest.raises(InputError, match=rf"limit_train={limit} is not valid: expected a number of tokens, 1 or more"):
        TextSourceConfig(limit_train=limit)


def test_options_are_read_as_a_group():
    assert TEXT_SOURCE.build({"dataset": "text:here", "limit_train": 5}) == TextSourceConfig("text:here", None, 5)
    assert [option.name for option in TEXT_SOURCE.options if not option.decides] == ["data_dir"]


# TensorFlow Datasets


def make(directory, splits, features=None):
    """Write a data set `made` with an example per string of `splits[name]`; return its directory."""
    tfds = pytest.importorskip("tensorflow_datasets")
    features = {"words": tfds.features.Text()} if features is None else features

    class Made(tfds.core.GeneratorBasedBuilder, skip_registration=True):
        VERSION = tfds.core.Version("1.0.0")
        name = "made"

        def _info(self):
            info = tfds.core.DatasetInfo(
                builder=self, features=tfds.features.FeaturesDict(features), disable_shuffling=True
            )
            return info

        def _split_generators(self, dl_manager):
            return {name: self._generate_examples(texts) for name, texts in splits.items()}

        def _generate_examples(self, texts):
            for k, text in enumerate(texts):
                yield k, {key: k if feature is np.int64 else text for key, feature in features.items()}

    Made(data_dir=directory).download_and_prepare()
    return str(directory)


LINES = [f"line {k}" for k in range(100)]


def test_examples_are_lines(tmp_path):
    directory = make(tmp_path, {"train": ["a b", "c\n", ""], "validation": ["a"], "test": ["b\nc"]})
    assert decoded(load("tfds:made", data_dir=directory)) == ["a b\nc\n\n", "a\n", "b\nc\n"]


@pytest.mark.parametrize(
    ("splits", "sizes"),
    [
        ({"train": LINES, "validation": ["line"]}, [90, 1, 10]),
        ({"train": LINES, "test": ["line"]}, [90, 10, 1]),
        ({"train": LINES}, [81, 9, 10]),
    ],
)
def test_missing_parts_are_cut_off_the_training_part(tmp_path, splits, sizes):
    parts = decoded(load("tfds:made", "char", data_dir=make(tmp_path, splits)))
    assert [text.count("\n") for text in parts] == pytest.approx(sizes, abs=1)
    assert "".join(text for text in parts if text != "line\n").splitlines() == LINES


def test_what_tfds_has_and_has_not_is_noted(tmp_path):
    data = load("tfds:made", data_dir=make(tmp_path, {"train": LINES, "test": ["line"], "extra": ["a", "b"]}))
    assert data.notes == (
        "1 split was not read: extra (2).",
        "The validation part is the last tenth of the training part, since there is none.",
    )


def test_a_single_line_is_cut_between_words(tmp_path):
    parts = decoded(load("tfds:made", data_dir=make(tmp_path, {"train": [" ".join("ab" * 50)]})))
    assert [len(text.split()) for text in parts] == pytest.approx([81, 9, 10], abs=1)


def test_a_text_too_short_to_be_cut_is_refused(tmp_path):
    with pytest.raises(InputError, match="The train part of tfds:made is empty"):
        load("tfds:made", data_dir=make(tmp_path, {"train": ["word"]}))


def test_the_feature_called_text_is_taken_among_several(tmp_path):
    tfds = pytest.importorskip("tensorflow_datasets")
    features = {"text": tfds.features.Text(), "title": tfds.features.Text(), "number": np.int64}
    directory = make(tmp_path, {split: ["a"] for split in ("train", "validation", "test")}, features)
    assert decoded(load("tfds:made", data_dir=directory)) == ["a\n"] * 3


@pytest.mark.parametrize("names", [("title", "body"), ()])
def test_one_text_is_needed(tmp_path, names):
    tfds = pytest.importorskip("tensorflow_datasets")
    features = {"number": np.int64} | {name: tfds.features.Text() for name in names}
    directory = make(tmp_path, {"train": ["a"]}, features)
    with pytest.raises(InputError, match=r"tfds:made is no text: .*; it has (body, )?number(, title)?\. Choose"):
        load("tfds:made", data_dir=directory)


def test_images_with_names_are_no_text(tmp_path):
    pytest.importorskip("tensorflow_datasets")
    with pytest.raises(InputError, match=r"and no images; it has id, image, label\."):
        load("tfds:cifar10", data_dir=str(tmp_path))
    assert not list(tmp_path.iterdir())  # refused before it is downloaded


def test_a_train_split_is_needed(tmp_path):
    with pytest.raises(InputError, match="tfds:made has no train split"):
        load("tfds:made", data_dir=make(tmp_path, {"test": ["a"]}))


def test_damaged_files_are_reported(tmp_path):
    directory = make(tmp_path, {"train": LINES})
    (path,) = tmp_path.glob("made/*/made-train*")
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(InputError, match=r"train split of made.* cannot be read .*Remove that directory"):
        load("tfds:made", data_dir=directory)


def test_examples_that_are_not_utf_8_are_reported(tmp_path):
    with pytest.raises(InputError, match=r"train split of made/1\.0\.0 at .* is not UTF-8: .* 0xff at offset 2"):
        load("tfds:made", data_dir=make(tmp_path, {"train": ["a", b"\xff"]}))


# Real text


@pytest.mark.skipif(
    not TEXT_DIR or not Path(TEXT_DIR).is_dir(),
    reason="no real text: set ENAS_TF_TEXT_DIR to a directory with WikiText as train.txt, valid.txt and test.txt",
)
def test_wikitext():
    data = load(f"text:{TEXT_DIR}")
    assert data.vocab_size == 10_000
    assert min(data.num_tokens.values()) > 100_000
    assert set(data.vocabulary.entries[2:5]) == {"the", ",", "."}
    path = Path(TEXT_DIR) / "test.txt"
    lines = path.read_text(encoding="utf-8").split("\n")[:-1]
    assert len(data.test) == sum(len(line.split()) + 1 for line in lines)
    assert 0.02 < np.mean(data.test == data.vocabulary.unknown) < 0.25
