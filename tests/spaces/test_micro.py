"""The micro space against the texts it comes from: worked example, published cells, sizes, wrong strings."""

import numpy as np
import pytest

from enas_tf.errors import InputError
from enas_tf.spaces.architectures import from_json, read_architecture
from enas_tf.spaces.cells import Block, Cell
from enas_tf.spaces.micro import MICRO_OPS, MicroArchitecture, MicroSpace
from enas_tf.spaces.vocabulary import CELL_OPS

# The paper's example of a cell with two inputs and two blocks; its nodes count from 1, ours from 0.
WORKED_CELL = Cell(
    (
        Block((1, 1), ("sep_conv_5x5", "identity")),
        Block((2, 0), ("avg_pool_3x3", "sep_conv_3x3")),
    )
)
WORKED_ARC = "1 1 1 4 2 2 0 0"


def test_worked_example_of_the_paper():
    example = MicroArchitecture(WORKED_CELL, WORKED_CELL)
    assert read_architecture(f"{WORKED_ARC} {WORKED_ARC}", "micro") == example
    assert example.to_arc() == f"{WORKED_ARC} {WORKED_ARC}"
    assert WORKED_CELL.loose_ends == (3,)
    assert example.in_words()[2] == "normal cell, node 3: avg_pool_3x3(2) + sep_conv_3x3(0)"


def test_published_cells():
    """As decoded by hand from the strings of the authors' script."""
    published = read_architecture("enas_micro")
    assert published.num_blocks == 5
    assert published.normal.loose_ends == (2, 3, 4, 5, 6)
    assert published.reduction.loose_ends == (2, 4, 5, 6)
    assert published.normal.blocks[0] == Block((0, 0), ("avg_pool_3x3", "sep_conv_3x3"))
    assert published.normal.blocks[3] == Block((1, 0), ("sep_conv_3x3", "sep_conv_5x5"))
    assert published.reduction.blocks[2] == Block((1, 3), ("sep_conv_5x5", "sep_conv_5x5"))
    assert published.reduction.blocks[4] == Block((0, 1), ("max_pool_3x3", "sep_conv_5x5"))
    assert published.space() == MicroSpace()


def test_tokens_are_in_sampling_order_and_arc_strings_in_storage_order():
    """Sampled: both inputs, then both operations; stored: input, operation, input, operation."""
    tokens = MicroSpace(blocks=2).encode(read_architecture(f"{WORKED_ARC} {WORKED_ARC}", "micro"))
    np.testing.assert_array_equal(tokens, [1, 1, 1, 4, 2, 0, 2, 0] * 2)


def test_sizes_of_the_paper():
    """1.3e11 by the paper's formula; 5.06e12 strings of one cell, 2.56e25 of the pair."""
    assert f"{MicroSpace().size_in_paper:.1e}" == "1.3e+11"
    assert f"{MicroSpace().size:.2e}" == "2.56e+25"
    assert MicroSpace().size == (2 * 3 * 4 * 5 * 6 * 5**5) ** 4
    assert MicroSpace().num_tokens == 40


def test_another_op_list_is_another_space():
    space = MicroSpace(blocks=2, ops=("conv_3x3", "max_pool_5x5", "identity"), merge="all")
    architecture = space.decode([1, 0, 0, 1, 2, 1, 2, 1, 0, 0, 2, 2, 1, 1, 0, 0])
    assert architecture.normal.blocks[0] == Block((1, 0), ("conv_3x3", "max_pool_5x5"))
    assert architecture.normal.joined("all") == (0, 1, 2, 3)
    assert architecture.to_arc() == "all: 1 7 0 8 2 4 1 8 0 4 0 4 1 7 1 7"
    assert read_architecture(architecture.to_arc(), "micro") == architecture
    assert architecture.space().ops == CELL_OPS.names


def test_separable_convolutions_are_favoured_and_the_normal_cell_nudged():
    picks = [decision for decision in MicroSpace().decisions if hasattr(decision, "favoured")]
    assert {pick.favoured for pick in picks} == {MICRO_OPS[:2]}
    assert [pick.is_nudged for pick in picks] == [True] * 10 + [False] * 10


@pytest.mark.parametrize(
    ("arc", "words"),
    [
        ("0 2 0 0", "4 integers.*8 for every block"),
        ("0 1 0 1 0 1 0 x", "not a list of integers"),
        ("0 1 0 1 0 14 0 1", r"reduction/block_1/op_1.*max_pool_7x7"),
        ("0 1 2 1 0 1 0 1", r"normal/block_1/input_2.*0\.\.1"),
        ("0 1 0 1 0 99999999999999999999 0 1", "= 99999999999999999999 is not valid"),
    ],
)
def test_wrong_arc_strings(arc, words):
    with pytest.raises(InputError, match=words):
        read_architecture(arc, "micro")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"normal": []}, "normal cell has 0 blocks, the reduction cell 2"),
        ({"normal": None}, "cannot be read.*reduction"),
        ({"merge": "some"}, "merge rule .*some.*loose_ends, all"),
        ({"normal": [{"inputs": [0, 2], "ops": ["identity"] * 2}] * 2}, r"node 2 has the inputs \[0, 2\].*0\.\.1"),
        ({"reduction": [{"inputs": [0, 1], "ops": ["identity", "conv_9x9"]}] * 2}, "'conv_9x9'.*sep_conv_3x3"),
        ({"reduction": [{"inputs": [0], "ops": ["identity"] * 2}] * 2}, "cannot be read"),
        ({"normal": [{"inputs": [0.9, 1], "ops": ["identity"] * 2}] * 2}, "0.9 is not a whole number"),
        ({"normal": [{"inputs": "01", "ops": ["identity"] * 2}] * 2}, "'0' is not a whole number"),
        ({"normal": [{"inputs": [float("inf"), 1], "ops": ["identity"] * 2}] * 2}, "inf is not a whole number"),
    ],
)
def test_wrong_json(change, words):
    data = MicroArchitecture(WORKED_CELL, WORKED_CELL).to_json()
    with pytest.raises(InputError, match=words):
        from_json(data | change)


@pytest.mark.parametrize(
    ("space", "words"),
    [
        (MicroSpace(blocks=5), "has cell_blocks=2, but .* cell_blocks=5: search with cell_blocks=2, or"),
        (MicroSpace(blocks=2, merge="all"), "merge=loose_ends.*merge=all"),
        (MicroSpace(blocks=2, ops=MICRO_OPS[:3]), "normal cell has the operation identity"),
    ],
)
def test_a_space_refuses_what_it_does_not_hold(space, words):
    with pytest.raises(InputError, match=words):
        space.encode(MicroArchitecture(WORKED_CELL, WORKED_CELL))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"blocks": 0}, "blocks=0.*at least 1"),
        ({"ops": ("identity", "conv_9x9")}, "identity,conv_9x9.*sep_conv_3x3.*max_pool_7x7"),
        ({"ops": ()}, "different names"),
    ],
)
def test_wrong_spaces(options, words):
    with pytest.raises(InputError, match=words):
        MicroSpace(**options)
