"""The weights of trials that may be prolonged, as files."""

from pathlib import Path

import numpy as np

from enas_tf.runtime import files
from enas_tf.runtime.chief import is_chief


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

    def clear(self) -> None:
        """Remove all."""
        for path in self._directory.glob("*.npz"):
            path.unlink(missing_ok=True)
