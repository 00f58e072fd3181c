"""The weights of trials that may be prolonged, as files."""

import dataclasses
from pathlib import Path

import numpy as np

from enas_tf.runtime import files
from enas_tf.runtime.chief import is_chief
from enas_tf.search.ledger import Ledger
from enas_tf.search.trials import Job, Trial


class States:
    """What trials that may be prolonged have left: one file each, until the search is done."""

    def __init__(self, directory: Path):
        self._directory = directory

    def save(self, number: int, state: list[np.ndarray]) -> None:
        """Keep the state of the trial `number`."""
        if not is_chief():
            return
        self._directory.mkdir(parents=True, exist_ok=True)
        with files.replacement(self._directory / f"{number}.npz") as aside, aside.open("wb") as file:
            np.savez(file, *state)

    def load(self, number: int) -> list[np.ndarray] | None:
        """Return the state of the trial `number`; None where it is not there or cannot be read."""
        try:
            with np.load(self._directory / f"{number}.npz", allow_pickle=False) as arrays:
                return [arrays[f"arr_{place}"] for place in range(len(arrays.files))]
        except (OSError, ValueError, KeyError, EOFError):
            return None

    def job(self, number: int, trial: Trial, ledger: Ledger, keeps_state: bool) -> Job:
        """Return the job of a trial. One that prolongs another goes on from its state, if that is there.

        Args:
          number: of the trial in the ledger.
          trial: what is trained.
          ledger: where the trial that it prolongs is looked up.
          keeps_state: whether it may be prolonged itself.
        """
        state, done = None, 0
        if len(trial.budgets) > 1:
            before = ledger.find(dataclasses.replace(trial, budgets=trial.budgets[:-1]))
            state = None if before is None else self.load(before.number)
            done = 0 if state is None else trial.budgets[-2]
        return Job(number, trial, state, done, keeps_state)

    def clear(self) -> None:
        """Remove all."""
        for path in self._directory.glob("*.npz"):
            path.unlink(missing_ok=True)
