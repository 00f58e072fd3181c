"""Predictors of cells: their predictions are those of the network that is fitted, and rank larger cells."""

import numpy as np
import pytest
import tensorflow as tf

from enas_tf.search.cell_predictors import PREDICTORS, Scale
from enas_tf.search.cells import all_blocks, expand, pad
from enas_tf.search.prediction import rank_correlation

NUM_OPS = 5
RATE = 1e-3


def rewards_of(cells: np.ndarray) -> np.ndarray:
    """Return rewards to which each input and each operation of a block adds a part, about 0.75 to 0.95."""
    blocks = cells.reshape(len(cells), -1, 4)
    inputs, ops = np.array([0.0, 0.6, 0.3]), np.array([1.0, -0.7, 0.2, -1.4, 0.6])
    return 0.85 + 0.03 * (inputs[blocks[:, :, :2]] + ops[blocks[:, :, 2:]]).sum(axis=2).mean(axis=1)


@pytest.fixture(scope="module", params=PREDICTORS)
def fitted(request):
    """A predictor of each kind that knows all cells of one block."""
    predictor, cells = PREDICTORS[request.param](2, NUM_OPS, 5, RATE, seed=0), all_blocks(2, NUM_OPS)
    predictor.fit(pad(cells, 8), rewards_of(cells), 50)
    return predictor


def test_predictions_rank_cells_of_one_block_more(fitted):
    cells = expand(all_blocks(2, NUM_OPS), NUM_OPS)
    predicted = fitted.predict(cells)
    assert rank_correlation(predicted.tolist(), rewards_of(cells).tolist()) > 0.9


def test_predictions_are_the_mean_of_the_network_that_is_fitted(fitted):
    """Beginnings that cells share are computed once; the order of the cells, and how many there are, do not matter."""
    cells = np.random.default_rng(0).permutation(expand(all_blocks(2, NUM_OPS), NUM_OPS))[:300]
    cells = np.concatenate([cells, cells[:5]])
    ids = tf.constant(fitted._to_ids(cells))
    every = tf.broadcast_to(ids, [5, *ids.shape])
    expected = tf.reduce_mean(fitted._read(fitted._hidden(every)), axis=0)
    np.testing.assert_allclose(fitted.predict(cells), expected, atol=1e-5)
    np.testing.assert_allclose(fitted.predict(cells[7:9]), expected[7:9], atol=1e-5)


def test_what_stands_after_the_end_of_a_cell_does_not_matter(fitted):
    cells = all_blocks(2, NUM_OPS)
    short, long = (np.stack([fitted._to_ids(rows)] * 5) for rows in (cells, pad(cells, 8)))
    np.testing.assert_allclose(fitted._hidden(long), fitted._hidden(short), atol=1e-6)


@pytest.mark.parametrize("name", PREDICTORS)
def test_a_later_fit_learns_what_larger_cells_alone_show(name):
    """To read the first block costs much, and no cell of one block can say that. The same seed gives the same bits."""
    small, rng = all_blocks(2, NUM_OPS), np.random.default_rng(0)
    large = rng.permutation(expand(small, NUM_OPS))[:200]
    rewards = rewards_of(large) - 0.05 * (large[:, 4:6] == 2).sum(axis=1)
    known = np.concatenate([pad(small, 8), large[:100]]), np.concatenate([rewards_of(small), rewards[:100]])
    before, after = [], []
    for _ in range(2):
        predictor = PREDICTORS[name](2, NUM_OPS, 2, 5e-3, seed=3)
        predictor.fit(pad(small, 8), rewards_of(small), 10)
        before.append(predictor.predict(large[100:]))
        predictor.fit(*known, 20)
        after.append(predictor.predict(large[100:]))
    np.testing.assert_array_equal(*before)
    np.testing.assert_array_equal(*after)
    said = [rank_correlation(found[0].tolist(), rewards[100:].tolist()) for found in (before, after)]
    assert said[1] > said[0] + 0.1
    assert predictor._descend.experimental_get_tracing_count() <= 2


def test_a_member_never_sees_its_part_of_the_rows():
    predictor = PREDICTORS["mlp"](2, NUM_OPS, 6, RATE, seed=0)
    rows = np.concatenate(list(predictor._batches(101, 40)), axis=1)
    seen = [set(mine.tolist()) for mine in rows]
    assert [len(mine) for mine in seen] == [81] * 6
    missing = [set(range(101)) - mine for mine in seen]
    assert not set.intersection(missing[0], missing[1])
    assert missing[0] == missing[5]
    assert len(set.union(*missing)) == 100


def test_rewards_of_any_size_are_scaled_in_their_order():
    rewards = np.array([-3e4, 0.0, 5.0, 1e4])
    scale = Scale.of(rewards)
    scaled = scale(np.append(rewards, 3e4))
    assert (np.diff(scaled[[0, 1, 2, 3, 4]]) > 0).all()
    assert 0 < scaled.min() < scaled.max() < 1
    assert Scale.of(np.array([0.5, 0.5]))(np.array([0.5])) == 0.5
