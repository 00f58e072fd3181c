"""The surrogate's predictions: exact where they can be computed by hand, and of use where rewards are noisy."""

import numpy as np
import pytest

from enas_tf.search.prediction import (
    Predictor,
    expected_improvement,
    fit_kernel,
    normal_scores,
    num_fitted,
    one_hot,
    rank_correlation,
)
from tests.search.searchers.small import SPACE, table_of

RANGES = np.array([3, 2], np.int32)


def test_tokens_become_ones():
    tokens = np.array([[2, 0], [0, 1]], np.int32)
    np.testing.assert_array_equal(one_hot(tokens, RANGES), [[0, 0, 1, 1, 0], [1, 0, 0, 0, 1]])


def test_scores_are_those_of_ranks():
    scores = normal_scores(np.array([0.1, -np.inf, 900.0, 0.2]))
    assert (np.argsort(scores) == [1, 0, 3, 2]).all()
    np.testing.assert_allclose(scores, -scores[[3, 2, 1, 0]], atol=1e-12)
    assert normal_scores(np.array([0.5, 0.5])).tolist() == [0.0, 0.0]


def test_a_prediction_is_the_posterior_of_the_kernel():
    """By the formulas of Rasmussen and Williams, equations 2.25 and 2.26."""
    rng = np.random.default_rng(0)
    tokens, new = SPACE.random_tokens(12, rng), SPACE.random_tokens(5, rng)
    rewards = rng.random(12)
    kernel = fit_kernel(tokens, rewards, SPACE.token_ranges)
    noise, squared_length = kernel.k2.noise_level, kernel.k1.k2.length_scale**2

    def covariance(a, b):
        return np.exp(-(a[:, None] != b[None]).sum(axis=2) / squared_length)

    inverse = np.linalg.inv(covariance(tokens, tokens) + noise * np.eye(12))
    across = covariance(new, tokens)
    mean, spread = Predictor(tokens, rewards, SPACE.token_ranges, kernel).predict(new)
    np.testing.assert_allclose(mean, across @ inverse @ normal_scores(rewards), atol=1e-6)
    variance = 1 - np.einsum("ij,jk,ik->i", across, inverse, across)
    np.testing.assert_allclose(spread, np.sqrt(variance), atol=1e-4)


def test_predictions_rank_what_was_not_judged():
    table, rng = table_of(SPACE), np.random.default_rng(1)
    rows = SPACE.random_tokens(300, rng)
    rewards = table[np.ravel_multi_index(tuple(rows.T), SPACE.token_ranges)]
    kernel = fit_kernel(rows[:200], rewards[:200], SPACE.token_ranges)
    mean, _ = Predictor(rows[:200], rewards[:200], SPACE.token_ranges, kernel).predict(rows[200:])
    assert rank_correlation(mean.tolist(), rewards[200:].tolist()) > 0.6


def test_noise_is_recognised():
    rng = np.random.default_rng(2)
    rows = SPACE.random_tokens(150, rng)
    table = table_of(SPACE)
    rewards = table[np.ravel_multi_index(tuple(rows.T), SPACE.token_ranges)]
    clear = fit_kernel(rows, rewards, SPACE.token_ranges).k2.noise_level
    noisy = fit_kernel(rows, rng.permutation(rewards), SPACE.token_ranges).k2.noise_level
    assert clear < noisy


def test_many_trials_are_the_best_and_the_newest():
    rng = np.random.default_rng(3)
    rows = SPACE.random_tokens(1000, rng)
    rewards = rng.random(1000)
    rewards[0] = 2.0
    kernel = fit_kernel(rows[:50], rewards[:50], SPACE.token_ranges)
    predictor = Predictor(rows, rewards, SPACE.token_ranges, kernel)
    mean, _ = predictor.predict(rows[:1])
    assert mean[0] > 0
    assert np.isfinite(predictor.goal)


@pytest.mark.parametrize("num", [2, 3, 4, 5, 100, 10_000])
def test_fits_are_of_the_first_trials_and_rare(num):
    fitted = num_fitted(num)
    assert 2 <= fitted <= num
    assert len({num_fitted(n) for n in range(2, num + 1)}) <= 4 + 25


def test_the_expected_improvement():
    """By numbers: the mean of max(0, x - goal) over a normal x."""
    draws = np.random.default_rng(4).normal(0.3, 0.5, 400_000)
    found = expected_improvement(np.array([0.3]), np.array([0.5]), 0.6)
    assert found[0] == pytest.approx(np.maximum(0, draws - 0.6).mean(), rel=0.02)


@pytest.mark.parametrize("pairs", [([1.0, 2.0], [1.0, 2.0]), ([1.0, 1.0, 1.0], [1.0, 2.0, 3.0])])
def test_too_little_has_no_correlation(pairs):
    assert rank_correlation(*pairs) is None
