"""REINFORCE and PPO: the policy learns as its options say."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from enas_tf.controller.policy import ControllerConfig
from enas_tf.errors import InputError, render
from enas_tf.search.searchers.reinforce import ReinforceConfig, ReinforceSearcher, policy_problem
from enas_tf.spaces.macro import MacroSpace
from tests.search.searchers.small import ARMS

SPACE = MacroSpace(num_layers=3)


@pytest.fixture(scope="module")
def updated():
    """A searcher and what its first two updates said, with the tokens and rewards of both."""
    config = ReinforceConfig(reward_baseline="moving_average", baseline_decay=0.9, entropy_weight=0.0)
    searcher = ReinforceSearcher(SPACE, ControllerConfig(hidden_size=8), config)
    history = []
    for rewards in ([0.2, 0.4, 0.9], [0.5, 0.1, 0.3]):
        tokens = searcher.propose(tf.constant(3), tf.constant([1, len(history)]))
        history.append((tokens, rewards, searcher.update(tokens, tf.constant(rewards))))
    return searcher, history


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
    assert searcher._judge.experimental_get_tracing_count() == 1
    assert searcher._descend.experimental_get_tracing_count() == 1


def test_entropy_is_a_part_of_the_reward():
    config = ReinforceConfig(entropy_weight=1.0, entropy_in="reward", reward_baseline="moving_average")
    searcher = ReinforceSearcher(SPACE, ControllerConfig(hidden_size=8), config)
    tokens = searcher.propose(tf.constant(4), tf.constant([1, 2]))
    entropy = float(tf.reduce_mean(searcher.controller.score(tokens).entropy))
    said = searcher.update(tokens, tf.zeros(4))
    assert float(said["baseline"]) == pytest.approx(entropy, rel=1e-4)
    assert float(said["reward"]) == 0.0


def test_a_collapsed_policy_is_told():
    assert policy_problem(0.5, 0.1) is None
    assert "0.05 nats, below min_entropy=0.1" in render(policy_problem(0.05, 0.1))
    with pytest.raises(InputError, match="the policy has diverged: its entropy is nan"):
        policy_problem(math.nan, 0.1)


def test_an_update_without_any_reward_changes_no_weight():
    searcher = ReinforceSearcher(
        SPACE, ControllerConfig(hidden_size=4), ReinforceConfig(reward_baseline="moving_average")
    )
    tokens = searcher.propose(tf.constant(3), tf.constant([1, 2]))
    before = [variable.numpy() for variable in searcher.controller.trainable_variables]
    searcher.update(tokens, tf.fill([3], math.nan))
    for old, variable in zip(before, searcher.controller.trainable_variables, strict=True):
        np.testing.assert_array_equal(old, variable.numpy())
    said = searcher.update(tokens, tf.constant([0.1, 0.2, 0.3]))
    assert np.isfinite(float(said["baseline"]))


def searched(config: ReinforceConfig, num_updates: int = 40) -> tuple[ReinforceSearcher, list[dict]]:
    """Return a searcher after updates that reward one token of the arms by 0.02, and what they said."""
    keras.utils.set_random_seed(0)
    searcher, said = ReinforceSearcher(ARMS, ControllerConfig(hidden_size=8), config, num_updates), []
    for update in range(num_updates):
        tokens = searcher.propose(tf.constant(10), tf.constant([3, update]))
        said.append(searcher.update(tokens, 0.5 + 0.02 * tf.cast(tokens[:, 0] == 1, tf.float32)))
    return searcher, said


def share_of_the_best(searcher) -> float:
    return float((searcher.propose(tf.constant(1000), tf.constant([5, 6])).numpy() == 1).mean())


@pytest.mark.parametrize(
    "config",
    [
        ReinforceConfig(),
        ReinforceConfig(final_entropy_weight=0.0),
        ReinforceConfig(ppo_passes=4, controller_learning_rate=5e-3),
        ReinforceConfig(ppo_passes=2, ppo_minibatch=5, controller_learning_rate=5e-3),
    ],
    ids=["default", "schedule", "ppo", "minibatches"],
)
def test_it_learns_from_rewards_that_differ_by_a_fiftieth(config):
    searcher, said = searched(config)
    assert share_of_the_best(searcher) > 0.7
    assert float(said[-1]["entropy"]) < 0.8 < float(said[0]["entropy"])


def test_the_longer_the_search_the_smaller_the_steps():
    """Down to those of the paper's macro search, whose updates are 310 x 50; what is given counts."""
    rates = [ReinforceConfig().rate_for(num) for num in (0, 1, 50, 100, 101, 480, 2_000, 310 * 50)]
    assert rates == sorted(rates, reverse=True)
    assert rates[:4] == [0.02] * 4
    assert rates[4] < 0.02
    assert rates[5] == pytest.approx(2 / 480)
    assert rates[6:] == [0.001] * 2
    assert ReinforceConfig(controller_learning_rate=0.3).rate_for(480) == 0.3
    assert ReinforceSearcher(ARMS, num_updates=480).optimizer.learning_rate.numpy() == pytest.approx(2 / 480)


def test_a_long_search_does_not_settle_by_the_noise_of_its_first_rewards():
    """Rewards that have nothing to do with the proposals; skip connections share their weights, and move together."""
    space, random = MacroSpace(num_layers=4), np.random.default_rng(0)
    kept = {}
    for rate in (None, 0.02):
        keras.utils.set_random_seed(0)
        searcher = ReinforceSearcher(space, config=ReinforceConfig(rate), num_updates=480)
        for update in range(24):
            tokens = searcher.propose(tf.constant(8), tf.constant([0, update]))
            said = searcher.update(tokens, tf.constant(random.normal(size=8), tf.float32))
            kept.setdefault(rate, []).append(float(said["entropy"]))
    assert min(kept[None]) > 0.95 * kept[None][0]
    assert min(kept[0.02]) < 0.85 * kept[0.02][0]


def test_the_papers_way_hardly_moves_by_these():
    """It is kept for the presets that claim the paper, whose searches have a thousand times as many proposals."""
    paper = ReinforceConfig(1e-3, 1e-3, "moving_average", 0.99, "reward", 1e-4)
    searcher, said = searched(paper)
    assert share_of_the_best(searcher) < 0.45
    assert {"baseline", "advantage"} <= said[0].keys()


def test_entropy_in_the_loss_keeps_a_policy_open():
    searcher, _ = searched(ReinforceConfig(entropy_weight=3.0))
    assert share_of_the_best(searcher) < 0.5


def test_the_weight_of_the_entropy_reaches_its_end():
    searcher = ReinforceSearcher(
        ARMS, ControllerConfig(hidden_size=4), ReinforceConfig(entropy_weight=0.4, final_entropy_weight=0.1), 4
    )
    weights = []
    for _ in range(5):
        weights.append(float(searcher.entropy_weight()))
        searcher.update(tf.constant([[0], [1]]), tf.constant([0.1, 0.2]))
    assert weights == pytest.approx([0.4, 0.3, 0.2, 0.1, 0.1])
