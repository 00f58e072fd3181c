"""Problems and judge of language modelling: penalties are their formulas; what a reward and a score count."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from enas_tf.data.text_batches import evaluation_windows, in_rows
from enas_tf.errors import InputError
from enas_tf.models.language import LanguageConfig, Reading
from enas_tf.models.recurrent_supernet import RecurrentSupernet
from enas_tf.spaces.recurrent import RecurrentSpace
from enas_tf.tasks.language_problems import (
    PerplexityJudge,
    RewardConfig,
    TextSupernetProblem,
    WindowConfig,
    penalty,
    window_scale,
)
from tests.tasks.small import NOISE, TEXT, make_text

SPACE = RecurrentSpace(nodes=3)
BATCH, BPTT, SCALE = 4, 8, 12.0
TOKENS = SPACE.random_tokens(3, np.random.default_rng(3))


def make_reading(time, seed=0):
    random = np.random.default_rng(seed)
    states, dropped = random.normal(size=(2, 3, time, 4)).astype(np.float32)
    return Reading(tf.constant(states), tf.constant(dropped), tf.constant(states[:, -1]))


@pytest.mark.parametrize(("activation", "slowness"), [(0.7, 0.0), (0.0, 1.3), (0.7, 1.3)])
def test_penalties_are_their_formulas(activation, slowness):
    """The first on outputs after dropout, the second on outputs before it."""
    reading = make_reading(time=6)
    states, dropped = reading.states.numpy(), reading.dropped.numpy()
    expected = activation * np.mean(dropped**2) + slowness * np.mean(np.diff(states, axis=1) ** 2)
    config = WindowConfig(activation_penalty=activation, slowness_penalty=slowness)
    assert float(penalty(reading, config)) == pytest.approx(expected, rel=1e-5)


def test_no_weight_no_penalty():
    assert float(penalty(make_reading(time=6), WindowConfig(activation_penalty=0.0, slowness_penalty=0.0))) == 0.0


def test_a_window_of_one_token_has_no_change():
    reading, states = make_reading(time=1), tf.ones([3, 1, 4])
    config = WindowConfig(activation_penalty=0.0, slowness_penalty=2.0)
    assert float(penalty(reading, config)) == 0.0
    with tf.GradientTape() as tape:
        tape.watch(states)
        found = penalty(reading._replace(states=states), config)
    np.testing.assert_array_equal(tape.gradient(found, states), np.zeros((3, 1, 4)))


def test_window_scale_is_the_length_in_units_of_bptt():
    config = WindowConfig(bptt=35)
    lengths = [1, 7, 35, 70]
    found = [float(window_scale(tf.zeros([4, length], tf.int32), config)) for length in lengths]
    np.testing.assert_allclose(found, [1 / 35, 0.2, 1.0, 2.0], rtol=1e-6)


class TestJudge:
    """The weights of the supernet stay as they are."""

    @pytest.fixture(scope="class")
    def judge(self):
        return self.make_judge()

    def make_judge(self, drop=0.0, batch_size=BATCH):
        keras.utils.set_random_seed(0)
        supernet = RecurrentSupernet(SPACE, LanguageConfig(8, *[drop] * 5, init_scale=0.5), TEXT)
        return PerplexityJudge(supernet, make_text(), batch_size, WindowConfig(bptt=BPTT), RewardConfig(SCALE))

    def cross_entropy(self, judge, ids, targets, tokens):
        """Return the nats per token of a window that is read from a state of zeros."""
        reading, _ = judge.supernet(tf.constant(ids), tf.zeros([len(ids), 8]), tf.constant(tokens))
        logits = judge.supernet.logits(reading.states).numpy().astype(np.float64)
        chosen = np.take_along_axis(logits, targets[..., None], axis=2)[..., 0]
        return float(np.mean(np.log(np.sum(np.exp(logits), axis=2)) - chosen))

    @pytest.mark.parametrize("num_batches", [1, 2])
    def test_the_rewards_of_an_update_are_those_of_the_same_windows(self, judge, num_batches):
        """The scale divided by their perplexity, from a state of zeros; all windows again when they are used up."""
        windows = list(evaluation_windows(in_rows(NOISE, BATCH), BPTT))
        tokens = SPACE.random_tokens(3, np.random.default_rng(4))
        judge.start(0)
        seen = []
        for update in range(len(windows) // num_batches + 2):
            used = [windows[(update * num_batches + number) % len(windows)] for number in range(num_batches)]
            sizes = [ids.size for ids, _ in used]
            nats = [
                np.dot([self.cross_entropy(judge, *window, proposal) for window in used], sizes) / sum(sizes)
                for proposal in tokens
            ]
            seen.append(judge.reward(tf.constant(tokens), num_batches))
            np.testing.assert_allclose(seen[-1], SCALE / np.exp(nats), rtol=1e-4)
        assert np.ptp(seen[0]) > 1e-4, "cells should differ, or there is nothing to see"
        assert np.ptp([rewards[0] for rewards in seen]) > 1e-4, "windows should"

    def test_rewards_go_on_where_an_unbroken_run_stands(self, judge):
        tokens = tf.constant(TOKENS[:1])
        judge.start(0)
        unbroken = [judge.reward(tokens).numpy() for _ in range(12)]
        judge.start(8)
        np.testing.assert_array_equal([judge.reward(tokens).numpy() for _ in range(4)], unbroken[8:])

    def test_a_reward_does_not_depend_on_the_one_before(self, judge):
        rewards = []
        for first in TOKENS[:2]:
            judge.start(0)
            rewards.append(judge.reward(tf.constant(np.stack([first, TOKENS[2]]))).numpy())
        assert rewards[0][0] != rewards[1][0]
        assert rewards[0][1] == rewards[1][1]

    def test_a_score_is_the_perplexity_of_the_whole_validation_part(self, judge):
        """With the state carried: as if it were one window. Of some windows, as if the text ended there."""
        rows = in_rows(NOISE, BATCH)
        for tokens in TOKENS:
            for num_batches, columns in ((0, rows.shape[1] - 1), (1, BPTT), (2, 2 * BPTT)):
                expected = np.exp(self.cross_entropy(judge, rows[:, :columns], rows[:, 1 : columns + 1], tokens))
                assert judge.score(tokens, num_batches) == pytest.approx(expected, rel=1e-4)
        assert judge.read.experimental_get_tracing_count() == 1, "one trace should read any window with any cell"
        assert (judge.metric, judge.is_higher_better) == ("valid_perplexity", False)

    def test_a_score_and_a_reward_have_no_dropout(self, judge):
        dropped = self.make_judge(drop=0.5)
        assert dropped.score(TOKENS[0]) == judge.score(TOKENS[0])
        for one in (dropped, judge):
            one.start(0)
        np.testing.assert_array_equal(dropped.reward(tf.constant(TOKENS)), judge.reward(tf.constant(TOKENS)))

    @pytest.mark.parametrize(("batch_size", "part"), [(200, "training"), (60, "validation")])
    def test_too_short_a_text_for_a_batch(self, batch_size, part, judge):
        def build():
            TextSupernetProblem(judge.supernet, make_text(), batch_size, WindowConfig())
            self.make_judge(batch_size=batch_size)

        with pytest.raises(InputError, match=rf"{part} part .*batch_size={batch_size} "):
            build()


def test_a_reward_has_a_scale():
    with pytest.raises(InputError, match=r"^reward_scale=0"):
        RewardConfig(reward_scale=0.0)


@pytest.mark.parametrize("options", [{"bptt": 0}, {"activation_penalty": -0.1}, {"slowness_penalty": -1.0}], ids=str)
def test_wrong_options_are_named(options):
    with pytest.raises(InputError, match=f"^{next(iter(options))}="):
        WindowConfig(**options)
