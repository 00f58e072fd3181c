"""Divergence: it is noted at its step, told with numbers, and gone back from once."""

import io
import math

import numpy as np
import pytest
import rich.console
import tensorflow as tf

from enas_tf.errors import InputError
from enas_tf.runtime.checkpoints import Checkpoints
from enas_tf.runtime.reporting import Reporter
from enas_tf.training.health import LossWatch, Recovery


@pytest.fixture
def reporter(tmp_path):
    return Reporter(tmp_path, console=rich.console.Console(file=io.StringIO()))


@pytest.mark.parametrize(("loss", "norm"), [(math.nan, 1.0), (math.inf, 1.0), (1.0, math.inf), (1.0, math.nan)])
def test_the_first_bad_step_is_told(loss, norm):
    watch = LossWatch()
    update = tf.function(lambda *numbers: watch.update(*map(tf.constant, numbers)), autograph=False)
    update(0, 2.0, 0.1, 3.0)
    assert watch.failure is None
    update(1, loss, 0.05, norm)
    update(2, math.nan, 0.01, math.nan)
    assert watch.failure == f"step 2 has a loss of {loss:.4g} (learning rate 0.05, gradient norm {norm:.3g})"
    watch.reset()
    assert watch.failure is None


def test_going_back_once_from_each_checkpoint(tmp_path, reporter):
    recovery, weight = Recovery("retrain"), tf.Variable(1.0)
    checkpoints = Checkpoints(tmp_path, {"weight": weight, "recovery": recovery.tracked})
    checkpoints.save(1, step=3)
    for epoch in (1, 2):
        weight.assign(np.nan)
        assert recovery.go_back("step 9", checkpoints, reporter).epoch == epoch
        assert (float(weight), recovery.count) == (1.0, epoch)
        if epoch == 1:
            checkpoints.save(2)
    with pytest.raises(InputError, match=r"diverged: step 9, .*retrain_learning_rate"):
        recovery.go_back("step 9", checkpoints, reporter)


def test_how_often_it_went_back_outlives_the_process(tmp_path, reporter):
    """Its seeds count on: the same numbers would fail again."""
    first = Recovery("search")
    checkpoints = Checkpoints(tmp_path, {"recovery": first.tracked})
    checkpoints.save(1)
    first.go_back("step 9", checkpoints, reporter)
    checkpoints.save(2)
    second = Recovery("search")
    Checkpoints(tmp_path, {"recovery": second.tracked}).restore_latest()
    assert second.count == 1


def test_without_a_checkpoint_the_report_is_the_end(tmp_path, reporter):
    recovery = Recovery("search")
    with pytest.raises(InputError, match=r"diverged: step 1 .*no checkpoint.* learning_rate"):
        recovery.go_back("step 1 has a loss of nan", Checkpoints(tmp_path, {"r": recovery.tracked}), reporter)
