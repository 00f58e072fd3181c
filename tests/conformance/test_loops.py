"""Several steps in one call of the runtime are the steps one after another, to the last bit."""

import numpy as np
import pytest

from enas_tf.runtime.checkpoints import Checkpoints
from enas_tf.runtime.replicas import Replicas
from enas_tf.runtime.reporting import Reporter
from enas_tf.search.searchers.random import RandomSearcher
from tests.conformance.test_replicas import assert_close, make_evaluator, make_trainer, two_devices


@pytest.mark.parametrize("is_shared", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_search_in_loops_is_the_search(costly_case, is_shared):
    """An epoch of 3 steps or more, in loops of 2: the last one may stand alone. Shared by two devices, too."""
    found = []
    for steps_per_loop in (1, 2):
        strategy = two_devices() if is_shared else None
        evaluator = make_evaluator(costly_case, Replicas(strategy, is_shared, steps_per_loop=steps_per_loop))
        evaluator.start(0)
        advanced = []
        means = evaluator.prepare(RandomSearcher(costly_case.tiny), 0, 0, advanced.append)
        assert max(advanced) == steps_per_loop
        assert sum(advanced) == evaluator.num_steps(0) >= 3
        assert evaluator.step.traced.experimental_get_tracing_count() == 1
        found.append((evaluator.problem.variables, means["loss"]))
    (expected, loss), (weights, its_loss) = found
    assert its_loss == pytest.approx(loss, rel=1e-6)
    if is_shared:  # Sums over devices are in no order.
        assert_close(weights, expected)
        return
    for mine, its in zip(weights, expected, strict=True):
        np.testing.assert_array_equal(mine.numpy(), its.numpy(), err_msg=mine.path)


def test_retraining_in_loops_is_the_retraining(costly_case, tmp_path):
    found = []
    for steps_per_loop in (1, 2):
        trainer = make_trainer(costly_case, Replicas(steps_per_loop=steps_per_loop))
        with Reporter(tmp_path / str(steps_per_loop)) as reporter:
            trainer.run(reporter, Checkpoints(tmp_path / str(steps_per_loop) / "checkpoints", trainer.tracked))
        found.append(trainer.problem.trainee.child.weights)
    for mine, its in zip(*found, strict=True):
        np.testing.assert_array_equal(mine.numpy(), its.numpy(), err_msg=mine.path)
