"""The nas_recurrent space against the texts it comes from: worked example, published cell, size, wrong strings."""

import pytest

from enas_tf.errors import InputError
from enas_tf.spaces.architectures import from_json, read_architecture
from enas_tf.spaces.nas_recurrent import NasRecurrentArchitecture, NasRecurrentSpace, TreeNode

#: The paper's example of base 2.
WORKED_EXAMPLE = NasRecurrentArchitecture(
    (TreeNode("add", "tanh"), TreeNode("multiply", "relu"), TreeNode("multiply", "sigmoid")),
    inject=TreeNode("add", "relu"),
    memory=1,
    inject_at=0,
)


def test_worked_example_of_the_paper():
    assert WORKED_EXAMPLE.to_arc() == "0 0 1 1 1 3 0 1 1 0"
    assert read_architecture("0 0 1 1 1 3 0 1 1 0", "nas_recurrent") == WORKED_EXAMPLE
    assert WORKED_EXAMPLE.in_words()[1:] == [
        "node 0: tanh of x + h, then relu of that + c",
        "node 1: relu of x * h",
        "node 2: sigmoid of node 0 * node 1",
        "memory: node 1 before its activation",
        "output: node 2",
    ]


def test_tokens_of_the_worked_example():
    """In the order of the paper: the nodes, cell inject, cell indices (that of c_t first)."""
    space = NasRecurrentSpace(base=2)
    assert list(space.places)[-4:] == ["inject/combination", "inject/activation", "memory/node", "inject/node"]
    assert space.encode(WORKED_EXAMPLE).tolist() == [0, 1, 1, 3, 1, 2, 0, 3, 1, 0]


def test_published_cell():
    published = read_architecture("nas_cell")
    assert published.base == 8
    assert [published.children(number) for number in (7, 8, 11, 12, 14)] == [(), (0, 1), (6, 7), (8, 9), (12, 13)]
    assert published.nodes[3] == TreeNode("multiply", "relu")
    assert published.nodes[12] == TreeNode("multiply", "identity")
    assert (published.memory, published.inject_at) == (12, 8)


def test_size_of_the_paper():
    """About 6e16."""
    assert NasRecurrentSpace().size == 8**16 * 15**2
    assert f"{NasRecurrentSpace().size:.0e}" == "6e+16"


@pytest.mark.parametrize(
    ("arc", "words"),
    [
        ("0 0 1 1", r"4 integers: expected 4 b \+ 2"),
        ("0 0 0 0 0 0 0 0 0 0 0 0 0 0", "14 integers.*power of 2"),
        ("", "0 integers"),
        ("2 0 1 1 1 3 0 1 1 0", r"tokens\[0\] = 2 .*node_0/combination.*add, multiply"),
        ("0 4 1 1 1 3 0 1 1 0", r"node_0/activation"),
        ("0 0 1 1 1 3 0 1 3 0", r"tokens\[8\] = 3 .*memory/node.*0\.\.2"),
        ("0 0 1 1 1 3 0 1 1 tanh", "inject/node"),
        ("tanh 0 1 1 1 3 0 1 1 0", "node_0/combination"),
        ("0 x 1 1 1 3 0 1 1 0", "not a list of integers"),
    ],
)
def test_wrong_arc_strings(arc, words):
    with pytest.raises(InputError, match=words):
        NasRecurrentArchitecture.from_arc(arc)


def test_an_activation_may_be_a_name():
    assert NasRecurrentArchitecture.from_arc("0 tanh 1 relu 1 sigmoid 0 relu 1 0") == WORKED_EXAMPLE


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"nodes": []}, "0 nodes: expected 1, 3, 7"),
        ({"nodes": None}, "cannot be read.*inject_at"),
        ({"inject": {"combination": "max", "activation": "tanh"}}, "combination 'max': expected one of add, multiply"),
        ({"inject": {"combination": "add", "activation": "gelu"}}, "activation 'gelu'"),
        ({"inject": []}, "cannot be read"),
        ({"memory": 3}, r"node of c_t is 3: expected 0\.\.2"),
        ({"inject_at": -1}, r"node of the injection is -1"),
        ({"memory": 1.0}, "not a whole number"),
    ],
)
def test_wrong_json(change, words):
    with pytest.raises(InputError, match=words):
        from_json(WORKED_EXAMPLE.to_json() | change)


@pytest.mark.parametrize(
    ("options", "words"), [({"base": 6}, "base=6 .*power of 2"), ({"base": 0}, "base=0"), ({"activations": ()}, "acti")]
)
def test_wrong_options_are_refused(options, words):
    with pytest.raises(InputError, match=words):
        NasRecurrentSpace(**options)


@pytest.mark.parametrize(
    ("space", "words"),
    [
        (NasRecurrentSpace(base=4), "cell_base=2.*cell_base=4"),
        (NasRecurrentSpace(2, ("tanh", "relu")), "activation sigmoid"),
    ],
)
def test_a_space_refuses_what_it_does_not_hold(space, words):
    with pytest.raises(InputError, match=words):
        space.encode(WORKED_EXAMPLE)
