"""The benchmark of a policy and noise: what merit is, and that rewards of merit alone are learned from."""

import itertools

import numpy as np
import pytest

from benchmarks.noise import Merit, learn
from enas_tf.experiments.config import read_options
from enas_tf.spaces.macro import MacroSpace


def test_merit_has_mean_0_and_deviation_1_over_all_architectures():
    space = MacroSpace(num_layers=2)
    everything = np.array(list(itertools.product(*map(range, space.token_ranges))))
    merit = Merit(space, seed=3)(everything)
    assert merit.mean() == pytest.approx(0, abs=1e-9)
    assert merit.std() == pytest.approx(1)
    assert len(np.unique(merit.round(9))) == len(everything)


def test_a_policy_learns_from_merit_and_not_from_noise():
    options = {"num_layers": 3, "ops": ("conv_3x3", "max_pool_3x3"), "hidden_size": 16}
    length = {"epochs": 10, "updates_per_epoch": 6, "samples_per_update": 8}
    config = read_options(options | length)
    clear, noise = (learn(config, noise, seed=0) for noise in (0.0, float("inf")))
    assert len(clear.merit) == len(clear.entropy) == 60
    assert np.mean(clear.merit[-10:]) > 0.7
    assert abs(np.mean(noise.merit[-10:])) < 0.7 * np.mean(clear.merit[-10:])
