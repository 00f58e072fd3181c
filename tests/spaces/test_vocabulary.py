"""Laws of vocabularies: numbers of names hold for good."""

import pytest

from enas_tf.spaces.vocabulary import Vocabulary


def test_names_have_their_numbers_and_new_ones_are_appended():
    names = Vocabulary(("b", "a"), favoured=("a",))
    names.add("c")
    names.add("a")
    assert names.names == tuple(names) == ("b", "a", "c")
    assert [names.index(name) for name in names] == [0, 1, 2]
    assert len(names) == 3
    assert "c" in names
    assert "d" not in names
    assert [names.is_favoured(name) for name in names] == [False, True, False]


def test_only_the_last_name_can_be_forgotten():
    names = Vocabulary(("b", "a"))
    with pytest.raises(ValueError, match="b is not the last name"):
        names.remove("b")
    names.remove("a")
    assert names.names == ("b",)
