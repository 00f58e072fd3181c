"""The workloads: each space at the size of the paper's search, and at the size of its quickstart."""

import dataclasses
import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from absl import flags

FLAGFILES = Path(__file__).parents[1] / "flags"
#: Steps of the epoch that is measured at paper size; random data fill as many.
_STEPS = 6


@dataclasses.dataclass(frozen=True)
class Workload:
    """A search of a space.

    Attributes:
      space: the name of the space.
      size: "paper" or "digits".
      flags: the flags of the search.
      data: images or rows of text of a batch of random data; None for the data of the flags.
      deep: the flags of a network of twice the depth; None where the depth is not a number of equal layers.
    """

    space: str
    size: str
    flags: tuple[str, ...]
    data: int | None = None
    deep: tuple[str, ...] | None = None

    @property
    def name(self) -> str:
        return f"{self.space} {self.size}"


def _preset(name: str, *more: str) -> tuple[str, ...]:
    return (f"--flagfile={FLAGFILES / name}.flags", *more)


#: Recurrent at paper size: 8 nodes of 200 units, windows of 64 x 35 tokens, 10,000 words. The rate is lowered from 20,
#: at which steps on one batch, repeated, diverge.
_PAPER_CELL = ("--cell_nodes=8", "--batch_size=64", "--norandom_bptt", "--learning_rate=0.1")
#: Shared weights of NASNet's cells, which its presets train from scratch: N = 2, F = 32, and two small cells on digits.
_CELLS = ("--space=nasnet", "--batch_size=32")
_PAPER_CELLS = (*_CELLS, "--cells_per_stage=2", "--channels=32", "--augment=crop_flip", "--crop_padding=4")
_KINDS = "--cell_ops=sep_conv_3x3,conv_1x3_3x1,identity,max_pool_3x3"
_DIGITS_CELLS = (*_CELLS, "--dataset=digits", "--cells_per_stage=1", "--channels=8", "--cell_blocks=3", _KINDS)
WORKLOADS = [
    Workload("macro", "paper", _preset("cifar10_macro_search"), 128, ("--num_layers=24",)),
    Workload("micro", "paper", _preset("cifar10_micro_search"), 160, ("--cells_per_stage=4",)),
    Workload("recurrent", "paper", _preset("ptb_recurrent_search", *_PAPER_CELL), 64),
    Workload("nasnet", "paper", _PAPER_CELLS, 32),
    Workload("macro", "digits", _preset("digits_macro"), None, ("--num_layers=12",)),
    Workload("micro", "digits", _preset("digits_micro"), None, ("--cells_per_stage=2",)),
    Workload("recurrent", "digits", _preset("pydoc_recurrent", "--norandom_bptt")),
    Workload("nasnet", "digits", _DIGITS_CELLS),
]


def find(name: str) -> Workload:
    """Return the workload `name`."""
    return next(workload for workload in WORKLOADS if workload.name == name)


def parse(workload: Workload, directory: Path, *more: str) -> None:
    """Parse the flags of `workload`; write its random data, if any, to `directory`."""
    given = [*workload.flags, *more]
    if workload.data:
        make = _write_text if workload.space == "recurrent" else _write_images
        given.append(f"--dataset={make(directory, workload.data)}")
    flags.FLAGS(["benchmark", *given])


def run_part(part: str, workload: Workload, *more: str) -> dict:
    """Run a part of `benchmarks.worker` in a process of its own; return its numbers."""
    command = [sys.executable, "-m", "benchmarks.worker", part, workload.name, repr(time.time()), *more]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def _write_images(directory: Path, batch: int) -> str:
    random, path = np.random.default_rng(0), directory / "images.npz"
    if not path.exists():
        parts = {}
        for part, num in (("train", _STEPS * batch), ("valid", 2 * batch), ("test", 64)):
            parts[f"x_{part}"] = random.integers(0, 256, (num, 32, 32, 3), dtype=np.uint8)
            parts[f"y_{part}"] = (np.arange(num) % 10).astype(np.int32)
        np.savez(path, **parts)
    return f"npz:{path}"


def _write_text(directory: Path, rows: int) -> str:
    random = np.random.default_rng(0)
    for part, num in (("train", rows * (35 * _STEPS + 1)), ("valid", rows * 71), ("test", rows * 71)):
        words = np.concatenate([np.arange(9_998), random.integers(0, 9_998, max(0, num - 9_998))])[:num]
        (directory / f"{part}.txt").write_text(" ".join(f"w{word}" for word in words) + "\n")
    return f"text:{directory}"
