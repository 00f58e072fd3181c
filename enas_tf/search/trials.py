"""Trials: architectures that are trained from scratch with a budget of epochs, and what came of them."""

import dataclasses
import math
from typing import Any, NamedTuple, TypeAlias

import numpy as np


@dataclasses.dataclass(frozen=True)
class Trial:
    """A training of one architecture from scratch.

    Its result is a function of what is listed here, the options of the run and its seed: it does not depend on where
    or when the trial runs.

    Attributes:
      tokens: of the architecture, in its space.
      budgets: epochs at which the training ends a cycle of the learning rate, ascending. The last one is the budget of
        the trial. With (1, 3) a trial trains for an epoch, and for two more from there.
      purpose: "search", or "finalist" and how finalists are trained.
    """

    tokens: tuple[int, ...]
    budgets: tuple[int, ...]
    purpose: str = "search"

    @property
    def epochs(self) -> int:
        """The budget: epochs of the whole training."""
        return self.budgets[-1]


@dataclasses.dataclass(frozen=True)
class Measurement:
    """What a finished trial has measured.

    Attributes:
      value: the metric on the validation part that counts, such as an accuracy; always finite.
      loss: the mean training loss of the last epoch, in nats.
      curve: the metric after each of the last epochs that were measured.
      seconds: how long the training took.
      device: what it ran on.
      test: the metric on the test part; None where it was not asked for, as in every search.
      starting: those of the seconds until its first steps were taken; a trace is among them.
      validating: those of the seconds in which the metric was measured.
    """

    value: float
    loss: float
    curve: tuple[float, ...]
    seconds: float
    device: str
    test: float | None = None
    starting: float = 0.0
    validating: float = 0.0


#: The kind of a failure that took no time.
REFUSED = "refused"


@dataclasses.dataclass(frozen=True)
class Failure:
    """Why a trial has no measurement.

    Attributes:
      kind: "diverged", "memory", "crashed", or `REFUSED` of one that was not begun, since it exceeds a limit.
      reason: one line.
    """

    kind: str
    reason: str


Outcome: TypeAlias = Measurement | Failure


class Job(NamedTuple):
    """A trial on its way to an executor.

    Attributes:
      number: what its result is known by.
      state: the weights and the optimizer after the epochs of an earlier trial of this architecture, or None.
      done: the number of those epochs.
      keeps_state: whether the state at the end is wanted.
    """

    number: int
    trial: Trial
    state: list[np.ndarray] | None = None
    done: int = 0
    keeps_state: bool = False


class Result(NamedTuple):
    """What an executor hands back for a job."""

    number: int
    outcome: Outcome
    state: list[np.ndarray] | None = None


def to_json(trial: Trial) -> dict[str, Any]:
    """Return the fields of a trial as JSON."""
    return {"tokens": list(trial.tokens), "budgets": list(trial.budgets), "purpose": trial.purpose}


def outcome_to_json(outcome: Outcome) -> dict[str, Any]:
    """Return what came of a trial as JSON; its status is "done" or "failed"."""
    if isinstance(outcome, Failure):
        return {"status": "failed", **dataclasses.asdict(outcome)}
    record = {"status": "done", **dataclasses.asdict(outcome), "curve": list(outcome.curve)}
    return {name: value for name, value in record.items() if value is not None}


def outcome_from_json(record: dict[str, Any]) -> Outcome:
    """Return what came of a trial; raise `KeyError`, `TypeError` or `ValueError` for another record."""
    if record["status"] == "failed":
        return Failure(str(record["kind"]), str(record["reason"]))
    value, loss, seconds = (float(record[name]) for name in ("value", "loss", "seconds"))
    if not math.isfinite(value):
        raise ValueError(value)
    curve, test = tuple(float(item) for item in record["curve"]), record.get("test")
    tested = None if test is None else float(test)
    split = [float(record.get(name, 0.0)) for name in ("starting", "validating")]
    return Measurement(value, loss, curve, seconds, str(record["device"]), tested, *split)
