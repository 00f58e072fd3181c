"""Laws of vocabularies: which tokens are entries, and that text and token ids are converted into each other."""

import dataclasses

import numpy as np
import pytest

from enas_tf.data.text import TextConfig, TextData, Vocabulary, build_vocabulary, split_tokens
from enas_tf.errors import InputError

TEXT = "the cat sat\n\non the mat , the cat\n"


def build(text, tokens="word", vocab_size=100):
    return build_vocabulary(split_tokens(text, tokens), TextConfig(tokens, vocab_size))


@pytest.mark.parametrize("tokens", ["word", "char"])
@pytest.mark.parametrize("text", [TEXT, "\n", "\n\na\n\n\nb c\n", "é 漢 😀\n", ""])
def test_a_text_comes_back(text, tokens):
    vocabulary = build(text, tokens)
    ids = vocabulary.encode(text)
    assert (ids.dtype, ids.ndim) == (np.int32, 1)
    assert vocabulary.decode(ids) == text


@pytest.mark.parametrize("tokens", ["word", "char"])
def test_ids_come_back(tokens):
    """This holds for ids that end a line; ids of characters are without `<unk>`, whose text has 5 characters."""
    vocabulary = build(TEXT, tokens)
    first = 0 if tokens == "word" else 1
    ids = np.append(np.random.default_rng(0).integers(first, len(vocabulary), 500), vocabulary.end_of_line)
    np.testing.assert_array_equal(vocabulary.encode(vocabulary.decode(ids)), ids)


def test_characters_are_all_kept():
    text = "a\r\n\tb  \x0c\u2028 c"
    assert build(text, "char").decode(build(text, "char").encode(text)) == text


def test_every_line_ends_with_eos():
    vocabulary = build(TEXT)
    words = [vocabulary.entries[index] for index in vocabulary.encode(TEXT)]
    assert words == ["the", "cat", "sat", "<eos>", "<eos>", "on", "the", "mat", ",", "the", "cat", "<eos>"]
    np.testing.assert_array_equal(vocabulary.encode(TEXT.removesuffix("\n")), vocabulary.encode(TEXT))
    # Other separators separate words, as in str.split, but not lines.
    assert list(split_tokens("a\x0cb\u2028c\r\nd", "word")) == ["a", "b", "c", "<eos>", "d", "<eos>"]


def test_entries_go_by_frequency_then_by_first_occurrence():
    assert build("b a c a <unk> z b a\n").entries == ("<unk>", "<eos>", "a", "b", "c", "z")
    assert build("bacab\n", "char").entries == ("<unk>", "b", "a", "c", "\n")


@pytest.mark.parametrize("tokens", ["word", "char"])
@pytest.mark.parametrize("vocab_size", [2, 3, 4, 100])
def test_the_limit_cuts_the_rarest(tokens, vocab_size):
    whole, limited = build(TEXT, tokens), build(TEXT, tokens, vocab_size)
    assert limited.entries == whole.entries[:vocab_size]
    ids = whole.encode(TEXT)
    np.testing.assert_array_equal(limited.encode(TEXT), np.where(ids < vocab_size, ids, limited.unknown))


@pytest.mark.parametrize(("tokens", "text"), [("word", "dog the"), ("char", "qt")])
def test_what_is_no_entry_is_unknown(tokens, text):
    vocabulary = build(TEXT, tokens)
    first, second = vocabulary.encode(text)[:2]
    assert first == vocabulary.unknown == vocabulary.entries.index("<unk>")
    assert second != vocabulary.unknown


def test_the_mark_of_unknown_words_is_that_entry_and_no_other():
    assert build("<unk> a <unk>\n").entries == ("<unk>", "<eos>", "a")
    assert build("<unk>", "char").entries == ("<unk>", "<", "u", "n", "k", ">")


def test_end_of_line():
    assert build(TEXT).entries[build(TEXT).end_of_line] == "<eos>"
    assert build(TEXT, "char").entries[build(TEXT, "char").end_of_line] == "\n"
    assert build("abc", "char").end_of_line is None


def test_vocabularies_are_values():
    assert build(TEXT) == build(TEXT)
    assert hash(build(TEXT)) == hash(build(TEXT))
    with pytest.raises(dataclasses.FrozenInstanceError):
        build(TEXT).entries = ()


@pytest.mark.parametrize("ids", [[0, -1], [99]])
def test_ids_beyond_the_entries_are_refused(ids):
    with pytest.raises(IndexError, match=r"not all in 0\.\.7"):
        build(TEXT).decode(np.array(ids))


@pytest.mark.parametrize(
    ("entries", "tokens", "message"),
    [
        (("<unk>", "a"), "word", "different words and <unk> and <eos>, each once"),
        (("<unk>", "<eos>", "a", "a"), "word", "4 entries.*each once"),
        (("a", "b"), "char", "different single characters and <unk>"),
        (("<unk>", "ab"), "char", "different single characters"),
        (("<unk>", "<eos>"), "syllable", "tokens=syllable is not valid: expected one of word, char"),
    ],
)
def test_wrong_vocabularies_are_refused(entries, tokens, message):
    with pytest.raises(InputError, match=message):
        Vocabulary(entries, tokens)


@pytest.mark.parametrize("options", [{"tokens": "syllable"}, {"vocab_size": 1}, {"vocab_size": -5}])
def test_wrong_options_are_named(options):
    ((name, value),) = options.items()
    with pytest.raises(InputError, match=f"{name}={value} is not valid: expected "):
        TextConfig(**options)


def test_every_option_has_a_text():
    assert all(field.metadata["help"] for field in dataclasses.fields(TextConfig))


def test_data_counts_its_tokens():
    vocabulary = build(TEXT)
    train, valid, test = (np.zeros(count, np.int32) for count in (5, 3, 2))
    data = TextData("made", vocabulary, train, valid, test)
    assert data.num_tokens == {"training": 5, "validation": 3, "test": 2}
    assert data.vocab_size == len(vocabulary) == 8
    assert data.parts()["validation"] is valid


@pytest.mark.parametrize("ids", [np.zeros(3, np.int64), np.zeros((3, 1), np.int32)])
def test_data_refuses_other_types_and_shapes(ids):
    stream = np.zeros(3, np.int32)
    with pytest.raises(TypeError, match=r"valid\w* must be int32 \[tokens\]"):
        TextData("made", build(TEXT), stream, ids, stream)


def test_data_keep_notes():
    stream = np.zeros(3, np.int32)
    data = TextData("made", build(TEXT), stream, stream, stream, ("A note.",), 2)
    assert (data.notes, data.num_skipped) == (("A note.",), 2)
