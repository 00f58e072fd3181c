"""Predictions of rewards from tokens, by a Gaussian process of scikit-learn.

What is predicted is the normal score of a reward's rank, so that neither units nor outliers matter. The correlation of
two proposals decreases with the number of tokens in which they differ: the kernel is an RBF over one-hot tokens.
"""

import functools

import numpy as np
import scipy.stats
import threadpoolctl
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, Kernel, WhiteKernel

#: On one thread, the matrices of a few hundred trials take no longer, and the last bits are the same everywhere.
_one_thread = threadpoolctl.threadpool_limits.wrap(limits=1)
#: Length of the kernel for one token; it grows with the root of their number, as distances do.
_LENGTH = 0.8
#: Variances of the noise of a score, whose own variance is 1, and a log-normal prior of them.
_NOISES, _USUAL_NOISE, _NOISE_DEVIATION = (0.01, 0.03, 0.1, 0.3, 1.0), 0.05, 2.0
#: The kernel is fitted anew each time that there are so many times as many trials.
_GROWTH = 1.25
#: Trials that a prediction rests on: the best half and the newest half of them.
MOST_TRIALS = 800


def normal_scores(rewards: np.ndarray) -> np.ndarray:
    """Return what a standard normal would have at the ranks of the rewards, float64 [n]; equal ones have equal."""
    return scipy.stats.norm.ppf((scipy.stats.rankdata(rewards) - 0.5) / len(rewards))


def one_hot(tokens: np.ndarray, ranges: np.ndarray) -> np.ndarray:
    """Return tokens int32 [n, num_tokens] as float64 [n, sum of ranges], with a 1 for each token."""
    ends = np.cumsum(ranges)
    features = np.zeros((len(tokens), ends[-1]))
    np.put_along_axis(features, tokens + (ends - ranges), 1.0, axis=1)
    return features


class Predictor:
    """Predicts the scores of rewards (`normal_scores`).

    Args:
      tokens: int32 [n, num_tokens], what was judged.
      rewards: float64 [n]; -infinity is the worst of them.
      ranges: int32 [num_tokens], the number of values of each token.
      kernel: from `fit_kernel`.
    """

    @_one_thread
    def __init__(self, tokens: np.ndarray, rewards: np.ndarray, ranges: np.ndarray, kernel: Kernel):
        if len(rewards) > MOST_TRIALS:
            best = np.argsort(-rewards, kind="stable")[: MOST_TRIALS // 2]
            rows = np.union1d(best, np.arange(len(rewards) - MOST_TRIALS // 2, len(rewards)))
            tokens, rewards = tokens[rows], rewards[rows]
        self._ranges, self._noise = ranges, kernel.k2.noise_level
        self._features = one_hot(tokens, ranges)
        self._model = GaussianProcessRegressor(kernel, optimizer=None, copy_X_train=False)
        self._model.fit(self._features, normal_scores(rewards))

    @functools.cached_property
    def goal(self) -> float:
        """The best prediction for a proposal that was judged. Thompson sampling does without it."""
        return float(self._model.predict(self._features).max())

    @_one_thread
    def predict(self, tokens: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return mean and standard deviation, float64 [n] each, without the noise of a single reward."""
        mean, spread = self._model.predict(one_hot(tokens, self._ranges), return_std=True)
        return mean, np.sqrt(np.maximum(spread**2 - self._noise, 1e-9))


def num_fitted(num_trials: int) -> int:
    """Return how many of the first trials the kernel is fitted to.

    It grows in steps, so that fits are rare. A kernel is a function of the trials, which a resumed search has too.
    """
    num = 4
    while (longer := int(num * _GROWTH) + 1) <= min(num_trials, MOST_TRIALS // 2):
        num = longer
    return min(num, num_trials)


@_one_thread
def fit_kernel(tokens: np.ndarray, rewards: np.ndarray, ranges: np.ndarray) -> Kernel:
    """Return the kernel with the noise under which the rewards are most probable.

    The other numbers are not fitted: with a length and a variance that are free, the first few trials lead to kernels
    that are too sure of themselves, and finding the best row of a table took longer (benchmarks/README.md).
    """
    features, scores = one_hot(tokens, ranges), normal_scores(rewards)
    # The squared distance of one-hot tokens is twice the number of tokens that differ.
    near = ConstantKernel(1.0) * RBF(_LENGTH * np.sqrt(len(ranges)))
    kernels = [near + WhiteKernel(noise) for noise in _NOISES]

    def log_probability(kernel: Kernel) -> float:
        prior = -0.5 * (np.log(kernel.k2.noise_level / _USUAL_NOISE) / _NOISE_DEVIATION) ** 2
        model = GaussianProcessRegressor(kernel, optimizer=None).fit(features, scores)
        return model.log_marginal_likelihood_value_ + prior

    return max(kernels, key=log_probability)


def expected_improvement(mean: np.ndarray, spread: np.ndarray, goal: float) -> np.ndarray:
    """Return by how much each prediction is expected to surpass `goal`: float64 [n], 0 or more."""
    z = (mean - goal) / spread
    return spread * (z * scipy.stats.norm.cdf(z) + scipy.stats.norm.pdf(z))


def rank_correlation(predicted: list[float], rewards: list[float]) -> float | None:
    """Return Spearman's correlation; None for fewer than three pairs, or where all of one side are equal."""
    if len(rewards) < 3 or len(set(predicted)) < 2 or len(set(rewards)) < 2:
        return None
    return float(scipy.stats.spearmanr(predicted, rewards).statistic)
