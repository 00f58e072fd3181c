"""Words of messages."""

from enas_tf.errors import count_of


def test_nouns_have_plurals():
    shown = [count_of(2, noun) for noun in ("file", "class", "directory", "child")]
    assert shown == ["2 files", "2 classes", "2 directories", "2 children"]
    assert [count_of(1, "class"), count_of(1200, "entry")] == ["1 class", "1,200 entries"]
