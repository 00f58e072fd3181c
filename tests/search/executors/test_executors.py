"""Where trials run changes nothing of their results: the same trials for every executor, with all that goes wrong."""

import collections
import importlib.util
import os
import pickle
import socket
import threading
import time

import numpy as np
import pytest

from enas_tf.errors import InputError
from enas_tf.search.executors import processes
from enas_tf.search.executors import ray as ray_executor
from enas_tf.search.executors.executor import EXECUTORS, ExecutionConfig, Recipe, Watcher
from enas_tf.search.executors.pool import TRIALS_PER_PROCESS
from enas_tf.search.executors.processes import ProcessExecutor
from enas_tf.search.executors.serial import SerialExecutor
from enas_tf.search.trials import Failure, Job, Measurement, Trial
from tests.search.executors import fake
from tests.search.executors.fake import DIE, DIE_ONCE, DIVERGE, FAIL, FILL, LIST, REFUSE, STEP, TRAIN, WAIT

NUM_CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
needs_two_cores = pytest.mark.skipif(NUM_CORES < 2, reason="the executor refuses more processes than cores")
needs_ray = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None, reason="Ray is not installed: pip install -e '.[ray]'"
)
KINDS = ["serial", pytest.param("processes", marks=needs_two_cores), pytest.param("ray", marks=needs_ray)]


def recipe_in(directory, **options):
    """Return a recipe with data that no pipe holds at once."""
    return Recipe(fake.build, {"directory": str(directory), **options}, (), None, np.zeros(100_000))


@pytest.fixture(params=KINDS, scope="module")
def kind(request):
    return request.param


@pytest.fixture(scope="module")
def directory(kind, tmp_path_factory):
    return tmp_path_factory.mktemp(kind)


@pytest.fixture(scope="module")
def executor(kind, directory):
    """The executor of all tests of its kind: processes take seconds to start."""
    with EXECUTORS[kind](recipe_in(directory), ExecutionConfig(parallel=1 if kind == "serial" else 2)) as found:
        yield found


def run(executor, jobs):
    """Return number -> result of `jobs`."""
    for job in jobs:
        executor.submit(job)
    results = [executor.next() for _ in jobs]
    assert sorted(result.number for result in results) == sorted(job.number for job in jobs), "none is lost or doubled"
    return {result.number: result for result in results}


def job(number, action, value=None, **more):
    return Job(number, Trial((action, number if value is None else value), (2,)), **more)


class Heard(Watcher):
    """Writes down all that it hears, by the number of the job."""

    def __init__(self):
        self.of = collections.defaultdict(list)

    def begin(self, number):
        self.of[number].append("begin")

    def advance(self, number, epochs):
        self.of[number].append(epochs)

    def end(self, number):
        self.of[number].append("end")


def beginnings(directory, action, number):
    """Return the ids of the processes in which a trial has begun."""
    return [int(path.name.rpartition("_")[2]) for path in directory.glob(f"{action}_{number}_*")]


def test_results_are_those_of_the_runner(executor, directory):
    results = run(executor, [job(number, TRAIN) for number in range(6)])
    runner = fake.FakeRunner(directory)
    for number, result in results.items():
        expected = runner.train(np.array([TRAIN, number]), (2,))
        assert isinstance(result.outcome, Measurement)
        assert result.outcome.value == expected.value
        assert (result.outcome.curve, result.outcome.loss) == (expected.curve, number)
        assert result.state is None


def test_a_state_goes_there_and_back(executor):
    short = run(executor, [job(0, TRAIN, 5, keeps_state=True)])[0]
    longer = Job(1, Trial((TRAIN, 5), (2, 4)), short.state, 2, True)
    through = Job(2, Trial((TRAIN, 5), (2, 4)), None, 0, True)
    results = run(executor, [longer, through])
    np.testing.assert_array_equal(results[1].state[0], results[2].state[0])
    assert results[1].state[0].dtype == np.float32


def test_what_goes_wrong_is_a_failed_trial_and_the_others_go_on(executor):
    jobs = [job(0, DIVERGE), job(1, TRAIN), job(2, FILL), job(3, FAIL), job(4, TRAIN)]
    outcomes = {number: result.outcome for number, result in run(executor, jobs).items()}
    assert outcomes[0] == Failure("diverged", "step 0 has a loss of nan")
    assert outcomes[2] == Failure("memory", "2 bytes")
    assert outcomes[3] == Failure("crashed", "RuntimeError: it was 3")
    assert isinstance(outcomes[1], Measurement)
    assert isinstance(outcomes[4], Measurement)


def test_a_process_imports_nothing_that_is_slow_and_not_needed(executor, kind):
    if kind != "processes":
        pytest.skip("only its processes are started by the package itself")
    assert run(executor, [job(0, LIST)])[0].outcome == Failure("crashed", "RuntimeError: keras")


def test_a_watcher_hears_how_far_a_trial_has_come(executor, kind, monkeypatch):
    """Also of what was done before. Ray says when a trial begins and ends, and no more."""
    heard = Heard()
    monkeypatch.setattr(executor, "watcher", heard)
    run(executor, [Job(10, Trial((STEP, 10), (3, 5)), [np.zeros(3, np.float32)], 3), job(11, TRAIN)])
    begin, *epochs, end = heard.of[10]
    assert (begin, end) == ("begin", "end")
    assert heard.of[11] == ["begin", "end"]
    assert epochs == sorted(epochs)
    assert set(epochs) <= {3 + step / 4 for step in range(1, 9)}
    assert bool(epochs) == (kind != "ray")


def test_a_process_that_is_killed_during_a_trial_loses_nothing(executor, kind, directory, monkeypatch):
    """The trial is trained again elsewhere; those of the other process are not."""
    if kind == "serial":
        pytest.skip("its process is that of the search")
    heard = Heard()
    monkeypatch.setattr(executor, "watcher", heard)
    jobs = [job(20, TRAIN), job(21, DIE_ONCE), *(job(number, TRAIN) for number in range(22, 26))]
    results = run(executor, jobs)
    assert all(isinstance(result.outcome, Measurement) for result in results.values())
    assert len(set(beginnings(directory, DIE_ONCE, 21))) == 2
    assert heard.of[21] == ["begin", "end"] * 2
    assert [len(beginnings(directory, TRAIN, number)) for number in (20, *range(22, 26))] == [1] * 5


@pytest.mark.parametrize("kind", [KINDS[1], pytest.param("ray", marks=[needs_ray, pytest.mark.slow])], indirect=True)
def test_a_trial_whose_process_always_dies_is_a_failed_trial(executor, kind, directory):
    """On Ray it takes a minute: each of three processes imports all packages anew."""
    results = run(executor, [job(30, DIE), job(31, TRAIN), job(32, TRAIN)])
    assert results[30].outcome.kind == "crashed"
    assert results[30].outcome.reason
    if kind == "processes":
        assert results[30].outcome.reason == "its process ended with signal SIGKILL"
    assert len(beginnings(directory, DIE, 30)) == {"processes": 2, "ray": 3}[kind]
    assert isinstance(results[31].outcome, Measurement)
    assert isinstance(results[32].outcome, Measurement)


def test_the_address_of_a_cluster_answers(executor, kind):
    if kind != "ray":
        pytest.skip("it has no cluster")
    ray_executor._check_answers(executor._ray.get_runtime_context().gcs_address)


def test_wrong_input_in_a_trial_is_wrong_input(executor):
    """The last test of an executor: the search ends with it."""
    executor.submit(job(40, REFUSE))
    with pytest.raises(InputError, match="batch_size=40 is not valid") as error:
        executor.next()
    assert error.value.render(lambda name: f"--{name}") == "--batch_size=40 is not valid."


@pytest.mark.parametrize("kind", KINDS[:2])
def test_wrong_input_of_the_recipe_is_wrong_input(kind, tmp_path):
    with EXECUTORS[kind](recipe_in(tmp_path, is_refused=True), ExecutionConfig()) as executor:
        executor.submit(job(0, TRAIN))
        with pytest.raises(InputError, match="channels=0 is not valid") as error:
            executor.next()
    assert error.value.render(lambda name: f"--{name}").startswith("--channels=0")


def is_running(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_close_ends_all_processes(tmp_path):
    executor = ProcessExecutor(recipe_in(tmp_path), ExecutionConfig(parallel=min(2, NUM_CORES)))
    for number in range(3):
        executor.submit(job(number, WAIT))
    while not list(tmp_path.glob(f"{WAIT}_*")):
        time.sleep(0.02)
    pids = executor.pids
    assert len(pids) == min(2, NUM_CORES)
    executor.close()
    assert not any(map(is_running, pids))
    executor.close()
    assert executor.pids == []


def test_a_process_that_cannot_start_says_why(tmp_path):
    with ProcessExecutor(recipe_in(tmp_path, dies=True), ExecutionConfig()) as executor:
        result = run(executor, [job(0, TRAIN)])[0]
    assert result.outcome == Failure("crashed", "its process ended with exit code 3: there is no device")


def test_a_disposable_process_ends_after_some_trials(tmp_path):
    with ProcessExecutor(recipe_in(tmp_path), ExecutionConfig(), is_disposable=True) as executor:
        run(executor, [job(number, TRAIN) for number in range(TRIALS_PER_PROCESS + 1)])
    pids = [beginnings(tmp_path, TRAIN, number)[0] for number in range(TRIALS_PER_PROCESS + 1)]
    assert len(set(pids[:-1])) == 1
    assert pids[-1] != pids[0]
    assert executor.pids == []


def test_processes_share_the_cores_and_the_gpus(monkeypatch):
    monkeypatch.setattr(processes.os, "sched_getaffinity", lambda pid: set(range(8)), raising=False)
    found = ProcessExecutor(None, ExecutionConfig(parallel=3))._environments
    assert [names["OMP_NUM_THREADS"] for names in found] == ["2"] * 3
    assert not any("CUDA_VISIBLE_DEVICES" in names for names in found)
    monkeypatch.setattr(processes.tf.config, "list_physical_devices", lambda kind: ["a", "b"])
    found = ProcessExecutor(None, ExecutionConfig(parallel=3))._environments
    assert [names["CUDA_VISIBLE_DEVICES"] for names in found] == ["0", "1", "0"]


def test_more_processes_than_cores_are_refused():
    with pytest.raises(InputError, match=rf"^parallel={NUM_CORES + 1} processes are more than the {NUM_CORES} core"):
        ProcessExecutor(None, ExecutionConfig(parallel=NUM_CORES + 1))


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", None], ids=["ends", "web", "silent"])
def test_an_address_of_something_else_is_refused_in_bounded_time(monkeypatch, answer):
    monkeypatch.setattr(ray_executor, "_PATIENCE", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve():
            connected = server.accept()[0]
            if answer is None:
                time.sleep(2)
            else:
                connected.sendall(answer)
            connected.close()

        thread = threading.Thread(target=serve)
        thread.start()
        address, begin = f"127.0.0.1:{server.getsockname()[1]}", time.monotonic()
        with pytest.raises(InputError, match=f"^ray_address={address} (is not the address of Ray|does not answer)"):
            ray_executor._check_answers(address)
        assert time.monotonic() - begin < 2
        thread.join()


@pytest.mark.parametrize("address", ["head", "head:", ":1", "head:0", "head:70000", "head:port"])
def test_an_address_without_a_port_is_refused(address):
    with pytest.raises(InputError, match=r"is not HOST:PORT: expected .*10\.0\.0\.1:6379"):
        ray_executor._check_answers(address)


def test_a_serial_executor_begins_when_it_is_asked(tmp_path):
    executor = SerialExecutor(recipe_in(tmp_path), ExecutionConfig())
    executor.submit(job(0, TRAIN))
    assert not list(tmp_path.glob("*"))
    executor.close()


def test_errors_of_input_survive_a_pipe():
    error = pickle.loads(pickle.dumps(InputError("batch_size=0")))
    assert isinstance(error, InputError)
    assert str(error) == "batch_size=0"


def test_a_worker_ends_with_the_driver(tmp_path):
    """Its pipe is closed and its parent is another one when the driver was killed."""
    executor = ProcessExecutor(recipe_in(tmp_path), ExecutionConfig())
    executor.submit(job(0, TRAIN))
    executor.next()
    process = executor._workers[0].process
    executor._workers[0].pipe.close()
    assert process.wait(20) == 0
    executor._workers[0] = None
