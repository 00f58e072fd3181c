"""What a trial costs: through the supernet or as a Keras model in a process of its own, and by each executor.

    python -m benchmarks.trials --flagfile=flags/digits_random_scratch.flags --parts=models,memory,parallel,split,empty

* models: seconds of a trial of `--epochs_of_trial` epochs, through the supernet (traced once, by the first) and as a
  Keras model in a process that trains several, the start of which is not included.
* memory: resident memory of the process before and after `--num_memory` trials through the supernet.
* parallel: seconds of eight trials one after another, and in two processes, their start not included.
* split: where the seconds of a trial go, in a process that trains several.
* empty: milliseconds of a trial that does nothing, by each executor.
"""

import dataclasses
import importlib
import os
import time
from pathlib import Path

import numpy as np
from absl import app, flags

from enas_tf.experiments.config import RunOptions, read_options
from enas_tf.experiments.recipes import recipe_of
from enas_tf.experiments.run import Run
from enas_tf.launch.flags import define_options, read_config
from enas_tf.search.evaluators.scratch import SCRATCH
from enas_tf.search.executors.executor import EXECUTION, EXECUTORS, Executor, Recipe
from enas_tf.search.trials import Job, Measurement, Trial
from enas_tf.training.optimizers import SGD
from enas_tf.training.scratch import Trained, Training


class EmptyRunner:
    """Measures nothing, at once."""

    def train(self, *arguments) -> Trained:
        """Return zeros."""
        return Trained(0.0, 0.0, (0.0,), 0.0, None)


def build_empty(recipe: Recipe) -> EmptyRunner:
    """Build a runner that does nothing."""
    return EmptyRunner()


def seconds_of(executor: Executor, trials: list[Trial]) -> list[float]:
    """Run trials; return when each was done, in seconds after the first was submitted."""
    begin, ends = time.perf_counter(), []
    for number, trial in enumerate(trials):
        executor.submit(Job(number, trial))
    for _ in trials:
        result = executor.next()
        assert isinstance(result.outcome, Measurement), result.outcome
        ends.append(time.perf_counter() - begin)
    return ends


class Bench:
    """The parts, on the task that the flags say."""

    def __init__(self, config: RunOptions, epochs: int):
        self.run, self.epochs = Run(config, Path(".")), epochs
        self._rng = np.random.default_rng(0)

    def trials(self, num: int, epochs: int | None = None) -> list[Trial]:
        """Draw trials."""
        rows = self.run.space.random_tokens(num, self._rng)
        return [Trial(tuple(row.tolist()), (epochs or self.epochs,)) for row in rows]

    def executor(self, name: str, model: str = "auto", parallel: int = 1, is_disposable: bool = False) -> Executor:
        """Return an executor of the run's trials."""
        config = self.run.config
        training = Training(config[SCRATCH].batch_size, config[SGD], model=model)
        execution = dataclasses.replace(config[EXECUTION], parallel=parallel)
        return EXECUTORS[name].build(
            recipe_of(self.run, training), config.replace({EXECUTION: execution}), is_disposable
        )

    def models(self) -> None:
        """Print seconds of a trial through the supernet and as a Keras model."""
        with self.executor("serial", "supernet") as executor:
            ends = seconds_of(executor, self.trials(6))
        shared = np.median(np.diff(ends))
        with self.executor("processes", "keras", is_disposable=True) as executor:
            alone = np.median(np.diff([0.0, *seconds_of(executor, self.trials(3))]))
        print(f"models: supernet {shared:.2f} s (the first {ends[0]:.2f} s), Keras in a process {alone:.2f} s, "
              f"ratio {alone / shared:.1f}")  # fmt: skip

    def memory(self, num: int) -> None:
        """Print resident memory before and after many trials."""
        with self.executor("serial", "supernet") as executor:
            seconds_of(executor, self.trials(3, epochs=1))
            before = resident()
            seconds_of(executor, self.trials(num, epochs=1))
        print(f"memory: {before:.2f} GiB after 3 trials, {resident():.2f} GiB after {num} more")

    def parallel(self, num: int = 8) -> None:
        """Print the seconds of some trials, serially and in two processes."""
        trials, found = self.trials(num), {}
        for name, width in (("serial", 1), ("processes", 2)):
            with self.executor(name, parallel=width) as executor:
                seconds_of(executor, self.trials(2 * width))
                found[name] = seconds_of(executor, trials)[-1]
        ratio = found["serial"] / found["processes"]
        print(f"parallel: {num} trials serially {found['serial']:.1f} s, in two processes {found['processes']:.1f} s, "
              f"{ratio:.2f} times as fast")  # fmt: skip

    def split(self, num: int = 8) -> None:
        """Print the means over some trials of the seconds of each of their parts."""
        with self.executor("processes") as executor:
            begin, found = time.perf_counter(), []
            for number, trial in enumerate(self.trials(num)):
                executor.submit(Job(number, trial))
            for _ in range(num):
                outcome = executor.next().outcome
                if isinstance(outcome, Measurement):
                    found.append((time.perf_counter() - begin, outcome))
        ended, first = found[0]
        start = f"the start of the process {ended - first.seconds:.2f} s, " if len(found) == num else ""
        seconds, starting, validating = (
            np.mean([getattr(outcome, name) for _, outcome in found]) for name in ("seconds", "starting", "validating")
        )
        print(f"split: {start}a trial {seconds:.2f} s: {starting:.2f} s until its first step was taken, "
              f"{seconds - starting - validating:.2f} s of training, {validating:.2f} s of validation")  # fmt: skip


def empty(num: int) -> None:
    """Print milliseconds of an empty trial by each executor."""
    # Another process finds the function by the name of its module, which is __main__ here.
    build = importlib.import_module("benchmarks.trials").build_empty
    for name in EXECUTORS:
        recipe = Recipe(build, {}, (), None)
        config = read_options({"evaluator": "scratch", "executor": name, "parallel": 1 if name == "serial" else 2})
        with EXECUTORS[name].build(recipe, config) as executor:
            trials = [Trial((0,), (1,))] * num
            seconds_of(executor, trials[:4])
            print(f"empty: {name} {1000 * seconds_of(executor, trials)[-1] / num:.2f} ms of {num:,} trials")


def resident() -> float:
    """Return the resident memory of this process in GiB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**30


def main(argv: list[str]) -> None:
    """Run the parts that are asked for."""
    values = flags.FLAGS
    bench = Bench(read_config(), values.epochs_of_trial)
    if "models" in values.parts:
        bench.models()
    if "memory" in values.parts:
        bench.memory(values.num_memory)
    if "parallel" in values.parts:
        bench.parallel()
    if "split" in values.parts:
        bench.split()
    if "empty" in values.parts:
        empty(values.num_empty)


if __name__ == "__main__":
    flags.DEFINE_list("parts", ["models", "memory", "parallel", "split", "empty"], "what is measured")
    flags.DEFINE_integer("epochs_of_trial", 3, "epochs of a trial", lower_bound=1)
    flags.DEFINE_integer("num_memory", 50, "trials after which memory is measured", lower_bound=1)
    flags.DEFINE_integer("num_empty", 1000, "empty trials", lower_bound=1)
    define_options()
    app.run(main)
