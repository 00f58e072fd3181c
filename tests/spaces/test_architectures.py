"""Reading an architecture: what a text that is of another space than it is read as is told."""

import pytest

from enas_tf.errors import InputError
from enas_tf.spaces.architectures import read_architecture
from enas_tf.spaces.macro import MacroArchitecture
from enas_tf.spaces.micro import MicroArchitecture


@pytest.mark.parametrize(
    ("text", "space", "kind"),
    [
        ("0 3 0", "macro", MacroArchitecture),
        ("0 3 0 1 1 3 0 1", "micro", MicroArchitecture),
        ("enas_micro", "macro", MicroArchitecture),
        ("enas_macro", "micro", MacroArchitecture),
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
    ],
)
def test_an_arc_string_with_the_length_of_another_space_is_told_so(arc, space, other):
    with pytest.raises(InputError, match=f"integers.* --space={other} reads it as a {other} architecture"):
        read_architecture(arc, space)


@pytest.mark.parametrize(("arc", "space"), [("0 3 0 0", "macro"), ("0 3 0 0", "micro"), ("0 9 0", "macro")])
def test_an_arc_string_of_no_other_space_is_not(arc, space):
    with pytest.raises(InputError) as error:
        read_architecture(arc, space)
    assert "--space=" not in str(error.value)
