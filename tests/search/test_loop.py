"""The loop of a search: phases take turns; a signal or a divergence at any step changes nothing of what follows."""

import contextlib
import io
import json
import math
import os
import signal

import keras
import numpy as np
import pytest
import rich.console
import tensorflow as tf

from enas_tf.errors import InputError
from enas_tf.runtime.checkpoints import Checkpoints
from enas_tf.runtime.reporting import Reporter
from enas_tf.runtime.signals import Interrupted, handled_signals
from enas_tf.search.config import SearchConfig
from enas_tf.search.loop import search
from enas_tf.search.searchers.random import RandomSearcher
from enas_tf.spaces.macro import MacroSpace
from enas_tf.training.health import Recovery

SPACE = MacroSpace(num_layers=2)
CONFIG = SearchConfig(epochs=3, updates_per_epoch=2, samples_per_update=2)
#: Steps of shared training of the epochs: they may differ, as those of windows of random lengths do.
STEPS = (3, 2, 4)
NUM_ADVANCES = sum(STEPS) + CONFIG.epochs * CONFIG.updates_per_epoch


class CountingEvaluator:
    """Its weight is the sum of the numbers of all steps; a reward is the weight and the number of rewards so far."""

    rewards_drift = True

    def __init__(self, action):
        self.weight, self.mean = tf.Variable(0.0), keras.metrics.Mean("weight")
        self.tracked = {"weight": self.weight, "mean": self.mean}
        self.action, self.log, self.failure = action, [], None

    def num_steps(self, epoch):
        return STEPS[epoch]

    def start(self, epoch, step=0, first_update=0, attempt=0):
        self.next_step = min(sum(STEPS[:epoch]) + step, sum(STEPS[: epoch + 1]))
        self.next_reward = first_update * CONFIG.samples_per_update
        self.failure, self.attempt = None, attempt

    def prepare(self, searcher, epoch, first_step=0, advance=lambda num: None):
        if first_step == 0:
            self.mean.reset_state()
        for _ in range(first_step, STEPS[epoch]):
            self.weight.assign_add(self.next_step)
            self.log.append(("step", self.next_step, self.attempt))
            self.mean.update_state(self.weight)
            self.action(self, "step", self.next_step)
            self.next_step += 1
            advance(1)
        if not math.isfinite(float(self.weight)):
            self.failure = "a step has a loss of nan"
        return {"weight": float(self.mean.result())}

    def evaluate(self, tokens):
        self.action(self, "reward", self.next_reward)
        self.log.append(("reward", self.next_reward))
        rewards = [float(self.weight) + self.next_reward + i for i in range(len(tokens))]
        self.next_reward += len(tokens)
        return tf.constant(rewards)


def run(workdir, action=lambda *_: None, config=CONFIG, searcher=None):
    """A process of its own: new objects in an old directory."""
    evaluator, recovery = CountingEvaluator(action), Recovery("search")
    searcher = searcher or RandomSearcher(SPACE)
    tracked = {**searcher.tracked, **evaluator.tracked, "recovery": recovery.tracked}
    checkpoints, quiet = Checkpoints(workdir / "checkpoints", tracked), rich.console.Console(file=io.StringIO())
    with Reporter(workdir, console=quiet) as reporter, contextlib.suppress(Interrupted), handled_signals():
        search(searcher, evaluator, config, 0, reporter, checkpoints, recovery)
    return evaluator


def records(workdir):
    lines = [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]
    return [{k: v for k, v in line.items() if k not in ("time", "rewards_per_second")} for line in lines]


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("unbroken")
    return run(workdir), records(workdir)


def test_phases_take_turns(unbroken):
    evaluator, found = unbroken
    assert [record["phase"] for record in found] == ["search", "controller"] * 3
    assert [entry[1] for entry in evaluator.log if entry[0] == "step"] == list(range(sum(STEPS)))
    assert [entry[1] for entry in evaluator.log if entry[0] == "reward"] == list(range(0, 12, 2))
    assert [entry[0] for entry in evaluator.log[:6]] == ["step"] * 3 + ["reward"] * 2 + ["step"]


@pytest.mark.parametrize("moment", range(NUM_ADVANCES))
def test_a_signal_at_any_step_changes_nothing(unbroken, tmp_path, moment):
    """What was done is not done again, and every record is there once with the numbers of an unbroken run."""
    expected, lines = unbroken
    done = []

    def action(evaluator, name, number):
        done.append(name)
        if len(done) == moment + 1:
            os.kill(os.getpid(), signal.SIGUSR1)

    # A signal amid the first step leaves at once.
    first = run(tmp_path, action).log if moment else run(tmp_path, action).log[:0]
    second = run(tmp_path)
    assert first + second.log == expected.log
    assert float(second.weight) == float(expected.weight)
    assert records(tmp_path) == lines


class Policy(RandomSearcher):
    """Proposes zeros only, and notes whether shared weights are trained on its proposals."""

    learns_from_batches = True

    def __init__(self):
        super().__init__(SPACE)
        self.num_samples = 0

    def propose(self, num, seed):
        return tf.zeros([int(num), SPACE.num_tokens], tf.int32)

    def sample(self, num, seed):
        self.num_samples += 1
        return super().sample(num, seed)


class SamplingEvaluator(CountingEvaluator):
    is_higher_better = False

    def prepare(self, searcher, epoch, first_step=0, advance=lambda num: None):
        searcher.sample(tf.constant(1), tf.constant([0, epoch]))
        return super().prepare(searcher, epoch, first_step, advance)

    def score(self, tokens, num_batches):
        assert num_batches == 1
        return float(np.sum(tokens))


def test_in_a_warm_up_the_searcher_rests(tmp_path, monkeypatch):
    monkeypatch.setattr("tests.search.test_loop.CountingEvaluator", SamplingEvaluator)
    policy = Policy()
    evaluator = run(tmp_path, config=SearchConfig(3, 2, 2, warm_up=0.7), searcher=policy)
    assert [record["phase"] for record in records(tmp_path)] == ["search", "search", "search", "controller"]
    assert [entry[1] for entry in evaluator.log if entry[0] == "reward"] == [0, 2]
    assert policy.num_samples == 1
    assert SearchConfig(3, 2, 2, warm_up=0.7).num_updates == 2


def test_a_policy_is_compared_with_uniform_proposals(tmp_path, monkeypatch):
    """Its proposals have a score of 0, others one above that; the lower is the better here."""
    monkeypatch.setattr("tests.search.test_loop.CountingEvaluator", SamplingEvaluator)
    run(tmp_path, searcher=Policy())
    ahead = [record["ahead_of_uniform"] for record in records(tmp_path) if record["phase"] == "controller"]
    assert len(ahead) == 3
    assert min(ahead) > 0


def test_a_divergence_goes_back_to_the_checkpoint_once(unbroken, tmp_path):
    expected, lines = unbroken
    poisoned = []

    def action(evaluator, name, number):
        if (name, number) == ("step", STEPS[0]) and not poisoned:
            poisoned.append(evaluator.weight.assign(np.nan))

    evaluator = run(tmp_path, action)
    assert float(evaluator.weight) == float(expected.weight)
    found = records(tmp_path)
    assert [record.pop("skip_rate", None) for record in found] != [line.get("skip_rate") for line in lines], (
        "another attempt has other proposals"
    )
    assert found == [{name: line[name] for name in line if name != "skip_rate"} for line in lines]
    attempts = [entry[2] for entry in evaluator.log if entry[0] == "step"]
    assert attempts == [0] * (STEPS[0] + STEPS[1]) + [1] * (STEPS[1] + STEPS[2])


def test_a_divergence_that_comes_again_is_the_end(tmp_path):
    def action(evaluator, name, number):
        if (name, number) == ("step", STEPS[0]):
            evaluator.weight.assign(np.nan)

    with pytest.raises(InputError, match=r"diverged: a step has a loss of nan.*learning_rate"):
        run(tmp_path, action)
    assert len(records(tmp_path)) == 2, "the first epoch was well"
