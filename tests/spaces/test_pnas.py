"""The PNAS space against its sources: the published cell, sizes, and cells that grow within one space."""

import numpy as np
import pytest

from enas_tf.errors import InputError
from enas_tf.spaces.architectures import from_json, read_architecture
from enas_tf.spaces.cells import Block
from enas_tf.spaces.pnas import PNAS_OPS, PnasSpace


def test_the_space_of_the_paper():
    """8 operations; 256 cells of one block, 5.57e14 of five."""
    assert len(PNAS_OPS) == 8
    assert PnasSpace().prefix(1).size == 256
    assert f"{PnasSpace().size:.2e}" == "5.57e+14"


def test_pnasnet_5_as_slim_has_it():
    """Facts of pnasnet.py: 0 is the last cell; all blocks are put out, although one of them is read."""
    published = read_architecture("pnasnet_5")
    assert published.joined("cell") == (2, 3, 4, 5, 6)
    assert published.cell.blocks[0] == Block((1, 1), ("sep_conv_5x5", "max_pool_3x3"))
    assert published.cell.blocks[3] == Block((4, 0), ("sep_conv_3x3", "max_pool_3x3"))
    assert published.space() == PnasSpace()


def test_the_tokens_of_a_block_stand_together():
    names = list(PnasSpace(blocks=2).places)
    assert names == [f"cell/block_{b}/{part}_{side}" for b in (1, 2) for part in ("input", "op") for side in (1, 2)]


def test_cells_grow_within_one_space():
    """The first blocks of a sequence of tokens are a cell; its arc, its JSON form and its tokens read back."""
    space = PnasSpace(blocks=3)
    tokens = space.random_tokens(1, np.random.default_rng(0))[0]
    for blocks in (1, 2, 3):
        first = tokens[: 4 * blocks]
        architecture = space.decode(first)
        assert architecture.num_blocks == blocks
        assert architecture.cell.blocks == space.decode(tokens).cell.blocks[:blocks]
        assert architecture == space.prefix(blocks).decode(first)
        np.testing.assert_array_equal(space.encode(architecture), first)
        assert read_architecture(architecture.to_arc(), "pnas") == architecture
        assert from_json(architecture.to_json()) == architecture


@pytest.mark.parametrize("num", [0, 3, 5, 16])
def test_parts_of_blocks_and_too_many_are_refused(num):
    with pytest.raises(InputError, match=rf"tokens of shape \[{num}\] do not fit.*expected \[12\]"):
        PnasSpace(blocks=3).decode(np.zeros(num, np.int32))


def test_larger_cells_than_those_of_the_space_are_refused():
    with pytest.raises(InputError, match=r"cell_blocks=5, but .* cell_blocks=3"):
        PnasSpace(blocks=3).encode(read_architecture("pnasnet_5"))
    with pytest.raises(InputError, match=r"blocks=4 is not valid: expected 1\.\.3"):
        PnasSpace(blocks=3).prefix(4)


def test_a_wrong_token_of_a_smaller_cell_is_named():
    with pytest.raises(InputError, match=r"tokens\[2\] = 8 is not valid for .cell/block_1/op_1"):
        PnasSpace(blocks=3).decode([0, 0, 8, 0])


@pytest.mark.parametrize(
    ("arc", "words"),
    [
        ("0 2 0", "3 integers.*4 for every block of a pnas cell, such as 20"),
        ("all: 0 1 0 1", "not a list of integers"),
        ("0 1 2 0", r"cell/block_1/input_2.*0\.\.1"),
    ],
)
def test_wrong_arc_strings(arc, words):
    with pytest.raises(InputError, match=words):
        read_architecture(arc, "pnas")
