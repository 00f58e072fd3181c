"""Settings of every test: a quiet TensorFlow, the backend that enas_tf needs, and no graph optimizer, as in a run.

Launchers run within the test's process: as `python -m enas_tf.launch.NAME` does, without its seconds of import.
"""

import dataclasses
import gc
import os
import runpy
import signal
import socket
import sys
import warnings
from collections.abc import Callable

import pytest
from absl import flags

import enas_tf  # noqa: F401 (Before TensorFlow, as in a run: it says which kernels TensorFlow uses.)

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["KERAS_BACKEND"] = "tensorflow"


def pytest_configure(config):
    # A shell lets what it runs in the background ignore SIGINT; tests send it to themselves.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if config.getoption("numprocesses", None) and not hasattr(config, "workerinput"):
        return  # The process that hands out tests to others runs none.
    import keras
    import tensorflow as tf

    # For tests of several devices; it cannot be done once TensorFlow has started.
    (cpu,) = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    # Once: between two calls of a traced function it would clear TensorFlow's caches, at seconds a time.
    keras.utils.set_random_seed(0)

    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    # What has been imported stays: no collection of garbage has to go through it.
    gc.freeze()


def pytest_collection_modifyitems(items):
    """Put first what takes longest: of several processes, none has to wait long for the others at the end."""
    items.sort(key=lambda item: not item.nodeid.startswith(("tests/conformance/", "tests/stories/")))


#: Folders whose tests share a run that takes long.
SHARING = ("tests/launch", "tests/stories")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Give each process whole files, and whole folders of `SHARING`, in the order of the tests."""
    from xdist.scheduler import LoadFileScheduling

    class Scheduling(LoadFileScheduling):
        def _split_scope(self, nodeid):
            file = super()._split_scope(nodeid)
            folder = file.rpartition("/")[0]
            return folder if folder in SHARING else file

    config.option.loadscopereorder = False
    return Scheduling(config, log)


def forget_graphs() -> None:
    """Free the graphs that nothing uses any more.

    TensorFlow registers the gradient of every `tf.custom_gradient` in a graph for the life of the process, and with it
    the graph. A function that has been traced without its gradient cannot be differentiated afterwards.
    """
    from tensorflow.python.framework.ops import gradient_registry

    registered = gradient_registry._registry
    names = [name for name in registered if name.startswith("CustomGradient-")]
    for name in names:
        del registered[name]
    if names:
        gc.collect()


@pytest.fixture(autouse=True, scope="module")
def graphs_of_a_module():
    """Free the graphs of a module after its last test: those of all modules together take 10 GB."""
    yield
    forget_graphs()


@pytest.fixture
def graphs_of_a_test():
    """Free the graphs of a test that traces much, too."""
    yield
    forget_graphs()


@pytest.fixture
def own_flags():
    """The global flags, which forget afterwards what enas_tf defined and what was parsed."""
    yield flags.FLAGS
    for name in list(flags.FLAGS):
        if flags.FLAGS.find_module_defining_flag(name).startswith("enas_tf"):
            delattr(flags.FLAGS, name)


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How a launcher ended: exit code and what it printed."""

    code: int
    out: str
    err: str


@pytest.fixture
def launch(own_flags, monkeypatch, tmp_path, capsys) -> Callable[..., Outcome]:
    """`launch("search", "--seed=1")`, once per test, in the directory `tmp_path`."""
    import tensorflow as tf

    monkeypatch.chdir(tmp_path)
    # It cannot be taken back, and would be on for all tests that follow.
    monkeypatch.setattr(tf.config.experimental, "enable_op_determinism", lambda: None)

    def run(name: str, *arguments: str) -> Outcome:
        module = f"enas_tf.launch.{name}"
        monkeypatch.setattr(sys, "argv", [module, *arguments])
        with warnings.catch_warnings(), pytest.raises(SystemExit) as ended:  # noqa: PT012
            # A launcher that another test has imported is run anew all the same.
            warnings.filterwarnings("ignore", "'enas_tf.launch", RuntimeWarning)
            runpy.run_module(module, run_name="__main__")
        return Outcome(ended.value.code or 0, *capsys.readouterr())

    return run


@pytest.fixture(autouse=True, scope="session")
def pages_without_pictures():
    """Runs of tests in this process write a page that is empty: a real one takes as long as some of these runs.

    Tests of the page draw it themselves, and so do the runs of the stories, which are processes of their own.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("enas_tf.experiments.report.to_report", lambda path: "")
        yield


@pytest.fixture(scope="session")
def unused_ports() -> tuple[int, int]:
    """Two neighbouring ports that are free just now."""
    # Processes that run tests at the same time begin at different numbers.
    for port in range(10_000 + 2 * (os.getpid() % 5_000), 60_000, 2):
        try:
            for number in (port, port + 1):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", number))
        except OSError:
            continue
        return port, port + 1
    raise OSError("no two ports are free")
