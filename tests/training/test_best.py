"""Laws of the best epoch: its weights are kept, the training ends in time, and a run that resumes knows both."""

import math

import numpy as np
import pytest

from enas_tf.runtime.devices import build_strategy
from enas_tf.runtime.replicas import Replicas
from enas_tf.training.best import BestEpoch
from tests.training.children import child_of, make_image_trainer, numpy_of, run

#: The best is in epoch 2, and again as good in epoch 4.
VALUES = [0.2, 0.6, 0.4, 0.6, math.nan, 0.9]


class Told:
    """Says `values` in the place of a validation, and remembers the weights of each epoch."""

    def __init__(self, trainer, values=VALUES):
        self.trainer, self.values, self.weights = trainer, values, {}

    def __call__(self):
        epoch = int(self.trainer.step.optimizer.iterations.numpy()) // self.trainer.steps_per_epoch
        # The first time: a training ends with a measurement of what it keeps.
        self.weights.setdefault(epoch, numpy_of(child_of(self.trainer).weights))
        return {"valid_loss": 1.0, "valid_accuracy": self.values[epoch - 1]}


def make(patience=0, keeps=True, is_higher_better=True, replicas=None, values=VALUES):
    trainer = make_image_trainer(epochs=len(values), replicas=replicas)
    trainer.best = BestEpoch(child_of(trainer).weights, "valid_accuracy", is_higher_better, keeps, patience)
    trainer._validate = Told(trainer, values)
    return trainer


def final(trainer):
    return numpy_of(child_of(trainer).weights)


def assert_same(found, expected):
    for value, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(value, other)


@pytest.mark.parametrize(("patience", "num_epochs", "best"), [(0, 6, 6), (3, 5, 2), (1, 3, 2)])
def test_the_weights_of_the_best_epoch_are_kept_and_the_training_ends(tmp_path, patience, num_epochs, best):
    trainer = make(patience)
    records = run(trainer, tmp_path).records
    assert len(records) == num_epochs
    assert_same(final(trainer), trainer._validate.weights[best])


def test_without_keeping_the_last_weights_stay(tmp_path):
    trainer = make(patience=1, keeps=False)
    run(trainer, tmp_path)
    assert_same(final(trainer), trainer._validate.weights[3])


def test_of_a_loss_the_lowest_is_best(tmp_path):
    trainer = make(is_higher_better=False)
    run(trainer, tmp_path)
    assert_same(final(trainer), trainer._validate.weights[1])


def test_numbers_that_are_none_leave_the_last_weights(tmp_path):
    trainer = make(values=[math.nan, math.nan])
    run(trainer, tmp_path)
    assert_same(final(trainer), trainer._validate.weights[2])


def test_a_run_that_is_killed_ends_as_one_that_was_not(tmp_path):
    """Law 6: the best weights and the patience are in the checkpoint, and an end that was reached stays one."""
    whole = make(patience=3)
    run(whole, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run(make(patience=3), tmp_path / "parts", stop=3)
    for _ in range(2):
        again = make(patience=3)
        run(again, tmp_path / "parts")
        assert_same(final(again), final(whole))
    assert list(again._validate.weights) == [5], "the second time nothing was left to train, only to measure"


def test_the_best_weights_are_those_of_all_replicas(tmp_path):
    strategy = build_strategy("mirrored")
    with strategy.scope():
        trainer = make(patience=1, replicas=Replicas(strategy))
    run(trainer, tmp_path)
    assert_same(final(trainer), trainer._validate.weights[2])
