"""Laws of vocabularies: arc strings write built-in names by number, a user's own as they are."""

import pytest

from enas_tf.errors import InputError
from enas_tf.spaces.vocabulary import Vocabulary, is_name


@pytest.fixture
def names():
    """A vocabulary of two built-in names and one of the user's own, which is forgotten afterwards."""
    names = Vocabulary(("b", "a"), favoured=("a",))
    names.add("x7")
    yield names
    Vocabulary.every.remove(names)


def test_names_keep_their_order_and_new_ones_are_appended(names):
    names.add("a")
    assert names.names == tuple(names) == ("b", "a", "x7")
    assert names.own == ("x7",)
    assert len(names) == 3
    assert "x7" in names
    assert "d" not in names
    assert [names.is_favoured(name) for name in names] == [False, True, False]


def test_built_in_names_are_numbers_in_arcs_and_own_ones_are_names(names):
    assert [names.to_word(name) for name in names] == ["0", "1", "x7"]
    assert [names.from_word(word) for word in ("0", "1", "x7", "a")] == ["b", "a", "x7", "a"]
    assert [names.from_word(word) for word in ("2", "-1", "c", "")] == [None] * 4
    assert names.expected == "0..1 (b, a), x7"
    assert is_name("x7")


@pytest.mark.parametrize("name", ["7", "7x", "x 7", "x:7", "", "x-7"])
def test_a_name_that_cannot_stand_in_an_arc_is_refused(names, name):
    with pytest.raises(InputError, match="is not valid: expected letters"):
        names.add(name)


def test_only_own_names_can_be_forgotten(names):
    with pytest.raises(ValueError, match="b is built in"):
        names.remove("b")
    names.add("c")
    names.remove("x7")
    assert names.names == ("b", "a", "c")
