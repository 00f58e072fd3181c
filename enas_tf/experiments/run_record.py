"""What the directory of a run says, for those that only read it: each file is read when it is first asked for.

A run may have been stopped anywhere, so every file may be missing; what a missing one says is empty. A damaged one
raises `InputError`, or what Python raises for other values than a run writes.
"""

import csv
import functools
import io
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from enas_tf.errors import InputError
from enas_tf.experiments.config import RunOptions, read_options
from enas_tf.experiments.flagfiles import read_flagfile
from enas_tf.experiments.workdir import Workdir
from enas_tf.reading import read_json, read_text

_CURE = "Restore it from a copy."
#: Phases whose records have rewards.
_REWARDED = ("controller", "trial")


class RunRecord:
    """The files of a run, read.

    Args:
      path: the directory of the run.
    """

    def __init__(self, path: Path):
        self.workdir = Workdir(path)

    @functools.cached_property
    def options(self) -> RunOptions:
        """The options of the run: those of the search, where there was one."""
        return read_options(read_flagfile(self.workdir.run_flags))

    @functools.cached_property
    def child_options(self) -> RunOptions:
        """The options that the child was trained with."""
        path = self.workdir.child_flags
        return read_options(read_flagfile(path)) if path.exists() else self.options

    @property
    def has_search(self) -> bool:
        """Whether a search was begun here, not only a retraining."""
        return self.workdir.checkpoints("search").exists()

    @functools.cached_property
    def environment(self) -> dict[str, Any]:
        """What environment.json says; empty without the file."""
        path = self.workdir.environment
        return read_json(path, "what a run has written of its machine", _CURE) if path.exists() else {}

    @functools.cached_property
    def records(self) -> dict[str, list[dict[str, Any]]]:
        """Phase -> its records of metrics.jsonl in order; a last line that was cut off is left out."""
        found: dict[str, list[dict[str, Any]]] = {}
        for record in _read_lines(self.workdir.path / "metrics.jsonl"):
            found.setdefault(record["phase"], []).append(record)
        return found

    def curve(self, phase: str, name: str) -> tuple[list[float], list[float]]:
        """Return epochs, counted from 1, and the values of one metric in them; what was no number is NaN."""
        having = [record for record in self.records.get(phase, ()) if name in record]
        return [record["epoch"] + 1 for record in having], [_number(record[name]) for record in having]

    @property
    def derived(self) -> dict[str, Any]:
        """The record of derive; empty where it has not ended."""
        return self.records.get("derive", [{}])[-1]

    @property
    def best_reward(self) -> float | None:
        """The largest reward that was reported: of a trial, or the mean of an epoch; None where there is none."""
        rewards = [y for phase in _REWARDED for y in self.curve(phase, "reward")[1] if math.isfinite(y)]
        return max(rewards, default=None)

    @property
    def minutes(self) -> float | None:
        """The time from the first record to the last, pauses included; None for less than two records."""
        times = [record["time"] for records in self.records.values() for record in records]
        return (max(times) - min(times)) / 60 if len(times) > 1 else None

    @functools.cached_property
    def policy(self) -> list[dict[str, Any]]:
        """What the policy thought of each decision: records of an epoch, and decision -> probabilities."""
        return _read_lines(self.workdir.path / "policy.jsonl")

    @functools.cached_property
    def candidates(self) -> list[dict[str, str]]:
        """The rows of candidates.csv, best first."""
        path = self.workdir.candidates
        if not path.exists():
            return []
        rows = list(csv.DictReader(io.StringIO(read_text(path, "the candidates of a search", _CURE)), strict=True))
        for row in rows:
            if None in row or None in row.values() or "arc" not in row:
                raise InputError(f"{path.absolute()} is not a table of candidates. {_CURE}")
        return rows

    @functools.cached_property
    def trials(self) -> list[dict[str, Any]]:
        """The trials of the search in the order of their numbers, each with what came of it."""
        found: dict[int, dict[str, Any]] = {}
        for record in _read_lines(self.workdir.trials):
            if "id" in record:
                found[record["id"]] = found.get(record["id"], {}) | record
        return [trial for trial in found.values() if trial["purpose"] == "search"]

    @functools.cached_property
    def child(self) -> dict[str, Any]:
        """The metrics of the retrained child; empty where it is not finished."""
        return self.workdir.child_record

    @functools.cached_property
    def confusion(self) -> dict[tuple[str, str], int]:
        """(class, predicted class) -> number of test images; empty where it was not counted."""
        path = self.workdir.confusion
        if not path.exists():
            return {}
        rows = csv.DictReader(io.StringIO(read_text(path, "how often classes were confused", _CURE), newline=""))
        return {(row["class"], row["predicted"]): int(row["images"]) for row in rows}


def _read_lines(path: Path) -> list[dict[str, Any]]:
    """Return the objects of a file of JSON lines; empty without the file."""
    if not path.exists():
        return []
    lines = read_text(path, "what a run has written down", _CURE).splitlines()
    found = []
    for number, line in enumerate(lines, start=1):
        try:
            found.append(_object(json.loads(line)))
        except (ValueError, RecursionError) as error:
            if number < len(lines):
                raise InputError(f"line {number} of {path.absolute()} is damaged. {_CURE}") from error
    return found


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise ValueError(value)
    return dict(value)


def _number(value: Any) -> float:
    return math.nan if value is None else float(value)
