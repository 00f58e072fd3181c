"""A known result for every trial, an executor that hands results back in any order, and runs that are killed."""

import zlib

import numpy as np

from enas_tf.search.executors.executor import ExecutionConfig, Executor
from enas_tf.search.trials import Failure, Job, Measurement, Outcome, Result, Trial


class Killed(BaseException):
    """The end of a process, as a test makes it."""


def outcome_of(trial: Trial) -> Outcome:
    """Return what always comes of a trial: one in nine diverges; more epochs are better."""
    number = zlib.crc32(repr(trial.tokens).encode())
    if number % 9 == 0:
        return Failure("diverged", f"step {number % 7} has a loss of nan")
    value = (number % 1000) / 1000 + trial.epochs / 100
    return Measurement(value, 1 / (1 + value), (value,), 1.0, "CPU")


def state_of(trial: Trial) -> list[np.ndarray]:
    """Return the state that a trial leaves."""
    return [np.array([*trial.tokens, *trial.budgets], np.float32)]


class FakeExecutor(Executor):
    """Knows the result of every trial; hands results back in an order that `seed` decides.

    Args:
      seed: of the order.
      outcome: trial -> what comes of it.

    Attributes:
      jobs: all that were submitted.
      most: the largest number of jobs that were under way at once.
    """

    def __init__(self, seed: int = 0, outcome=outcome_of):
        super().__init__(recipe=None, config=ExecutionConfig())
        self._rng, self._outcome, self._waiting = np.random.default_rng(seed), outcome, []
        self.jobs, self.most = [], 0

    def submit(self, job: Job) -> None:
        if job.done:
            shorter = Trial(job.trial.tokens, job.trial.budgets[:-1], job.trial.purpose)
            assert job.done == shorter.epochs
            np.testing.assert_array_equal(job.state[0], state_of(shorter)[0])
        self.jobs.append(job)
        self._waiting.append(job)
        self.most = max(self.most, len(self._waiting))

    def next(self) -> Result:
        job = self._waiting.pop(self._rng.integers(len(self._waiting)))
        return Result(job.number, self._outcome(job.trial), state_of(job.trial) if job.keeps_state else None)

    @property
    def trials(self) -> list[Trial]:
        return [job.trial for job in self.jobs]


def kill_at(monkeypatch, number: int, torn: bool) -> None:
    """Let the process end at the `number`-th line that is written to a ledger, with half of that line if `torn`."""
    from enas_tf.search.ledger import Ledger

    append, count = Ledger._append, iter(range(number))

    def write(self, record):
        if next(count, None) is None:
            if torn and self.path.exists():
                with self.path.open("a") as file:
                    file.write('{"id": 0, "sta')
            raise Killed
        append(self, record)

    monkeypatch.setattr(Ledger, "_append", write)
