"""Evaluators that are functions of a Keras model: what a proposal is worth, by a few lines of a user's own."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from enas_tf.search.evaluators.evaluator import EVALUATORS, EvaluatedRun, Evaluator

#: Takes the child of a proposal, which has not been trained, and the data of the run; returns a number.
Judge = Callable[[keras.Model, Any], float]


class FunctionEvaluator(Evaluator):
    """Builds the child of each proposal at the searched width, and calls a function of it.

    A proposal is judged once. Each child begins with the weights of the run's seed, whatever was judged before.

    Args:
      run: the run.
      judge: the function.
      metric: the name of what it returns.
      is_higher_better: whether more of it is better.
    """

    def __init__(self, run: EvaluatedRun, judge: Judge, metric: str, is_higher_better: bool):
        self._run, self._judge = run, judge
        self.metric, self.is_higher_better = metric, is_higher_better
        self._known: dict[tuple[int, ...], float] = {}

    @classmethod
    def build(cls, run):
        raise NotImplementedError("`register_judge` makes a class that is built from a run")

    def evaluate(self, tokens):
        sign = 1.0 if self.is_higher_better else -1.0
        return tf.constant([sign * self.score(row) for row in tokens.numpy()], tf.float32)

    def score(self, tokens, num_batches=0):
        key = tuple(np.asarray(tokens).tolist())
        if key not in self._known:
            run = self._run
            keras.utils.set_random_seed(run.seed)
            size = run.networks.as_child(run.config[run.networks.network])
            child = run.networks.build_child(run.space.decode(key), size, run.shape)
            self._known[key] = float(self._judge(child, run.data))
        return self._known[key]


def register_judge(
    name: str, metric: str, is_higher_better: bool = True, help: str = "by a function of its own"
) -> Callable[[Judge], Judge]:
    """Return a decorator that registers a function of a Keras model and of the data as the evaluator `name`.

    Args:
      name: what the option `evaluator` calls it.
      metric: the name of what it returns, such as valid_accuracy.
      is_higher_better: whether more of it is better.
      help: one line for the help.
    """

    def add(judge: Judge) -> Judge:
        class Judged(FunctionEvaluator):
            """The evaluator of one function."""

            __module__, __qualname__ = judge.__module__, f"{judge.__qualname__}.evaluator"

            @classmethod
            def build(cls, run):
                return cls(run, judge, metric, is_higher_better)

        EVALUATORS.register(name, help=help)(Judged)
        return judge

    return add
