"""Laws 2 and 8: the policy is a distribution over its space, and learns to prefer what is rewarded."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from enas_tf.controller.policy import Controller, ControllerConfig
from enas_tf.options import Config
from enas_tf.search.searchers.history import HistorySearcher
from enas_tf.search.searchers.reinforce import ReinforceSearcher
from enas_tf.search.searchers.searcher import SEARCHERS, Searcher
from enas_tf.spaces.space import Space

#: Searchers for every space; what proposes levels has tests of its own.
ENDLESS = [name for name in SEARCHERS if not SEARCHERS[name].proposes_levels]
#: Options with which a searcher learns a tiny space within 100 updates.
FAST = {
    "hidden_size": 16,
    "tanh_constant": 2.5,
    "controller_learning_rate": 0.02,
    "baseline_decay": 0.9,
    "entropy_weight": 1e-4,
    "skip_weight": 0.0,
}


def build_searcher(name: str, space: Space) -> Searcher:
    """Build the registered searcher `name` with those of the fast options that it reads."""
    entry = SEARCHERS.entry(name)
    return entry.component.build(space, Config({group: group.build(FAST) for group in entry.groups}))


@pytest.fixture
def everything(costly_case) -> np.ndarray:
    """All token sequences of the tiny space."""
    return np.array(list(itertools.product(*(range(num) for num in costly_case.tiny.token_ranges))), np.int32)


@pytest.fixture
def controller(costly_case) -> Controller:
    """A policy far from uniform."""
    keras.utils.set_random_seed(0)
    controller = Controller(costly_case.tiny, ControllerConfig(hidden_size=16))
    for variable in controller.trainable_variables:
        variable.assign(20.0 * variable)
    return controller


def test_probabilities_sum_to_one(controller, everything):
    probabilities = np.exp(controller.log_prob(everything).numpy())
    assert probabilities.sum() == pytest.approx(1.0, abs=1e-5)
    assert probabilities.max() > 3.0 / len(everything), "the policy under test should be far from uniform"


def test_entropy_is_its_definition(controller, everything):
    walk = controller.score(everything)
    log_prob = walk.log_prob.numpy()
    definition = -np.sum(np.exp(log_prob) * log_prob)
    assert np.sum(np.exp(log_prob) * walk.entropy.numpy()) == pytest.approx(definition, rel=1e-4)


def test_sample_and_log_prob_agree(controller, everything):
    walk = controller.sample(4000, tf.constant([3, 4]))
    np.testing.assert_allclose(controller.log_prob(walk.tokens), walk.log_prob, atol=1e-5)
    ranges = controller.space.token_ranges
    frequencies = np.bincount(np.ravel_multi_index(walk.tokens.numpy().T, ranges), minlength=len(everything)) / 4000
    probabilities = np.exp(controller.log_prob(everything).numpy())
    # Five standard deviations of a frequency of 4,000 draws.
    assert np.all(np.abs(frequencies - probabilities) < 5 * np.sqrt(probabilities / 4000) + 1e-3)


def test_one_trace_serves_every_number_of_proposals(costly_case):
    searcher = ReinforceSearcher(costly_case.tiny, ControllerConfig(hidden_size=8))
    seed = tf.constant([1, 2])
    for num in (1, 2, 7):
        assert searcher.propose(tf.constant(num), seed).shape == (num, costly_case.tiny.num_tokens)
    assert searcher.propose.experimental_get_tracing_count() == 1


@pytest.mark.parametrize("name", ENDLESS)
def test_proposals_are_a_function_of_the_seed(costly_case, name):
    searcher = build_searcher(name, costly_case.tiny)
    draws = [searcher.propose(tf.constant(5), tf.constant(seed)).numpy() for seed in ([1, 2], [1, 2], [1, 3])]
    np.testing.assert_array_equal(draws[0], draws[1])
    assert not np.array_equal(draws[0], draws[2])
    assert (draws[0] < costly_case.tiny.token_ranges).all()


@pytest.mark.parametrize("name", ENDLESS)
def test_a_searcher_that_learns_finds_the_best_arm_and_another_does_not(costly_case, name):
    """The reward is the share of tokens that agree with a hidden sequence."""
    keras.utils.set_random_seed(0)
    space = costly_case.tiny
    hidden, searcher = space.token_ranges - 1, build_searcher(name, space)
    # What proposes nothing twice has nothing to propose once it has proposed all; it keeps the best one as a candidate.
    proposes_new = isinstance(searcher, HistorySearcher)
    for update in range(space.size // 10 + 1 if proposes_new else 100):
        tokens = searcher.propose(tf.constant(20), tf.constant([update, 0]))
        searcher.update(tokens, tf.reduce_mean(tf.cast(tokens == hidden, tf.float32), axis=1))
    tokens = searcher.candidates(tf.constant(1 if proposes_new else 200), tf.constant([0, 1])).numpy()
    share = float((tokens == hidden).mean())
    # A checkpoint holds what was learned beside the means, which every searcher has.
    if set(searcher.tracked) > {"searcher_means"}:
        assert share > 0.85
    else:
        assert share < 0.65
