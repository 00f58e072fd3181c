"""The loop over epochs: a signal or a divergence at any step changes nothing of what follows."""

import contextlib
import io
import json
import math
import os
import signal

import numpy as np
import pytest
import rich.console
import tensorflow as tf

from enas_tf.errors import InputError
from enas_tf.runtime.checkpoints import Checkpoints
from enas_tf.runtime.listening import Listener
from enas_tf.runtime.reporting import Reporter
from enas_tf.runtime.signals import Interrupted, handled_signals
from enas_tf.runtime.stopping import Budget, StopEarly
from enas_tf.training.health import Recovery
from enas_tf.training.loop import Trainer, run_epochs

#: Steps of the epochs: they may differ, as those of windows of random lengths do.
STEPS = (3, 2, 4)


class CountingTrainer(Trainer):
    """Its weight is the sum of the numbers of all steps; every epoch reports two phases."""

    stage = "search"

    def __init__(self, reporter, action):
        self.weight, self.reporter, self.action = tf.Variable(0.0), reporter, action
        self.log, self.starts = [], []

    @property
    def failure(self):
        return None if math.isfinite(float(self.weight)) else "a step has a loss of nan"

    def start(self, position, attempt):
        self.attempt = attempt
        self.starts.append((*position, attempt))

    def num_left(self, position, num_epochs):
        return sum(STEPS[position.epoch :]) - position.step

    def phases(self, position):
        return {"search": position.epoch, "controller": position.epoch}

    def run_epoch(self, epoch, first_step, advance):
        for step in range(first_step, STEPS[epoch]):
            number = sum(STEPS[:epoch]) + step
            self.weight.assign_add(number)
            self.log.append((number, self.attempt))
            self.action(self, number)
            advance(1)
        if self.failure is None:
            for phase in ("search", "controller"):
                self.reporter.record(phase, epoch, {"weight": float(self.weight)}, len(STEPS))


def run(workdir, action=lambda trainer, number: None, budget=None, listener=None):
    """A process of its own: new objects in an old directory."""
    quiet, recovery = rich.console.Console(file=io.StringIO()), Recovery("search")
    with (
        Reporter(workdir, console=quiet, listener=listener) as reporter,
        contextlib.suppress(Interrupted),
        handled_signals(),
    ):
        trainer = CountingTrainer(reporter, action)
        tracked = {"weight": trainer.weight, "recovery": recovery.tracked}
        checkpoints = Checkpoints(workdir / "checkpoints", tracked)
        trainer.end = run_epochs(trainer, len(STEPS), reporter, checkpoints, recovery, budget)
    return trainer


class Steps(Budget):
    """A budget of so many steps."""

    def __init__(self, num):
        self.left = num

    def check(self):
        self.left -= 1
        if not self.left:
            raise StopEarly


class Epochs(Listener):
    """Hears epochs, and ends the training after the epoch `last`."""

    def __init__(self, last=None):
        self.last, self.heard = last, []

    def record(self, phase, epoch, metrics):
        self.heard.append((phase, epoch, metrics["weight"]))

    def end_epoch(self, stage, epoch):
        self.heard.append((stage, epoch, None))
        if epoch == self.last:
            raise StopEarly


def records(workdir):
    lines = [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]
    return [(line["phase"], line["epoch"], line["weight"]) for line in lines]


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("unbroken")
    return run(workdir), records(workdir)


def test_every_epoch_is_run_once(unbroken):
    trainer, found = unbroken
    assert trainer.log == [(number, 0) for number in range(sum(STEPS))]
    assert trainer.starts == [(0, 0, 0)]
    expected = [float(sum(range(sum(STEPS[: epoch + 1])))) for epoch in range(3)]
    assert found == [(phase, epoch, expected[epoch]) for epoch in range(3) for phase in ("search", "controller")]


@pytest.mark.parametrize("moment", range(1, sum(STEPS)))
def test_a_signal_at_any_step_changes_nothing(unbroken, tmp_path, moment):
    """What was done is not done again, and every record is there once with the numbers of an unbroken run."""
    expected, lines = unbroken
    first = run(tmp_path, lambda _, number: os.kill(os.getpid(), signal.SIGUSR1) if number == moment else None)
    second = run(tmp_path)
    assert len(first.log) == moment + 1
    assert first.log + second.log == expected.log
    assert float(second.weight) == float(expected.weight)
    assert records(tmp_path) == lines


@pytest.mark.parametrize("num", range(1, sum(STEPS) + 1))
def test_a_budget_that_is_spent_ends_the_training_after_the_step(unbroken, tmp_path, num):
    """It ends without an error, says where it stands, and a run with more time ends as one without an end."""
    expected, lines = unbroken
    first = run(tmp_path, budget=Steps(num))
    assert len(first.log) == num
    assert sum(STEPS[: first.end.epoch]) + first.end.step == num
    second = run(tmp_path, budget=Budget(None))
    assert second.end == (len(STEPS), 0)
    assert first.log + second.log == expected.log
    assert float(second.weight) == float(expected.weight)
    assert records(tmp_path) == lines


def test_a_budget_of_minutes_is_spent_when_they_are_over(monkeypatch):
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    budget = Budget(2)
    now[0] += 119
    budget.check()
    now[0] += 1
    with pytest.raises(StopEarly):
        budget.check()


def test_a_listener_hears_every_epoch_and_may_end_the_training(unbroken, tmp_path):
    expected, lines = unbroken
    listener = Epochs(last=1)
    assert run(tmp_path, listener=listener).end == (2, 0)
    assert listener.heard == [*lines[:2], ("search", 0, None), *lines[2:4], ("search", 1, None)]
    assert float(run(tmp_path, listener=listener).weight) == float(expected.weight)
    assert listener.heard[-1] == ("search", 2, None)
    assert records(tmp_path) == lines


def test_a_divergence_goes_back_to_the_checkpoint_once(unbroken, tmp_path):
    """Another attempt runs the epoch again, and nothing of the first one is reported."""
    expected, lines = unbroken
    poisoned = []

    def action(trainer, number):
        if number == STEPS[0] and not poisoned:
            poisoned.append(trainer.weight.assign(np.nan))

    trainer = run(tmp_path, action)
    assert float(trainer.weight) == float(expected.weight)
    assert records(tmp_path) == lines
    assert trainer.starts == [(0, 0, 0), (1, 0, 1)]
    assert [attempt for _, attempt in trainer.log] == [0] * (STEPS[0] + STEPS[1]) + [1] * (STEPS[1] + STEPS[2])


def test_a_divergence_that_comes_again_is_the_end(tmp_path):
    def action(trainer, number):
        if number == STEPS[0]:
            trainer.weight.assign(np.nan)

    with pytest.raises(InputError, match=r"diverged: a step has a loss of nan.* learning_rate"):
        run(tmp_path, action)
    assert [epoch for _, epoch, _ in records(tmp_path)] == [0, 0], "the first epoch was well"


def test_what_has_diverged_is_not_saved_on_a_signal(unbroken, tmp_path):
    """A run that resumes begins before the divergence."""
    expected, lines = unbroken

    def action(trainer, number):
        if number == STEPS[0]:
            trainer.weight.assign(np.nan)
            os.kill(os.getpid(), signal.SIGTERM)

    run(tmp_path, action)
    resumed = run(tmp_path)
    assert resumed.starts == [(1, 0, 0)]
    assert float(resumed.weight) == float(expected.weight)
    assert records(tmp_path) == lines
