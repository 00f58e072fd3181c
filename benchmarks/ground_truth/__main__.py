"""Trains random architectures from scratch and tests them: the truth that searches are judged by.

    python -m benchmarks.ground_truth --flagfile=benchmarks/ground_truth/macro.flags --num=100 \\
        --output=benchmarks/ground_truth/macro.csv

Each row has an arc, parameters, FLOPs, and for each training seed the metric on the validation and on the test part.
The rows of a file that is there are kept, so a run that was stopped goes on. Architectures are trained through the
supernet of the space, each from fresh weights (`enas_tf.training.runners`). Batches are normalised by their own
statistics.
"""

import csv
import dataclasses
import time
from pathlib import Path
from typing import Any

import numpy as np
from absl import app, flags

from enas_tf.experiments.config import RunOptions
from enas_tf.launch.flags import define_options, read_config
from enas_tf.runtime.devices import configure_runtime
from enas_tf.search.evaluators.scratch import SCRATCH
from enas_tf.training.optimizers import SGD
from enas_tf.training.runners import build_runner
from enas_tf.training.scratch import Diverged, Training

#: Purpose of the random numbers that draw the architectures.
_DRAWN = 1804


@dataclasses.dataclass(frozen=True)
class _Run:
    """What a runner is built from, with a seed of its own."""

    config: RunOptions
    data: Any
    seed: int
    precision: str = "float32"

    @property
    def space(self):
        return self.config.space

    @property
    def networks(self):
        return self.config.networks

    @property
    def task(self):
        return self.config.task

    @property
    def shape(self):
        return self.task.shape(self.data)


class Truth:
    """Trains and tests architectures with one seed."""

    def __init__(self, config: RunOptions, data: Any, seed: int):
        options = config[SCRATCH]
        training = Training(options.batch_size, config[SGD], is_tested=True)
        self._runner, self._epochs = build_runner(_Run(config, data, seed), training), options.trial_epochs

    def measure(self, tokens: np.ndarray) -> tuple[float, float]:
        """Return the metric of an architecture on the validation and on the test part; NaN where it diverges."""
        try:
            done = self._runner.train(tokens, (self._epochs,))
        except Diverged:
            return float("nan"), float("nan")
        assert done.test is not None
        return done.value, done.test


def read_rows(path: Path) -> list[dict[str, str]]:
    """Return the rows of a ground truth; none where the file is not there."""
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def main(argv: list[str]) -> None:
    """Train what the file does not have yet, all with the first seed before any with the second."""
    values = flags.FLAGS
    config, path = read_config(), Path(values.output)
    configure_runtime(config.run.seed, is_deterministic=False)
    space, networks, task = config.space, config.networks, config.task
    data = task.load(config)
    tokens = np.unique(space.random_tokens(values.num, np.random.default_rng([config.run.seed, _DRAWN])), axis=0)
    np.random.default_rng(0).shuffle(tokens)
    rows = {row["arc"]: row for row in read_rows(path)}
    size = networks.as_child(config[networks.network])
    for seed in range(values.training_seeds):
        truth = Truth(config, data, config.run.seed + seed)
        for number, row in enumerate(tokens, start=1):
            architecture = space.decode(row)
            arc = architecture.to_arc()
            if f"test_{seed}" in rows.get(arc, {}) and rows[arc][f"test_{seed}"]:
                continue
            cost, begin = networks.count(architecture, size, task.shape(data)), time.perf_counter()
            valid, test = truth.measure(row)
            known = rows.setdefault(arc, {"arc": arc, "parameters": cost.parameters, "flops": cost.flops})
            known |= {f"valid_{seed}": f"{valid:.4f}", f"test_{seed}": f"{test:.4f}"}
            _write(path, list(rows.values()))
            seconds = time.perf_counter() - begin
            print(f"seed {seed}, {number}/{len(tokens)}: {valid:.4f} {test:.4f} {seconds:.1f} s", flush=True)


def _write(path: Path, rows: list[dict[str, Any]]) -> None:
    names = list(dict.fromkeys(name for row in rows for name in row))
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, names, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    flags.DEFINE_integer("num", 100, "architectures that are drawn", lower_bound=1)
    flags.DEFINE_integer("training_seeds", 2, "seeds that each is trained with", lower_bound=1)
    flags.DEFINE_string("output", None, "the CSV file", required=True)
    define_options()
    app.run(main)
