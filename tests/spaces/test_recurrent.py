"""The recurrent space against the texts it comes from: worked example, published cells, sizes, wrong strings."""

import numpy as np
import pytest

from enas_tf.errors import InputError
from enas_tf.spaces.architectures import read_architecture
from enas_tf.spaces.recurrent import RecurrentArchitecture, RecurrentNode, RecurrentSpace
from enas_tf.spaces.vocabulary import ACTIVATIONS

# The paper's example of four nodes, which count from 1 there.
WORKED_EXAMPLE = RecurrentArchitecture(
    (RecurrentNode("tanh"), RecurrentNode("relu", 0), RecurrentNode("relu", 1), RecurrentNode("tanh", 0))
)
#: scripts/ptb_final.sh of the first repository, and the cell of the README of enas_lm.
ENAS = "0 0 0 1 1 2 1 2 0 2 0 5 1 1 0 6 1 8 1 8 1 8 1"
ENAS_LM = "enas_lm: 0 2 1 0 2 1 2 2 4 0 5 0 3 2 6 2"


def test_worked_example_of_the_paper():
    assert RecurrentArchitecture.from_arc("0 0 1 1 1 0 0") == WORKED_EXAMPLE
    assert WORKED_EXAMPLE.to_arc() == "0 0 1 1 1 0 0"
    assert WORKED_EXAMPLE.loose_ends == WORKED_EXAMPLE.averaged == (2, 3)
    assert WORKED_EXAMPLE.in_words()[-2:] == ["node 3: tanh of node 0", "output: mean of nodes 2, 3"]


def test_published_cell_of_the_first_repository():
    """As decoded by hand; the paper says that the output is the average of 6 nodes."""
    published = RecurrentArchitecture.from_arc(ENAS)
    assert published.num_nodes == 12
    assert published.loose_ends == (3, 4, 7, 9, 10, 11)
    assert published.nodes[6] == RecurrentNode("relu", 5)
    assert published.nodes[5] == RecurrentNode("tanh", 2)
    assert {node.activation for node in published.nodes} == {"tanh", "relu"}


def test_published_cell_of_enas_lm():
    """Its node 0 is tanh and left out; sigmoid is 2 and identity 3; all searched nodes are averaged."""
    published = RecurrentArchitecture.from_arc(ENAS_LM)
    assert published.num_nodes == 9
    assert published.nodes[:3] == (RecurrentNode("tanh"), RecurrentNode("sigmoid", 0), RecurrentNode("tanh", 1))
    assert published.averaged == tuple(range(1, 9))
    assert f"enas_lm: {published.to_enas_lm()}" == ENAS_LM
    assert published.to_arc().startswith("all_but_first: 0 0 3 1 0 2 1")
    assert RecurrentArchitecture.from_arc(published.to_arc()) == published


def test_what_enas_lm_cannot_say():
    assert RecurrentArchitecture.from_arc("1 0 0").to_enas_lm() is None
    assert RecurrentArchitecture.from_arc("0").to_enas_lm() is None


def test_sizes_of_the_paper():
    """8e15 by the paper's formula, 6.7e14 strings."""
    assert f"{RecurrentSpace(nodes=12).size_in_paper:.1e}" == "8.0e+15"
    assert f"{RecurrentSpace(nodes=12).size:.1e}" == "6.7e+14"
    assert RecurrentSpace(nodes=12).num_tokens == 23


def test_one_node_is_a_cell():
    assert RecurrentArchitecture.from_arc("2").averaged == (0,)
    assert RecurrentArchitecture.from_arc("all_but_first: 2").averaged == (0,)


@pytest.mark.parametrize(
    ("arc", "words"),
    [
        ("0 2 1 0", "4 integers.*2 n - 1.*looks like the notation of enas_lm.*enas_lm:"),
        ("enas_lm: 0 0 1", "3 integers.*even.*looks like the notation of the first repository"),
        ("enas_lm:", "0 integers.*even"),
        ("", "0 integers.*2 n - 1"),
        ("0 0 x", "not a list of integers"),
        ("other: 0 0 1", "not a list of integers"),
        ("0 1 1", r"node_1/previous.*0\.\.0"),
        ("0 0 4", r"node_1/activation.*tanh, relu, identity, sigmoid"),
        ("enas_lm: 0 4", r"node_1/activation.*0\.\.3"),
        ("enas_lm: 1 0", r"node_1/previous"),
    ],
)
def test_wrong_arc_strings(arc, words):
    with pytest.raises(InputError, match=words):
        RecurrentArchitecture.from_arc(arc)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"nodes": []}, "has nodes"),
        ({"nodes": None}, "cannot be read.*previous"),
        ({"output": "some"}, "output=some.*loose_ends, all_but_first"),
        ({"nodes": [{"activation": "tanh", "previous": 0}]}, "the first reads none"),
        ({"nodes": [{"activation": "tanh", "previous": None}] * 2}, "node 1 reads node None.*0..0"),
        ({"nodes": [{"activation": "gelu", "previous": None}]}, "'gelu'.*tanh, relu"),
    ],
)
def test_wrong_json(change, words):
    with pytest.raises(InputError, match=words):
        RecurrentArchitecture.from_json(WORKED_EXAMPLE.to_json() | change)


def test_json_reads_back():
    assert RecurrentArchitecture.from_json(WORKED_EXAMPLE.to_json()) == WORKED_EXAMPLE


@pytest.mark.parametrize(
    ("space", "words"),
    [
        (RecurrentSpace(nodes=5), "nodes=4.*nodes=5"),
        (RecurrentSpace(nodes=4, output="all_but_first"), "output=loose_ends.*output=all_but_first"),
        (RecurrentSpace(nodes=4, activations=("tanh",)), "node 1 has the activation relu"),
    ],
)
def test_a_space_refuses_what_it_does_not_hold(space, words):
    with pytest.raises(InputError, match=words):
        space.encode(WORKED_EXAMPLE)


def test_decode_and_encode_are_inverse():
    space = RecurrentSpace(nodes=6)
    for tokens in space.random_tokens(20, np.random.default_rng(0)):
        np.testing.assert_array_equal(space.encode(space.decode(tokens)), tokens)


def test_an_activation_of_ones_own_is_a_name_in_arcs_and_unknown_to_enas_lm():
    ACTIVATIONS.add("swish")
    try:
        architecture = read_architecture("all_but_first: 0 0 swish 1 2", "recurrent")
        assert architecture.to_arc() == "all_but_first: 0 0 swish 1 2"
        assert architecture.to_enas_lm() is None
        assert architecture.other_forms() == []
        assert read_architecture("enas_lm: 0 swish 1 3", "recurrent") == architecture
        assert read_architecture("swish", "recurrent").nodes[0].activation == "swish"
    finally:
        ACTIVATIONS.remove("swish")
