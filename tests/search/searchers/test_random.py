"""Random search proposes uniformly and learns nothing."""

import numpy as np
import pytest
import tensorflow as tf

from enas_tf.search.searchers.random import RandomSearcher
from enas_tf.spaces.macro import MacroSpace

SPACE = MacroSpace(num_layers=3)


def test_random_proposals_are_uniform():
    tokens = RandomSearcher(SPACE).propose(tf.constant(6000), tf.constant([3, 4])).numpy()
    assert tokens.dtype == np.int32
    for column, num in zip(tokens.T, SPACE.token_ranges, strict=True):
        frequencies = np.bincount(column, minlength=num) / 6000
        # Five standard deviations.
        np.testing.assert_allclose(frequencies, 1 / num, atol=5 * np.sqrt((1 / num) * (1 - 1 / num) / 6000))
    correlations = np.corrcoef(tokens.T) - np.eye(SPACE.num_tokens)
    assert np.abs(correlations).max() < 5 / np.sqrt(6000)


def test_a_random_searcher_learns_nothing():
    searcher = RandomSearcher(SPACE)
    tokens = searcher.propose(tf.constant(5), tf.constant([1, 2]))
    assert float(searcher.update(tokens, tf.constant([1.0, 0.0, 0.0, 0.0, 0.0]))["reward"]) == pytest.approx(0.2)
    np.testing.assert_array_equal(searcher.propose(tf.constant(5), tf.constant([1, 2])), tokens)
    assert list(searcher.tracked) == ["searcher_means"]
