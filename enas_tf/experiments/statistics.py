"""Statistics of a study: where found architectures stand among random ones, and how well a score ranks."""

import math
from collections.abc import Sequence

import numpy as np
import scipy.stats
from numpy.typing import ArrayLike

#: Repetitions of a bootstrap, and the share of them that an interval holds.
_REPETITIONS, _COVERAGE = 10_000, 0.95


def percentile_of(value: float, others: ArrayLike, is_higher_better: bool) -> float:
    """Return the percentage of `others` that `value` is better than, ties counted half."""
    them = np.asarray(others, float)
    worse, better = (them < value, them > value) if is_higher_better else (them > value, them < value)
    return float(100 * (worse.mean() + (1 - worse.mean() - better.mean()) / 2))


def interval_of_mean(values: ArrayLike, seed: int = 0) -> tuple[float, float]:
    """Return the bootstrap interval of a mean (Efron 1979), 95 %; NaN for fewer than two values."""
    known = np.asarray(values, float)
    if len(known) < 2:
        return math.nan, math.nan
    rng = np.random.default_rng(seed)
    means = known[rng.integers(len(known), size=(_REPETITIONS, len(known)))].mean(axis=1)
    low, high = np.quantile(means, [(1 - _COVERAGE) / 2, (1 + _COVERAGE) / 2])
    return float(low), float(high)


def rank_agreement(score: ArrayLike, truth: ArrayLike) -> float:
    """Return Kendall's tau-b of two numbers of the same architectures; NaN where one of them is constant."""
    pairs = np.array([score, truth], float)
    pairs = pairs[:, np.isfinite(pairs).all(axis=0)]
    if pairs.shape[1] < 2:
        return math.nan
    return float(scipy.stats.kendalltau(*pairs).statistic)


def precision_at_top(score: ArrayLike, truth: ArrayLike, share: float = 0.1) -> float:
    """Return how much of the best `share` by `score` is among the best `share` by `truth`; more is better in both."""
    num = max(1, round(share * np.size(score)))
    chosen, best = (set(np.argsort(-np.asarray(values, float), kind="stable")[:num]) for values in (score, truth))
    return len(chosen & best) / num


def best_by_stages(
    nums: Sequence[int], scores: Sequence[ArrayLike], values: ArrayLike, seed: int, draws: int
) -> np.ndarray:
    """Return what a choice in stages among random architectures is worth, float64 [draws].

    Each draw takes `nums[0]` of the architectures without repetition. Stage i keeps the best `nums[i + 1]` by
    `scores[i]` (more is better; NaN is the worst), the last stage one, whose value is returned.
    """
    truths, rng = np.asarray(values, float), np.random.default_rng(seed)
    left = rng.random((draws, len(truths))).argsort(axis=1)[:, : min(nums[0], len(truths))]
    for num, score in zip([*nums[1:], 1], scores, strict=True):
        known = np.nan_to_num(np.asarray(score, float), nan=-np.inf)
        order = np.argsort(-np.take(known, left), axis=1, kind="stable")[:, :num]
        left = np.take_along_axis(left, order, axis=1)
    return truths[left[:, 0]]


def p_of_better(found: ArrayLike, others: ArrayLike) -> float:
    """Return the one-sided p-value of "found is larger than its partner", by all sign flips of the paired differences.

    Up to 16 pairs all flips are counted; the smallest p-value of n pairs is 2^-n. NaN without a pair.
    """
    differences = np.asarray(found, float) - np.asarray(others, float)
    if not len(differences):
        return math.nan
    if len(differences) > 16:
        return float(scipy.stats.wilcoxon(differences, alternative="greater").pvalue)
    signs = 1 - 2 * ((np.arange(2 ** len(differences))[:, None] >> np.arange(len(differences))) & 1)
    means = (signs * differences).mean(axis=1)
    return float((means >= differences.mean() - 1e-12).mean())
