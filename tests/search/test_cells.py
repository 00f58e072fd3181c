"""Cells as rows: every block once, and of cells that build the same network one."""

import itertools

import numpy as np
import pytest

from enas_tf.search.cells import PAD, all_blocks, expand, kinds, num_blocks, pad, unique


@pytest.mark.parametrize(("num_nodes", "num_ops", "expected"), [(2, 8, 136), (3, 8, 300), (6, 8, 1176), (2, 1, 3)])
def test_every_block_is_there_once(num_nodes, num_ops, expected):
    """The numbers of PNAS: 136 cells of one block."""
    blocks = all_blocks(num_nodes, num_ops)
    assert blocks.shape == (expected, 4)
    assert (blocks.min(axis=0) == 0).all()
    assert (blocks.max(axis=0) == [num_nodes - 1, num_nodes - 1, num_ops - 1, num_ops - 1]).all()
    pairs = {frozenset([(a, c), (b, d)]) for a, b, c, d in blocks.tolist()}
    assert len(pairs) == expected


def reordered(cell: np.ndarray, order: tuple[int, ...]) -> tuple | None:
    """Return a cell with its blocks in another order, pairs ascending; None where a block would read a later one."""
    place = {0: 0, 1: 1} | {2 + old: 2 + new for new, old in enumerate(order)}
    blocks = []
    for new, old in enumerate(order):
        a, b, c, d = cell.reshape(-1, 4)[old].tolist()
        if max(place[a], place[b]) >= 2 + new:
            return None
        blocks.append(tuple(sorted([(place[a], c), (place[b], d)])))
    return tuple(blocks)


def by_hand(cell: np.ndarray) -> tuple:
    """Return the least of all forms of a cell that build the same network."""
    orders = itertools.permutations(range(len(cell) // 4))
    return min(form for order in orders if (form := reordered(cell, order)) is not None)


def test_cells_of_one_kind_are_those_that_build_the_same_network():
    """All 36,864 ordered cells of three blocks and two operations."""
    cells = np.zeros((1, 0), np.int32)
    for block in range(3):
        rows = np.array(list(itertools.product(range(2 + block), range(2 + block), range(2), range(2))), np.int32)
        cells = np.concatenate([np.repeat(cells, len(rows), axis=0), np.tile(rows, (len(cells), 1))], axis=1)
    found, expected = {}, {}
    for cell, kind in zip(cells, kinds(cells).tolist(), strict=True):
        form = by_hand(cell)
        assert found.setdefault(kind, form) == form
        assert expected.setdefault(form, kind) == kind
    assert len(unique(cells)) == len(expected) < len(cells) / 4


def test_cells_grow_by_every_block():
    cells = all_blocks(2, 2)
    grown = expand(cells, 2)
    everything = {by_hand(np.concatenate([cell, block])) for cell in cells for block in all_blocks(3, 2)}
    assert len(grown) == len(everything) < len(cells) * len(all_blocks(3, 2))
    assert {by_hand(cell) for cell in grown} == everything
    assert (grown[0] == [*cells[0], *all_blocks(3, 2)[0]]).all()


def test_short_cells_stand_in_long_rows():
    rows = np.concatenate([pad(all_blocks(2, 1), 8), np.zeros((1, 8), np.int32)])
    assert (rows[0] == [0, 0, 0, 0, PAD, PAD, PAD, PAD]).all()
    assert num_blocks(rows).tolist() == [1, 1, 1, 2]
