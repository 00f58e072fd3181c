"""Laws of reading an architecture: a text that was meant for another space is refused with a hint."""

import pytest

from enas_tf.errors import InputError
from enas_tf.spaces.architectures import from_json, read_architecture
from enas_tf.spaces.macro import MacroArchitecture
from enas_tf.spaces.micro import MicroArchitecture
from enas_tf.spaces.recurrent import LstmBaseline, RecurrentArchitecture


@pytest.mark.parametrize(
    ("text", "space", "kind"),
    [
        ("0 3 0", "macro", MacroArchitecture),
        ("0 3 0 1 1 3 0 1", "micro", MicroArchitecture),
        ("enas_micro", "macro", MicroArchitecture),
        ("enas_macro", "micro", MacroArchitecture),
        ("0 0 3", "recurrent", RecurrentArchitecture),
        ("enas_lm: 0 3", "recurrent", RecurrentArchitecture),
        ("all_but_first: 0 0 3", "recurrent", RecurrentArchitecture),
        ("enas_lm", "macro", RecurrentArchitecture),
        ("darts_ptb", "micro", RecurrentArchitecture),
    ],
)
def test_arc_strings_are_of_the_space_and_names_of_their_own(text, space, kind):
    assert isinstance(read_architecture(text, space), kind)


@pytest.mark.parametrize(
    ("arc", "space", "other"),
    [
        ("0 3 0 1 1 3 0 1", "macro", "micro"),
        (" ".join(["9"] * 40), "macro", "micro"),
        ("0 3 0", "micro", "macro"),
        ("layers: 0 3 0", "micro", "macro"),
        ("0 0 1 0 2", "macro", "recurrent"),
        ("0 0 1 0 2", "micro", "recurrent"),
        ("0 3 0 0 1 0", "recurrent", "macro"),
    ],
)
def test_an_arc_string_with_the_length_of_another_space_is_told_so(arc, space, other):
    with pytest.raises(InputError, match=f"integers.* space={other} reads it as a {other} architecture"):
        read_architecture(arc, space)


def test_an_arc_string_behind_the_word_of_another_space_is_told_so():
    with pytest.raises(InputError, match="space=recurrent reads it as a recurrent architecture"):
        read_architecture("enas_lm: 0 2 1 0", "macro")


def test_an_arc_string_with_the_length_of_two_spaces_is_told_of_the_one_that_reads_it():
    """15 integers: a macro network of 5 layers, or a recurrent cell of 8 nodes."""
    arc = "0 0 3 1 3 2 1 2 3 3 0 4 0 5 1"
    assert read_architecture(arc, "recurrent").num_nodes == 8
    with pytest.raises(InputError, match=r"tokens\[2\] = 3.* space=recurrent reads it"):
        read_architecture(arc, "macro")


#: 14 integers, which no space has.
ZEROS = " ".join("0" * 14)


@pytest.mark.parametrize(
    ("arc", "space"),
    [(ZEROS, "macro"), (ZEROS, "micro"), (ZEROS, "recurrent"), ("0 9 0", "macro"), ("0 9 0", "recurrent")],
)
def test_an_arc_string_of_no_other_space_is_not(arc, space):
    with pytest.raises(InputError) as error:
        read_architecture(arc, space)
    assert "space=" not in str(error.value)


def test_a_baseline_reads_back():
    assert from_json(LstmBaseline(5).to_json()) == LstmBaseline(5)


@pytest.mark.parametrize(
    ("row", "words"),
    [("missing.csv#1", "missing.csv is not there.*candidates.csv"), ("#3", r"no candidate of rank '3'.*1\.\.2")],
)
def test_a_row_of_candidates_that_is_not_there_is_named(tmp_path, row, words):
    (tmp_path / "candidates.csv").write_text("rank,arc\n1,0 3 0\n2,0 3 1\n")
    text = str(tmp_path / row) if row.startswith("missing") else f"{tmp_path / 'candidates.csv'}{row}"
    with pytest.raises(InputError, match=words):
        read_architecture(text, "macro")


@pytest.mark.parametrize(
    ("text", "words"), [("lstm:x", "'lstm:x' is not valid.*lstm:8"), ("lstm:0", "nodes=0"), ("lstm", "'lstm'.*lstm:8")]
)
def test_a_wrong_baseline_is_named(text, words):
    with pytest.raises(InputError, match=words):
        read_architecture(text, "recurrent")
