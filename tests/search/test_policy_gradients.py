"""Losses and advantages of policies are their formulas."""

import numpy as np
import pytest
import tensorflow as tf

from enas_tf.search.policy_gradients import moved_baseline, ppo_loss, reinforce_loss, scaled_advantage


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


def test_the_baseline_leaves_out_what_is_not_taken():
    rewards, taken = tf.constant([1.0, 7.0, 2.0]), tf.constant([1.0, 0.0, 1.0])
    expected = 0.9 * (0.9 * 0.3 + 0.1 * 1.0) + 0.1 * 2.0
    assert float(moved_baseline(tf.constant(0.3), rewards, 0.9, taken)) == pytest.approx(expected, rel=1e-6)


def test_advantages_are_in_units_of_the_standard_deviation():
    rewards, taken = np.float32([0.50, 0.52, 9.0, 0.55]), np.float32([1, 1, 0, 1])
    found = scaled_advantage(tf.constant(rewards), tf.constant(taken)).numpy()
    chosen = rewards[[0, 1, 3]]
    np.testing.assert_allclose(found[[0, 1, 3]], (chosen - chosen.mean()) / chosen.std(), rtol=1e-4)
    assert found[2] == 0.0


@pytest.mark.parametrize("rewards", [[0.7], [0.7, 0.7, 0.7], [0.0, 0.0], [0.1 + 0.2, 0.3]])
def test_equal_rewards_teach_nothing(rewards):
    np.testing.assert_array_equal(scaled_advantage(tf.constant(rewards), tf.ones(len(rewards))), np.zeros(len(rewards)))


def test_advantages_without_any_reward_are_zero():
    np.testing.assert_array_equal(scaled_advantage(tf.zeros(3), tf.zeros(3)), np.zeros(3))


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_advantages_do_not_depend_on_the_unit_of_a_reward(scale):
    rewards = tf.constant([0.2, 0.9, 0.4])
    np.testing.assert_allclose(
        scaled_advantage(scale * rewards, tf.ones(3)), scaled_advantage(rewards, tf.ones(3)), rtol=1e-4
    )


def test_the_loss_of_ppo_is_the_clipped_one():
    """By hand: a good proposal gains nothing beyond 1.2 times its probability, a bad one nothing below 0.8 times."""
    ratios, advantage = np.array([1.5, 1.1, 0.5, 0.9]), np.array([1.0, 1.0, -1.0, -2.0])
    old = np.log([0.1, 0.2, 0.3, 0.4])
    loss = ppo_loss(tf.constant(old + np.log(ratios)), tf.constant(old), tf.constant(advantage), 0.2)
    assert float(loss) == pytest.approx(-(1.2 + 1.1 - 0.8 - 1.8) / 4)


def test_at_first_the_gradient_of_ppo_is_reinforces():
    log_prob, advantage = tf.constant([-1.0, -2.0, -0.5]), tf.constant([1.0, -0.5, 2.0])
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(log_prob)
        losses = ppo_loss(log_prob, log_prob + 0.0, advantage, 0.2), reinforce_loss(log_prob, advantage)
    np.testing.assert_allclose(tape.gradient(losses[0], log_prob), tape.gradient(losses[1], log_prob), rtol=1e-6)


def test_what_ppo_has_clipped_has_no_gradient():
    log_prob = tf.constant([0.3, -0.3])
    with tf.GradientTape() as tape:
        tape.watch(log_prob)
        loss = ppo_loss(log_prob, tf.zeros(2), tf.constant([1.0, -1.0]), 0.2)
    np.testing.assert_array_equal(tape.gradient(loss, log_prob), [0.0, 0.0])
