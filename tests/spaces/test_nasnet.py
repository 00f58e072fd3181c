"""The NASNet space against the sources of its cells: published cells, sizes, lists of nodes, wrong texts."""

import pytest

from enas_tf.errors import InputError
from enas_tf.spaces.architectures import from_json, read_architecture
from enas_tf.spaces.cells import Block, Cell
from enas_tf.spaces.nasnet import NASNET_OPS, NasnetArchitecture, NasnetSpace

CELL = Cell((Block((0, 1), ("identity", "sep_conv_7x7"), "concat"), Block((0, 0), ("conv_1x1", "dilated_3x3"))))
EXAMPLE = NasnetArchitecture(CELL, CELL)


def test_the_space_of_the_paper():
    """13 operations, 50 decisions; 5.2e36 pairs of strings."""
    space = NasnetSpace()
    assert len(NASNET_OPS) == 13
    assert space.num_tokens == 50
    assert space.size == (2**5 * (2 * 3 * 4 * 5 * 6 * 13**5) ** 2) ** 2
    assert f"{space.size:.2e}" == "5.23e+36"


def test_a_block_is_inputs_then_operations_then_combine():
    names = list(NasnetSpace(blocks=1).places)
    assert [name.removeprefix("normal/block_1/") for name in names[:5]] == [
        "input_1", "input_2", "op_1", "op_2", "combine",
    ]  # fmt: skip
    assert names[5:] == [name.replace("normal", "reduction") for name in names[:5]]


def test_no_operation_is_favoured():
    assert not any(getattr(decision, "favoured", ()) for decision in NasnetSpace().decisions)


def test_nasnet_a_as_slim_has_it():
    """Facts of nasnet_utils.py: 0 is the last cell; the normal cell puts out the earlier input as well."""
    published = read_architecture("nasnet_a")
    assert published.joined("normal") == (1, 2, 3, 4, 5, 6)
    assert published.joined("reduction") == (3, 4, 5, 6)
    assert published.normal.blocks[0] == Block((0, 1), ("sep_conv_5x5", "sep_conv_3x3"))
    assert published.normal.blocks[2] == Block((0, 1), ("avg_pool_3x3", "identity"))
    assert published.reduction.blocks[3] == Block((3, 2), ("identity", "avg_pool_3x3"))
    assert 3 in published.reduction.blocks[3].inputs, "a node that a block reads is put out all the same"


def test_amoebanet_a_as_the_authors_have_it():
    """Facts of model_specs.py: used states of the normal cell are 0, 2 and 5."""
    published = read_architecture("amoebanet_a")
    assert published.joined("normal") == (1, 3, 4, 6)
    assert published.joined("reduction") == (2, 3, 4, 5, 6)
    assert published.reduction.blocks[3] == Block((4, 0), ("sep_conv_3x3", "conv_1x7_7x1"))


@pytest.mark.parametrize("name", ["nasnet_a", "amoebanet_a"])
def test_published_cells_are_in_a_space_that_puts_out_their_nodes(name):
    published = read_architecture(name)
    space = published.space()
    assert space.ops == NASNET_OPS
    assert space.merge == published.merge
    assert space.decode(space.encode(published)) == published


def test_unused_nodes_are_put_out():
    assert EXAMPLE.joined("normal") == (2, 3)
    assert EXAMPLE.to_arc() == "0 4 1 5 1 0 6 0 12 0 0 4 1 5 1 0 6 0 12 0"
    assert EXAMPLE.in_words()[:2] == [
        "nodes: 0 is the last cell, 1 the cell before the last, others are blocks; op(n) is op on node n; "
        "++ joins channels",
        "normal cell, node 2: identity(0) ++ sep_conv_7x7(1)",
    ]
    assert EXAMPLE.in_words()[3] == "normal cell, output: concatenation of nodes 2, 3"


@pytest.mark.parametrize("merge", ["all", "blocks", "0+3/2+3"])
def test_a_merge_rule_stands_before_the_arc(merge):
    architecture = NasnetArchitecture(CELL, CELL, merge)
    assert architecture.to_arc().startswith(f"{merge}: 0 4")
    assert read_architecture(architecture.to_arc(), "nasnet") == architecture
    expected = {"all": (0, 1, 2, 3), "blocks": (2, 3)}.get(merge, (0, 3))
    assert architecture.joined("normal") == expected


@pytest.mark.parametrize("merge", ["some", "2+3", "3+2/2", "2+2/2", "2/4", "1/2/3", "+/2", ""])
def test_wrong_merge_rules(merge):
    with pytest.raises(InputError, match=r"merge.*expected one of loose_ends, all, blocks, or the nodes.*1\+2/1\+2"):
        NasnetArchitecture(CELL, CELL, merge)
    with pytest.raises(InputError, match=r"merge=.* is not valid: expected one of loose_ends, all, blocks, or the nod"):
        NasnetSpace(blocks=2, merge=merge)


@pytest.mark.parametrize(
    ("arc", "words"),
    [
        ("0 2 0 0 1", "5 integers.*10 for every block of a nasnet cell .5 for the normal cell, then 5 for the red"),
        ("0 1 0 1 2 0 1 0 1 0", r"tokens\[4\] = 2 is not valid for .normal/block_1/combine.*add, concat"),
        ("2/9: 0 1 0 1 1 0 1 0 1 0", "merge rule .*2/9"),
    ],
)
def test_wrong_arc_strings(arc, words):
    with pytest.raises(InputError, match=words):
        read_architecture(arc, "nasnet")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"normal": [{"inputs": [0, 1], "ops": ["identity"] * 2}] * 2}, "cannot be read.*combine"),
        ({"normal": [{"inputs": [0, 1], "ops": ["identity"] * 2, "combine": "mean"}] * 2}, "combines by 'mean'.*add"),
        ({"merge": 3}, "cannot be read.*not a name"),
    ],
)
def test_wrong_json(change, words):
    with pytest.raises(InputError, match=words):
        from_json(EXAMPLE.to_json() | change)
