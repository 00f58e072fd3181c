"""The estimate of a search's time counts what an epoch holds, from steps that are really taken."""

import time

import pytest
import tensorflow as tf

from enas_tf.search.config import SearchConfig
from enas_tf.search.estimate import Estimate, estimate
from enas_tf.search.searchers.random import RandomSearcher
from enas_tf.spaces.macro import MacroSpace

STEP, TRACE, REWARD = 0.02, 0.3, 0.03


class SlowEvaluator:
    """Takes known times: the first step and the first reward are traced."""

    def __init__(self, num):
        self.num, self.rewarded, self.steps = num, 0, 0

    def num_steps(self, epoch):
        return self.num

    def start(self, epoch, step=0, first_update=0, attempt=0):
        self.next = step

    def prepare(self, searcher, epoch, first_step=0, advance=lambda num: None):
        assert first_step == self.next
        for number in range(first_step, self.num):
            time.sleep(TRACE if number == first_step else STEP)
            self.steps += 1
            advance(1)
        return {}

    def evaluate(self, tokens):
        for _ in range(len(tokens)):
            time.sleep(REWARD if self.rewarded else TRACE)
            self.rewarded += 1
        return tf.zeros([len(tokens)])


def test_it_times_what_comes_after_the_traces():
    evaluator = SlowEvaluator(num=40)
    found = estimate(RandomSearcher(MacroSpace(num_layers=3)), evaluator, SearchConfig(), seed=0)
    assert evaluator.steps == 6, "a few steps, not all"
    assert TRACE <= found.first_step < TRACE + 0.2
    assert STEP <= found.step < 2 * STEP
    assert REWARD <= found.reward < 2 * REWARD


def test_an_epoch_of_one_step_has_its_trace_for_a_time():
    found = estimate(RandomSearcher(MacroSpace(num_layers=3)), SlowEvaluator(num=1), SearchConfig(), seed=0)
    assert found.step == found.first_step


def test_an_evaluator_without_steps_has_rewards_only():
    found = estimate(RandomSearcher(MacroSpace(num_layers=3)), SlowEvaluator(num=0), SearchConfig(), seed=0)
    assert (found.first_step, found.step) == (0.0, 0.0)
    assert found.reward >= REWARD


def test_an_epoch_is_steps_rewards_and_updates():
    config = SearchConfig(updates_per_epoch=3, samples_per_update=7)
    assert Estimate(9.0, 2.0, 0.5, 0.25).epoch(10, config) == pytest.approx(10 * 2.0 + 3 * (7 * 0.5 + 0.25))
