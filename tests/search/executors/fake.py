"""A runner whose result the tokens decide: what it does, and a number. Processes import it by its name."""

import os
import signal
import sys
import time
from pathlib import Path

import numpy as np

from enas_tf.errors import InputError, ref
from enas_tf.search.executors.executor import Recipe
from enas_tf.training.scratch import Diverged, Trained

#: What the first token lets the runner do.
TRAIN, DIVERGE, FILL, FAIL, DIE, DIE_ONCE, WAIT, REFUSE, STEP, LIST = range(10)

#: What `LIST` says of the modules that are loaded.
LISTED = {"keras", "matplotlib", "scipy.stats", "sklearn", "tensorflow_datasets"}


class FakeRunner:
    """Does what the tokens say, and writes down each beginning in the directory that the recipe names.

    Args:
      directory: where each beginning of a trial leaves a file.
    """

    is_disposable = False
    steps_per_epoch = 4

    def __init__(self, directory: Path):
        self._directory = directory

    def train(self, tokens, budgets, state=None, done=0, keeps_state=False, advance=lambda num: None):
        action, number = int(tokens[0]), int(tokens[1])
        beginnings = len(list(self._directory.glob(f"{action}_{number}_*")))
        (self._directory / f"{action}_{number}_{beginnings}_{os.getpid()}").touch()
        if action == DIVERGE:
            raise Diverged(f"step {number} has a loss of nan")
        if action == FILL:
            raise MemoryError(f"{number} bytes\nand more")
        if action == FAIL:
            raise RuntimeError(f"it was {number}")
        if action == REFUSE:
            raise InputError(f"{ref('batch_size')}={number} is not valid.")
        if action == DIE or (action == DIE_ONCE and not beginnings):
            os.kill(os.getpid(), signal.SIGKILL)
        if action == LIST:
            raise RuntimeError(" ".join(sorted(LISTED & set(sys.modules))))
        if action == WAIT:
            time.sleep(600)
        if action == STEP:
            for _ in range(self.steps_per_epoch * (budgets[-1] - done)):
                time.sleep(0.15)
                advance(1)
        start = np.zeros(3, np.float32) if state is None else state[0]
        end = start + np.float32(1 / (1 + number)) * (budgets[-1] - done)
        return Trained(float(end[0]), float(number), (float(end[0]),), 0.25, [end] if keeps_state else None)


def build(recipe: Recipe) -> FakeRunner:
    """Build the runner; refuse what the options say."""
    if recipe.options.get("dies"):
        print("there is no device", flush=True)
        os._exit(3)
    if recipe.options.get("is_refused"):
        raise InputError(f"{ref('channels')}=0 is not valid: expected at least 1.")
    assert len(recipe.data) == 100_000
    return FakeRunner(Path(recipe.options["directory"]))
