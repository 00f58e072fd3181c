"""The pieces of REINFORCE are their formulas; both searchers are what they say."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from enas_tf.controller.policy import CONTROLLER, ControllerConfig
from enas_tf.errors import InputError, render
from enas_tf.options import Config
from enas_tf.search.searchers.random import RandomSearcher
from enas_tf.search.searchers.reinforce import (
    ReinforceConfig,
    ReinforceSearcher,
    moved_baseline,
    policy_problem,
    reinforce_loss,
)
from enas_tf.search.searchers.searcher import SEARCHERS
from enas_tf.spaces.macro import MacroSpace

SPACE = MacroSpace(num_layers=3)


@pytest.fixture(scope="module")
def updated():
    """A searcher and what its first two updates said, with the tokens and rewards of both."""
    config = ReinforceConfig(baseline_decay=0.9, entropy_weight=0.0)
    searcher = ReinforceSearcher(SPACE, ControllerConfig(hidden_size=8), config)
    history = []
    for rewards in ([0.2, 0.4, 0.9], [0.5, 0.1, 0.3]):
        tokens = searcher.propose(tf.constant(3), tf.constant([1, len(history)]))
        history.append((tokens, rewards, searcher.update(tokens, tf.constant(rewards))))
    return searcher, history


@pytest.mark.parametrize("decay", [0.0, 0.5, 0.99])
@pytest.mark.parametrize("num", [1, 2, 20])
def test_the_baseline_takes_rewards_in_one_after_another(decay, num):
    rewards = np.random.default_rng(0).random(num).astype(np.float32)
    expected = 0.3
    for reward in rewards:
        expected = decay * expected + (1 - decay) * reward
    assert float(moved_baseline(tf.constant(0.3), tf.constant(rewards), decay, tf.ones(num))) == pytest.approx(
        expected, rel=1e-5
    )


def test_the_gradient_of_the_loss_is_reinforces():
    """-mean(advantage * gradient of log p), which for a categorical over logits is one-hot - probabilities."""
    logits = tf.constant([0.5, -1.0, 2.0])
    actions, advantage = np.array([0, 2, 2, 1]), tf.constant([1.0, -2.0, 0.5, 3.0])
    with tf.GradientTape() as tape:
        tape.watch([logits, advantage])
        log_prob = tf.gather(tf.nn.log_softmax(logits), actions)
        # An advantage that itself depends on the policy must not be differentiated.
        loss = reinforce_loss(log_prob, advantage + 0.0 * log_prob)
    gradient, through_advantage = tape.gradient(loss, [logits, advantage])
    scores = np.eye(3)[actions] - tf.nn.softmax(logits).numpy()
    np.testing.assert_allclose(gradient, -np.mean(advantage.numpy()[:, None] * scores, axis=0), atol=1e-6)
    assert through_advantage is None


def test_the_baseline_starts_at_the_mean_of_the_first_rewards(updated):
    (_, rewards, said), _ = updated[1]
    assert float(said["advantage"]) == pytest.approx(0.0, abs=1e-6)
    expected = np.mean(rewards)
    for reward in rewards:
        expected = 0.9 * expected + 0.1 * reward
    assert float(said["baseline"]) == pytest.approx(expected, rel=1e-5)


def test_later_advantages_are_over_the_baseline_before_the_update(updated):
    (_, _, before), (_, rewards, said) = updated[1]
    assert float(said["advantage"]) == pytest.approx(np.mean(rewards) - float(before["baseline"]), abs=1e-6)


def test_an_update_says_what_happened(updated):
    searcher, history = updated
    for tokens, rewards, said in history:
        assert float(said["reward"]) == pytest.approx(np.mean(rewards))
        bits = tokens.numpy()[:, [2, 4, 5]]
        assert float(said["skip_rate"]) == pytest.approx(bits.mean())
        assert float(said["entropy"]) == pytest.approx(3 * np.log(6) + 3 * np.log(2), rel=0.01), (
            "nearly uniform at first"
        )
        assert float(said["gradient_norm"]) > 0
    assert searcher.update.experimental_get_tracing_count() == 1


def test_entropy_is_a_part_of_the_reward():
    searcher = ReinforceSearcher(SPACE, ControllerConfig(hidden_size=8), ReinforceConfig(entropy_weight=1.0))
    tokens = searcher.propose(tf.constant(4), tf.constant([1, 2]))
    entropy = float(tf.reduce_mean(searcher.controller.score(tokens).entropy))
    said = searcher.update(tokens, tf.zeros(4))
    assert float(said["baseline"]) == pytest.approx(entropy, rel=1e-4)
    assert float(said["reward"]) == 0.0


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


def test_every_searcher_can_be_built():
    config = Config({CONTROLLER: ControllerConfig(hidden_size=4)})
    for name in SEARCHERS:
        searcher = SEARCHERS[name].build(SPACE, config)
        assert type(searcher) is SEARCHERS[name]
        assert searcher.find_problem(dict.fromkeys(searcher.metric_names, 1.0)) is None


def test_a_collapsed_policy_is_told():
    assert policy_problem(0.5, 0.1) is None
    assert "0.05 nats, below min_entropy=0.1" in render(policy_problem(0.05, 0.1))
    with pytest.raises(InputError, match="the policy has diverged: its entropy is nan"):
        policy_problem(math.nan, 0.1)


def test_the_baseline_leaves_out_what_is_not_taken():
    rewards, taken = tf.constant([1.0, 7.0, 2.0]), tf.constant([1.0, 0.0, 1.0])
    expected = 0.9 * (0.9 * 0.3 + 0.1 * 1.0) + 0.1 * 2.0
    assert float(moved_baseline(tf.constant(0.3), rewards, 0.9, taken)) == pytest.approx(expected, rel=1e-6)


ODD = [math.nan, math.inf, -math.inf]


@pytest.mark.parametrize("name", SEARCHERS)
@pytest.mark.parametrize("is_first", [True, False])
def test_a_reward_that_is_no_number_moves_nothing(name, is_first):
    """Law 9: whatever stands in its place, the searcher is the same afterwards, and all its weights are numbers."""
    states = []
    for odd in ODD:
        tf.random.set_seed(0)
        keras.utils.set_random_seed(0)
        searcher = SEARCHERS[name].build(SPACE, Config({CONTROLLER: ControllerConfig(hidden_size=4)}))
        tokens = searcher.propose(tf.constant(4), tf.constant([1, 2]))
        if not is_first:
            searcher.update(tokens, tf.constant([0.1, 0.2, 0.3, 0.4]))
        said = searcher.update(tokens, tf.constant([0.5, odd, 0.25, odd]))
        assert float(said["reward"]) == pytest.approx(0.375)
        assert float(said["nonfinite_rewards"]) == 2
        states.append([variable.numpy() for variable in searcher.variables])
    for state in states:
        for mine, its in zip(state, states[0], strict=True):
            assert np.isfinite(mine).all()
            np.testing.assert_array_equal(mine, its)


def test_an_update_without_any_reward_changes_no_weight():
    searcher = ReinforceSearcher(SPACE, ControllerConfig(hidden_size=4), ReinforceConfig(skip_weight=0.0))
    tokens = searcher.propose(tf.constant(3), tf.constant([1, 2]))
    before = [variable.numpy() for variable in searcher.controller.trainable_variables]
    searcher.update(tokens, tf.fill([3], math.nan))
    for old, variable in zip(before, searcher.controller.trainable_variables, strict=True):
        np.testing.assert_array_equal(old, variable.numpy())
    said = searcher.update(tokens, tf.constant([0.1, 0.2, 0.3]))
    assert np.isfinite(float(said["baseline"]))
