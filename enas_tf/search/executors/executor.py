"""The interface of executors: where trials run, and how many at once."""

import abc
import dataclasses
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from enas_tf.errors import InputError
from enas_tf.options import Config, Group, option, require
from enas_tf.registry import Registry
from enas_tf.search.trials import Failure, Job, Measurement, Result
from enas_tf.training.runners import Runner
from enas_tf.training.scratch import Diverged


@dataclasses.dataclass(frozen=True)
class ExecutionConfig:
    """Where trials run. Their results do not depend on it."""

    parallel: int = option(
        1,
        "K: trials that are under way at once; a proposal knows the results of all trials but the last K - 1",
        decides=False,
        most=10_000,
    )
    max_failures: int = option(
        5, "a search ends when so many trials in a row have failed for the same reason", decides=False, most=1_000_000
    )

    def __post_init__(self):
        require(self.parallel >= 1, "parallel", self.parallel, "at least 1")
        require(self.max_failures >= 1, "max_failures", self.max_failures, "at least 1")


EXECUTION = Group(ExecutionConfig(), stages=("search",))


@dataclasses.dataclass(frozen=True)
class Recipe:
    """What a process needs to train trials: it can be pickled.

    Attributes:
      build: builds a runner from a recipe; a function of a module, so that another process finds it.
      options: the options of the run by name.
      imports: files of the user that are imported first.
      training: how trials are trained (`training.runners.Training`).
      data: what the task has loaded; None for a process that is to load it.
    """

    build: Callable[["Recipe"], Runner]
    options: dict[str, Any]
    imports: tuple[str, ...]
    training: Any
    data: Any = None


class Watcher:
    """Hears how far the jobs of an executor have come, and does nothing with it. Results do not depend on it."""

    def begin(self, number: int) -> None:
        """Hear that the job `number` has begun, or that it begins again."""

    def advance(self, number: int, epochs: float) -> None:
        """Hear how many epochs of its trial are done. Not every executor says so."""

    def end(self, number: int) -> None:
        """Hear that it is no longer under way."""


class Executor(abc.ABC):
    """Trains trials, several at once.

    Args:
      recipe: what builds a runner.
      config: how many at once.
      is_disposable: whether a process ends after some trials, since they leave memory behind.

    Attributes:
      watcher: hears how far the jobs have come.
    """

    def __init__(self, recipe: Recipe, config: ExecutionConfig, is_disposable: bool = False):
        self.recipe, self.config, self.is_disposable = recipe, config, is_disposable
        self.watcher = Watcher()

    @classmethod
    def build(cls, recipe: Recipe, config: Config, is_disposable: bool = False) -> "Executor":
        """Build the executor with the options that it registered."""
        return cls(recipe, config[EXECUTION], is_disposable)

    @classmethod  # noqa: B027
    def check(cls, config: Config) -> None:
        """Raise `InputError` where `build` would, as far as that is known without processes: before a run begins."""

    @abc.abstractmethod
    def submit(self, job: Job) -> None:
        """Take a job. It begins when a worker is free."""

    @abc.abstractmethod
    def next(self) -> Result:
        """Wait for the next result of the jobs that were submitted, in any order.

        Raises:
          InputError: no trial can be trained with the options of the run.
          Interrupted: a signal has come; the trials that were under way are lost.
        """

    def close(self) -> None:  # noqa: B027
        """End what is under way, and all processes. A second call does nothing."""

    def __enter__(self) -> "Executor":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


#: Executors by name.
EXECUTORS: Registry[type[Executor]] = Registry("executor")


def run_job(runner: Runner, job: Job, tell: Callable[[float], None] = lambda epochs: None) -> Result:
    """Train the trial of a job, whatever comes of it; raise `InputError` where no trial can be trained.

    Args:
      runner: what trains it.
      job: the job.
      tell: called now and then with the number of epochs of the trial that are done.
    """
    trial, tokens, steps = job.trial, tf.constant(job.trial.tokens, tf.int32).numpy(), 0

    def advance(num: int) -> None:
        nonlocal steps
        steps += num
        # Where epochs differ in length, that is about right.
        tell(min(float(trial.epochs), job.done + steps / runner.steps_per_epoch))

    try:
        done = runner.train(tokens, trial.budgets, job.state, job.done, job.keeps_state, advance)
    except InputError:
        raise
    except Diverged as error:
        return Result(job.number, Failure("diverged", str(error)))
    except (MemoryError, tf.errors.ResourceExhaustedError) as error:
        return Result(job.number, Failure("memory", _first_line(error)))
    except Exception as error:
        return Result(job.number, Failure("crashed", f"{type(error).__name__}: {_first_line(error)}"))
    gpus = tf.config.list_logical_devices("GPU")
    device = gpus[0].name.removeprefix("/device:") if gpus else "CPU"
    split = done.starting, done.validating
    measured = Measurement(done.value, done.loss, done.curve, done.seconds, device, done.test, *split)
    return Result(job.number, measured, done.state)


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else "no message"
