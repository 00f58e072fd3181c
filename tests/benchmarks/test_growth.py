"""The benchmark of growth: architectures grow by one position at a time, and the beam spends exactly the look-ups."""

import itertools

import numpy as np
import pytest

from benchmarks.growth import by_process, grow, run_growth, to_cells
from benchmarks.tables import Table, TableSpace

SPACE = TableSpace(("a", "b", "c", "d"), ("skip", "x", "y"))
#: The rewards add a part for each position, and the best row has no filler.
PARTS = np.array([[0, 3, 1], [0, 1, 2], [0, 5, 4], [0, 1, 7]])
SUMS = np.array([PARTS[range(4), row].sum() for row in itertools.product(range(3), repeat=4)], float)
TABLE = Table(SPACE, SUMS, SUMS)


def test_a_row_grows_by_one_position_that_was_not_decided():
    grown = grow(np.array([[0, 1, 0, 0], [0, 0, 0, 2]], np.int32), 0, 3)
    assert len(grown) == len(np.unique(grown, axis=0)) == 2 * 3 * 2 - 1
    assert ((grown != 0).sum(axis=1) == 2).all()
    assert ((grown[:, 1] == 1) | (grown[:, 3] == 2)).all()


def test_all_rows_are_reached():
    rows = np.zeros((1, 4), np.int32)
    for size in range(1, 5):
        rows = grow(rows, 0, 3)
        assert len(rows) == [8, 24, 32, 16][size - 1]


def test_a_cell_has_a_block_for_each_decided_position():
    cells = to_cells(np.array([[0, 2, 0, 1]], np.int32), 0, 3)
    np.testing.assert_array_equal(cells, [[1, 1, 5, 5, 3, 3, 10, 10, *[-1] * 8]])


@pytest.mark.parametrize("num", [12, 15, 31])
def test_every_look_up_is_another_row_and_a_size_follows_the_smaller_one(num):
    places, correlations = run_growth(TABLE, by_process(TABLE), 0, num)
    assert len(places) == len(set(places.tolist())) == num
    sizes = (np.stack(np.unravel_index(places, (3, 3, 3, 3))) != 0).sum(axis=0)
    assert (np.diff(sizes) >= 0).all()
    assert sizes[0] == 0
    assert sizes[-1] == 4
    assert (sizes[:9] <= 1).all()
    assert len(correlations) == 3


def test_the_best_row_of_an_additive_table_is_found():
    """Of 81 rows, 15 are looked up."""
    places, correlations = run_growth(TABLE, by_process(TABLE), 0, 15)
    assert SUMS[places].max() == SUMS.max()
    assert min(correlations) > 0.8
