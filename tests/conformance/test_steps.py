"""Law 5 and its kin: devices, processes, loops and mixed precision take the steps of one device in float32."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from enas_tf.errors import InputError
from enas_tf.runtime.replicas import Replicas
from tests.conformance.conftest import CASES, FIRST, SHARING
from tests.conformance.runs import Retraining, Search, judge, two_devices

HERE = Path(__file__).parent
pytestmark = pytest.mark.usefixtures("graphs_of_a_test")


@pytest.fixture(scope="module")
def searched(costly_shared_case):
    """A search on one device, in loops of two steps: what others are compared with."""
    return Search(costly_shared_case, Replicas(steps_per_loop=2))


@pytest.fixture(scope="module")
def retrained(costly_case, tmp_path_factory):
    """A retraining on one device, in loops of two steps."""
    return Retraining(costly_case, Replicas(steps_per_loop=2), tmp_path_factory.mktemp("retrained"))


def assert_close(found, expected):
    for mine, its in zip(found, expected, strict=True):
        np.testing.assert_allclose(mine.numpy(), its.numpy(), rtol=1e-3, atol=1e-4, err_msg=its.path)


def assert_same(found, expected):
    for mine, its in zip(found, expected, strict=True):
        np.testing.assert_array_equal(mine.numpy(), its, err_msg=mine.path)


def test_search_in_loops_is_the_search(searched):
    """To the last bit. The last step of an epoch may stand alone; a step is traced once, within the loop."""
    looped, loss = [weight.numpy() for weight in searched.weights], searched.means["loss"]
    assert max(searched.advanced) == 2
    searched.repeat(steps_per_loop=1)
    assert max(searched.advanced) == 1
    assert searched.means["loss"] == pytest.approx(loss, rel=1e-6)
    assert_same(searched.weights, looped)


@pytest.mark.slow
def test_search_in_loops_on_two_devices_is_the_search_on_them(costly_shared_case):
    """Sums over devices are in no order."""
    expected, looped = (Search(costly_shared_case, Replicas(two_devices(), True, steps_per_loop=num)) for num in (1, 2))
    assert (max(expected.advanced), max(looped.advanced)) == (1, 2)
    assert looped.means["loss"] == pytest.approx(expected.means["loss"], rel=1e-6)
    assert_close(looped.weights, expected.weights)


def test_retraining_in_loops_is_the_retraining(retrained, tmp_path):
    looped = [weight.numpy() for weight in retrained.weights]
    retrained.repeat(steps_per_loop=1, workdir=tmp_path)
    assert_same(retrained.weights, looped)


def test_two_replicas_search_as_one_device(costly_shared_case, searched):
    """Shared weights after an epoch, its means, and rewards and scores with these weights."""
    case = costly_shared_case
    tokens = case.tiny.random_tokens(3, np.random.default_rng(2))
    both = Search(case, Replicas(two_devices(), is_synchronized=True))
    for found in (searched, both):
        assert np.abs(found.movement).max() > 1e-3
    assert_close(both.weights, searched.weights)
    for name in ("loss", "gradient_norm", "learning_rate"):
        assert both.means[name] == pytest.approx(searched.means[name], rel=1e-3), name
    np.testing.assert_allclose(both.rewards(tokens), searched.rewards(tokens), rtol=1e-3)
    for num_batches in (0, 1):
        score, expected = (found.evaluator.score(tokens[0], num_batches) for found in (both, searched))
        assert score == pytest.approx(expected, rel=1e-3)


def test_two_replicas_retrain_as_one_device(costly_case, retrained, tmp_path):
    """The child after two epochs, moving averages and averaged weights included."""
    both = Retraining(costly_case, Replicas(two_devices(), is_synchronized=True), tmp_path)
    assert_close(both.weights, retrained.weights)
    # A run on two devices is resumed on one.
    assert_close(Retraining(costly_case, Replicas(), tmp_path).weights, retrained.weights)


@pytest.mark.parametrize("precision", ["mixed_float16", pytest.param("mixed_bfloat16", marks=pytest.mark.slow)])
def test_search_and_retraining_learn_in_mixed_precision(costly_shared_case, searched, precision, tmp_path):
    """An epoch of each moves the weights about as far as in float32, and every mean is a number."""
    replicas = Replicas(precision=precision)
    mixed = Search(costly_shared_case, replicas)
    for found in (searched, mixed):
        assert np.isfinite(list(found.means.values())).all()
        assert found.means["gradient_norm"] > 0
    assert "shared_loss_scale" not in searched.evaluator.tracked
    assert ("shared_loss_scale" in mixed.evaluator.tracked) == (precision == "mixed_float16")
    # Steps of clipped gradients: lengths are alike, and so is the direction.
    mine, its = mixed.movement, searched.movement
    length, expected = np.linalg.norm(mine), np.linalg.norm(its)
    assert length == pytest.approx(expected, rel=0.1)
    assert mine @ its > 0.9 * length * expected
    trainer = Retraining(costly_shared_case, replicas, tmp_path).trainer
    assert all(np.isfinite(variable.numpy()).all() for variable in trainer.problem.variables)


#: Cases of which a step can have several children; the loop over these does not know the space.
SEVERAL = [case for case in CASES if case.name in ("macro-layers", "micro-other")]


@pytest.mark.slow
@pytest.mark.parametrize("case", SEVERAL, ids=lambda case: case.name)
def test_each_replica_has_children_of_its_own(case):
    """M = the number of replicas: as one device that computes them one after the other, and nothing is synchronised."""
    expected = Search(case, Replicas(), children=2)
    found = Search(case, Replicas(two_devices(), is_synchronized=True), children=2)
    assert_close(found.weights, expected.weights)


def test_a_batch_has_to_split_over_the_replicas():
    with pytest.raises(InputError, match=r"^batch_size=9 does not split over 2 replicas: expected a multiple of 2"):
        Replicas(two_devices()).check_divides("batch_size", 9)


def start(index: int, port: int, path: Path, names: list[str]) -> subprocess.Popen:
    environment = os.environ | {"PYTHONPATH": str(HERE.parents[1])}
    command = [sys.executable, str(HERE / "worker.py"), str(index), str(port), str(path), *names]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


@pytest.fixture(scope="module")
def search_in_processes(tmp_path_factory, unused_ports):
    """`search_in_processes(case)`: what each of two processes has left. They search in several spaces at once."""
    done = {}

    def found(case):
        names = [other.name for other in SHARING if (other.name in FIRST) == (case.name in FIRST)]
        if case.name not in done:
            files = [tmp_path_factory.mktemp("worker") / "found.npz" for _ in range(2)]
            processes = [start(index, unused_ports[0], file, names) for index, file in enumerate(files)]
            outputs = [process.communicate(timeout=500)[0] for process in processes]
            assert [process.returncode for process in processes] == [0, 0], "\n".join(outputs)[-4000:]
            results = [dict(np.load(file)) for file in files]
            for name in names:
                done[name] = [
                    {key.removeprefix(f"{name}/"): value for key, value in each.items() if key.startswith(f"{name}/")}
                    for each in results
                ]
        return done[case.name]

    return found


def test_two_processes_take_the_steps_of_one(costly_shared_case, searched, search_in_processes):
    """They end with the same bits, and with what one process ends with."""
    first, second = search_in_processes(costly_shared_case)
    assert first.keys() == second.keys()
    for name, values in first.items():
        np.testing.assert_array_equal(values, second[name], err_msg=name)
    alone = judge(costly_shared_case, searched)
    assert first.keys() == alone.keys()
    for name, values in alone.items():
        np.testing.assert_allclose(first[name], values, rtol=1e-3, atol=1e-4, err_msg=name)
