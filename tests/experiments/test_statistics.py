"""Statistics of a study on numbers whose answers are known."""

import math

import numpy as np
import pytest
import scipy.stats

from enas_tf.experiments.statistics import (
    best_by_stages,
    interval_of_mean,
    p_of_better,
    percentile_of,
    precision_at_top,
    rank_agreement,
)


def test_percentiles_count_ties_half():
    assert percentile_of(3, [1, 2, 3, 4], is_higher_better=True) == pytest.approx(62.5)
    assert percentile_of(3, [1, 2, 3, 4], is_higher_better=False) == pytest.approx(37.5)
    assert percentile_of(9, [1, 2], is_higher_better=True) == 100


def test_an_interval_holds_the_mean_and_narrows_with_more_values():
    random = np.random.default_rng(1)
    low, high = interval_of_mean(few := random.normal(5, 1, 10))
    assert low < few.mean() < high
    narrow = interval_of_mean(random.normal(5, 1, 1000))
    assert narrow[1] - narrow[0] < (high - low) / 3
    assert all(map(math.isnan, interval_of_mean([1.0])))


def test_rank_agreement_is_kendalls_and_leaves_out_what_is_no_number():
    score, truth = [1, 2, 3, 4, math.nan], [1, 3, 2, 4, 0]
    assert rank_agreement(score, truth) == pytest.approx(scipy.stats.kendalltau(score[:4], truth[:4]).statistic)
    assert math.isnan(rank_agreement([1], [1]))


def test_precision_in_the_top():
    truth = np.arange(20.0)
    assert precision_at_top(truth, truth) == 1
    assert precision_at_top(-truth, truth) == 0
    swapped = truth.copy()
    swapped[[18, 3]] = swapped[[3, 18]]
    assert precision_at_top(swapped, truth) == 0.5


def best_of(num, score, values, draws):
    return best_by_stages([num], [score], values, seed=0, draws=draws)


def test_the_best_of_some_is_chosen_by_the_score_and_worth_its_value():
    values, flipped = np.arange(10.0), -np.arange(10.0)
    assert set(best_of(10, values, values, draws=5)) == {9.0}
    assert set(best_of(10, flipped, values, draws=5)) == {0.0}
    assert best_of(1, values, values, draws=4000).mean() == pytest.approx(4.5, abs=0.15)
    # The expected maximum of three of ten without repetition is 3 / 4 of 11, less 1.
    assert best_of(3, values, values, draws=4000).mean() == pytest.approx(11 * 3 / 4 - 1, abs=0.15)
    assert set(best_of(10, np.where(values > 5, math.nan, values), values, draws=5)) == {5.0}


def test_stages_keep_the_best_by_each_score():
    values = np.arange(9.0)
    # The first score keeps the three lowest, the second takes the highest of these.
    assert set(best_by_stages([9, 3], [-values, values], values, seed=0, draws=5)) == {2.0}
    # A first score that says nothing leaves the best of three.
    mean = best_by_stages([9, 3], [np.zeros(9), values], values, seed=0, draws=4000).mean()
    assert mean == pytest.approx(10 * 3 / 4 - 1, abs=0.15)


def test_the_p_value_is_exact_for_few_pairs():
    assert p_of_better([1, 2, 3], [0, 0, 0]) == 1 / 8
    assert p_of_better([0, 0, 0], [1, 2, 3]) == 1
    assert p_of_better([2, 0], [0, 1]) == pytest.approx(0.5)
    assert p_of_better(np.arange(1, 21), np.zeros(20)) < 1e-4
    assert math.isnan(p_of_better([], []))
