"""What builds a runner of trials, in this process or in another."""

import dataclasses
from pathlib import Path
from typing import Any

from enas_tf.experiments.config import RunOptions, read_options
from enas_tf.experiments.run import Run
from enas_tf.registry import import_file, imported
from enas_tf.runtime.devices import configure_runtime
from enas_tf.search.config import FINALISTS
from enas_tf.search.evaluators.evaluator import EVALUATORS
from enas_tf.search.executors.executor import EXECUTION, EXECUTORS, Executor, Recipe
from enas_tf.search.ledger import Ledger
from enas_tf.training.runners import Runner, build_runner, is_keras
from enas_tf.training.scratch import Training


@dataclasses.dataclass(frozen=True)
class _Trials:
    """The options and the data that a runner is built from (`training.runners.TrialRun`)."""

    config: RunOptions
    data: Any

    def __post_init__(self):
        configure_runtime(self.seed, self.config.run.deterministic)

    @property
    def seed(self) -> int:
        return self.config.run.seed

    @property
    def precision(self) -> str:
        return self.config.run.precision

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


def recipe_of(run: Run, training: Training, config: RunOptions | None = None) -> Recipe:
    """Return the recipe of the trials of a run, with its data; its options are those of `config`, if given."""
    return Recipe(build_from, (config or run.config).option_values(), imported(), training, run.data)


def build_from(recipe: Recipe) -> Runner:
    """Build the runner of a recipe."""
    for path in recipe.imports:
        import_file(path)
    return build_runner(_Trials(read_options(recipe.options), recipe.data), recipe.training)


def check_executor(run: Run) -> None:
    """Raise `InputError` for an executor that could not be started; a run that trains no trials needs none."""
    has_finalists = FINALISTS in run.config.values and run.config[FINALISTS].finalists
    if has_finalists or EVALUATORS[run.config.run.evaluator].has_trials:
        EXECUTORS[run.config.run.executor].check(run.config)


def build_executor(run: Run, training: Training, config: RunOptions | None = None) -> Executor:
    """Return the executor of a run; use it as a context, which ends its processes.

    Args:
      run: the run.
      training: how trials are trained.
      config: other options than those of the run.
    """
    config = config or run.config
    has_model = is_keras(run, training)
    name, recipe = config.run.executor, recipe_of(run, training, config)
    # A process that builds many Keras models grows.
    if has_model and name == "serial":
        config = config.replace({EXECUTION: dataclasses.replace(config[EXECUTION], parallel=1)})
        name = "processes"
    return EXECUTORS[name].build(recipe, config, has_model)


def ledger_of(run: Run) -> Ledger:
    """Return the trials in the workdir of a run."""
    return ledger_at(run, run.workdir.trials)


def ledger_at(run: Run, path: Path) -> Ledger:
    """Return the trials in the file `path`, which are of the space and the data of a run."""
    return Ledger(path, {"space": run.space.name, "num_tokens": run.space.num_tokens, "dataset": run.data.name})
