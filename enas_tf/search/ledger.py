"""The ledger of a run: every trial and what came of it, one line of `trials.jsonl` for each change."""

import dataclasses
import json
from pathlib import Path
from typing import Any

from enas_tf.errors import InputError, ref
from enas_tf.options import shorten
from enas_tf.reading import read_text
from enas_tf.runtime import files
from enas_tf.runtime.chief import is_chief
from enas_tf.search.trials import Outcome, Trial, outcome_from_json, outcome_to_json, to_json

_CURE = f"Restore it from a copy, or start anew with {ref('overwrite')}."


@dataclasses.dataclass
class Entry:
    """A trial of the ledger.

    Attributes:
      number: its place in the order in which trials were proposed, from 0.
      cost: parameters and FLOPs of its child at the searched size.
      outcome: what came of it; None while it is waiting or running, or was interrupted.
    """

    number: int
    trial: Trial
    arc: str
    cost: dict[str, int]
    outcome: Outcome | None = None


class Ledger:
    """All trials of a run in the order in which they were proposed. Of several processes only the chief writes.

    Args:
      path: of `trials.jsonl`, which need not be there yet.
      about: what all trials depend on, such as the space; another one is refused.

    Raises:
      InputError: a line other than the last is damaged, or the trials there are about something else.
    """

    def __init__(self, path: Path, about: dict[str, Any]):
        self.path, self._about = path, json.loads(json.dumps(about))
        self.entries: list[Entry] = []
        self._of: dict[str, list[Entry]] = {}
        self._finished: dict[Trial, Entry] = {}
        if path.exists():
            self._read()

    def find(self, trial: Trial) -> Entry | None:
        """Return the first entry of the same trial that has an outcome; None if there is none."""
        return self._finished.get(trial)

    def of(self, purpose: str) -> list[Entry]:
        """Return the entries of one purpose, in order."""
        return self._of.setdefault(purpose, [])

    def add(self, trial: Trial, arc: str, cost: dict[str, int]) -> Entry:
        """Write down a trial that is to run; return its entry."""
        if not self.entries:
            self._append({"about": self._about})
        entry = self._enter(trial, arc, cost)
        self._append({"id": entry.number, "status": "waiting", "arc": arc, **to_json(trial), **cost})
        return entry

    def begin(self, trial: Trial, arc: str, cost: dict[str, int]) -> Entry:
        """Return the entry of a trial that was begun before and has no outcome; where there is none, add one."""
        left = next((e for e in self.entries if e.trial == trial and e.outcome is None), None)
        return left or self.add(trial, arc, cost)

    def finish(self, entry: Entry, outcome: Outcome) -> None:
        """Write down what came of a trial."""
        self._know(entry, outcome)
        self._append({"id": entry.number, **outcome_to_json(outcome)})

    def _enter(self, trial: Trial, arc: str, cost: dict[str, int]) -> Entry:
        entry = Entry(len(self.entries), trial, arc, cost)
        self.entries.append(entry)
        self.of(trial.purpose).append(entry)
        return entry

    def _know(self, entry: Entry, outcome: Outcome) -> None:
        entry.outcome = outcome
        self._finished.setdefault(entry.trial, entry)

    def _append(self, record: dict[str, Any]) -> None:
        if not is_chief():
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record, allow_nan=False) + "\n")

    def _read(self) -> None:
        """Read the file, and drop a last line that was cut off when the run was killed."""
        content = read_text(self.path, "the trials of a run", _CURE)
        lines, kept = content.splitlines(), []
        for number, line in enumerate(lines, start=1):
            try:
                self._take(json.loads(line))
            except InputError:
                raise
            except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError) as error:
                if number < len(lines) or content.endswith("\n"):
                    raise InputError(
                        f"{self.path.absolute()}, line {number} is {shorten(line)!r}: expected a line of the trials of "
                        f"a run, as this program writes them. {_CURE}"
                    ) from error
                break
            kept.append(line)
        text = "".join(f"{line}\n" for line in kept)
        if text != content:
            files.write_text(self.path, text)

    def _take(self, record: dict[str, Any]) -> None:
        if "about" in record:
            self._check(record["about"])
        elif record["status"] == "waiting":
            if record["id"] != len(self.entries):
                raise ValueError(record["id"])
            tokens, budgets = (tuple(int(item) for item in record[name]) for name in ("tokens", "budgets"))
            cost = {name: int(record[name]) for name in ("parameters", "flops")}
            trial = Trial(tokens, budgets, str(record["purpose"]))
            self._enter(trial, str(record["arc"]), cost)
        else:
            number = range(len(self.entries)).index(record["id"])
            self._know(self.entries[number], outcome_from_json(record))

    def _check(self, about: dict[str, Any]) -> None:
        for name in self._about:
            if about[name] != self._about[name]:
                raise InputError(
                    f"{self.path.absolute()} holds trials of another {name} ({shorten(about[name])}, and this run has "
                    f"{shorten(self._about[name])}): repeat the same options to resume them, choose another "
                    f"{ref('workdir')}, or start anew with {ref('overwrite')}."
                )
