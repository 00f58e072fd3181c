"""A text that a program holds is the text of a directory with the same lines."""

import pytest

from enas_tf.api.texts import GivenTexts, given_texts
from enas_tf.data.fingerprint import fingerprint
from enas_tf.data.text import TextConfig
from enas_tf.data.text_sources import load_text
from enas_tf.errors import InputError
from enas_tf.experiments.config import read_options

TEXT = "".join(f"the value {number % 7} of a list is not zero\n" for number in range(60))


PARTS = [(TEXT,), (TEXT, TEXT[:200], TEXT[:100]), (TEXT.splitlines(),), (TEXT, None, ["a b"])]


@pytest.mark.parametrize("parts", PARTS)
def test_strings_are_the_files_that_are_kept_of_them(tmp_path, parts):
    given = GivenTexts(given_texts(*parts), tmp_path)
    given.keep(is_new=True)
    here = given.load(read_options({"space": "recurrent", "dataset": given.dataset, "vocab_size": 9}))
    there = load_text(given.dataset, None, TextConfig(vocab_size=9))
    assert fingerprint(here) == fingerprint(there)


def test_lines_are_one_text():
    assert given_texts(TEXT.splitlines()) == given_texts(TEXT)


def test_parts_that_are_missing_are_the_end_of_the_training_part():
    found = given_texts(TEXT)
    assert found.train + found.valid + found.test == TEXT


@pytest.mark.parametrize(
    ("text", "words"), [(3, "train part is no text"), ([1, 2], "no text"), (b"bytes", "no text"), (" \n", "is empty")]
)
def test_wrong_texts_are_refused(text, words):
    with pytest.raises(InputError, match=words):
        given_texts(text)
