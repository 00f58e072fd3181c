"""Runners of trials: they train one architecture after another from scratch, in one process on one device."""

import abc
import contextlib
import dataclasses
import functools
import gc
import itertools
import math
import time
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from enas_tf.errors import InputError, ref
from enas_tf.models.networks import Networks
from enas_tf.runtime.replicas import Replicas
from enas_tf.tasks.problem import Problem
from enas_tf.training.optimizers import CosineCycle
from enas_tf.training.scratch import Diverged, Trained, Training, TrialRun
from enas_tf.training.step import TrainingStep


class Runner(abc.ABC):
    """Trains architectures from scratch, one after another.

    The same architecture, budgets and seed give the same result, whatever was trained before.

    Args:
      run: the options, the space and the data.
      training: how.

    Attributes:
      is_disposable: whether each training leaves memory behind, so that its process should end after some of them.
    """

    is_disposable: bool = False

    def __init__(self, run: TrialRun, training: Training):
        self.run, self.training = run, training
        # Where no cycles are asked for, it stays in trials too: a language model that is trained for an epoch or two
        # with a falling rate learns the frequencies of words alone.
        self.schedule = CosineCycle(training.sgd.learning_rate, falls=training.sgd.has_cycles)
        #: About how many steps the last training had in an epoch.
        self.steps_per_epoch = 0

    @abc.abstractmethod
    def begin(self, tokens: np.ndarray, num_epochs: int) -> TrainingStep:
        """Return a step that trains the architecture of `tokens`, with the weights of a training that begins.

        Args:
          tokens: int32 [num_tokens].
          num_epochs: the length of the training.
        """

    @abc.abstractmethod
    def measure(self, tokens: np.ndarray) -> float:
        """Return the metric of the architecture on the validation part."""

    @abc.abstractmethod
    def test(self, tokens: np.ndarray) -> float:
        """Return the metric of the architecture on the test part."""

    def train(
        self,
        tokens: np.ndarray,
        budgets: tuple[int, ...],
        state: list[np.ndarray] | None = None,
        done: int = 0,
        keeps_state: bool = False,
        advance: Callable[[int], None] = lambda num: None,
    ) -> Trained:
        """Train the architecture of `tokens` (int32 [num_tokens]) from scratch, or from a `state` on.

        Args:
          tokens: the architecture.
          budgets: epochs at which a cycle of the learning rate ends, ascending.
          state: what an earlier training of it has left after `done` epochs, one of the `budgets`.
          done: see there.
          keeps_state: whether the result has a state.
          advance: called with n after every n steps.

        Raises:
          Diverged: a number is none.
        """
        clock = _Clock()
        step = self.begin(tokens, budgets[-1])
        self.steps_per_epoch = step.problem.stream.steps_per_epoch
        step.restart()
        if state is not None:
            _set(_variables(step), state)
        loss, curve = math.nan, []
        for first, last in itertools.pairwise((0, *budgets)):
            if last > done:
                loss, curve = self._cycle(step, tokens, (first, last), clock.hearing(advance), clock)
        best = max(curve) if self.run.task.is_higher_better else min(curve)
        seconds = clock.seconds
        kept = [variable.numpy() for variable in _variables(step)] if keeps_state else None
        tested = self.test(tokens) if self.training.is_tested else None
        return Trained(best, loss, tuple(curve), seconds, kept, tested, clock.starting, clock.validating)

    def _cycle(self, step, tokens, epochs: tuple[int, int], advance, clock: "_Clock") -> tuple[float, list[float]]:
        """Train for the epochs of a cycle; return the loss of the last one, and the metrics that were measured."""
        stream, seed = step.problem.stream, self.run.seed
        num = [stream.num_steps(epoch, seed) for epoch in range(epochs[1])]
        self.schedule.begin(sum(num[: epochs[0]]), sum(num[epochs[0] :]))
        curve, loss = [], math.nan
        for epoch in range(*epochs):
            means, _ = step.run_epoch(seed, epoch, 0, advance, self._tokens_of(step.problem, tokens, num[epoch]))
            if step.failure:
                raise Diverged(step.failure)
            loss = means["loss"]
            if epoch >= epochs[1] - self.training.num_measured:
                with clock.validation():
                    curve.append(self.measure(tokens))
                if not math.isfinite(curve[-1]):
                    raise Diverged(f"the metric of epoch {epoch + 1} is {curve[-1]}")
        return loss, curve

    @staticmethod
    def _tokens_of(problem: Problem, tokens: np.ndarray, num_steps: int) -> tf.Tensor | None:
        if problem.num_tokens is None:
            return None
        return tf.broadcast_to(tf.constant(tokens), [num_steps, problem.children_per_step, len(tokens)])


class _Clock:
    """Splits the time of a training, in seconds since it was built."""

    def __init__(self):
        self._begin = time.perf_counter()
        #: Until the first steps were taken.
        self.starting = 0.0
        self.validating = 0.0

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self._begin

    def hearing(self, advance: Callable[[int], None]) -> Callable[[int], None]:
        """Return `advance` that tells the clock of the first steps."""

        def told(num: int) -> None:
            self.starting = self.starting or self.seconds
            advance(num)

        return told

    @contextlib.contextmanager
    def validation(self) -> Iterator[None]:
        begin = self.seconds
        yield
        self.validating += self.seconds - begin


class SupernetRunner(Runner):
    """Trains through a supernet: its weights are those of the seed again for each trial, and one trace serves all.

    Batches are normalised by their own statistics, also those of the validation part.
    """

    def __init__(self, run: TrialRun, training: Training):
        super().__init__(run, training)
        keras.utils.set_random_seed(run.seed)
        network = run.config[run.networks.network]
        self._supernet = run.networks.build_supernet(run.space, network, run.shape, dtype=run.precision)
        #: What each trial begins with. A copy is faster than drawing them again, by seconds on a large supernet.
        self._fresh = [variable.numpy() for variable in self._supernet.variables]
        replicas = Replicas(precision=run.precision)
        problem = run.task.shared_problem(run.config, self._supernet, run.data, training.batch_size)
        judge = functools.partial(run.task.judge, run.config, self._supernet)
        self._judge = judge(run.data, training.batch_size, run.seed, replicas)
        if training.is_tested:
            tested = dataclasses.replace(run.data, valid=run.data.test)
            self._test_judge = judge(tested, training.batch_size, run.seed, replicas)
        self._step = TrainingStep(problem, training.sgd, replicas, schedule=self.schedule)

    def begin(self, tokens, num_epochs):
        _set(self._supernet.variables, self._fresh)
        return self._step

    def measure(self, tokens):
        return self._judge.score(tokens)

    def test(self, tokens):
        return self._test_judge.score(tokens)


class KerasRunner(Runner):
    """Trains the Keras model of each architecture, which is traced anew."""

    is_disposable = True

    def begin(self, tokens, num_epochs):
        run, training = self.run, self.training
        self._child = self._validate = None
        gc.collect()  # A model is full of circles: the weights of the last one would be held beside this one's.
        config = run.task.as_search(run.config)
        keras.utils.set_random_seed(run.seed)
        architecture = run.space.decode(tokens)
        size = run.networks.as_child(run.config[run.networks.network])
        options = {"dtype": run.precision, "for_training": True}
        child = self._child = run.networks.build_child(architecture, size, run.shape, **options)
        trainee = run.networks.build_trainee(child, architecture, size, run.shape)
        problem = run.task.child_problem(config, trainee, run.data, training.batch_size)
        self._validate = run.task.validate(config, child, run.data, training.batch_size)
        if self._validate is None:
            raise InputError(
                f"the task {run.task.name} leaves no validation part to judge trials by: expected a function of its "
                f"`validate`, or {ref('trial_model')}=supernet."
            )
        num = sum(problem.stream.num_steps(epoch, run.seed) for epoch in range(num_epochs))
        return TrainingStep(problem, training.sgd, Replicas(precision=run.precision), num, schedule=self.schedule)

    def measure(self, tokens):
        assert self._validate is not None
        return self._validate()[f"valid_{self.run.task.judged_metric(self.run.config)}"]

    def test(self, tokens):
        name = self.run.task.judged_metric(self.run.config)
        return self.run.task.test(self._child, self.run.data)[name]


def build_runner(run: TrialRun, training: Training) -> Runner:
    """Build the runner for the space of a run: through its supernet, if that can be and nothing else is asked for.

    Raises:
      InputError: trials cannot go through a supernet that is asked for, or an option is not valid.
    """
    return KerasRunner(run, training) if is_keras(run, training) else SupernetRunner(run, training)


def is_keras(run: TrialRun, training: Training) -> bool:
    """Return whether trials are trained as Keras models; raise `InputError` where a supernet is asked for in vain."""
    if training.model == "keras" or (training.model == "auto" and not has_supernet(run.networks)):
        return True
    why = run.networks.differs_in_training(run.space, run.config[run.networks.network])
    if why and training.model != "auto":
        raise InputError(f"{ref('trial_model')}=supernet cannot train these trials: {why}. Expected keras, or auto.")
    return bool(why)


def has_supernet(networks: Networks) -> bool:
    """Return whether a space has a supernet."""
    return type(networks).build_supernet is not Networks.build_supernet


def _variables(step: TrainingStep) -> list:
    """Return all that a training changes: the variables of the model, of the optimizer and of the loss scale."""
    model = [v for tracked in step.problem.tracked.values() for v in _variables_of(tracked)]
    return [*model, *step.optimizer.variables, *(step.loss_scale.variables if step.loss_scale else ())]


def _variables_of(tracked: Any) -> list:
    if isinstance(tracked, list | tuple):
        return [v for item in tracked for v in _variables_of(item)]
    return list(tracked.variables) if hasattr(tracked, "variables") else [tracked]


def _set(variables: list, values: list[np.ndarray]) -> None:
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
