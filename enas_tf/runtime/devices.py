"""The runtime: seeds, determinism, and what TensorFlow is told about this machine."""

import contextlib
import functools
import json
import os
import resource
import subprocess
import sys
from collections.abc import Iterator

import keras
import tensorflow as tf

from enas_tf.errors import InputError
from enas_tf.runtime import cluster


def configure_runtime(seed: int, is_deterministic: bool) -> None:
    """Sets the global seeds and, when asked, deterministic kernels. Call it before anything is built.

    On a CPU TensorFlow's graph optimizer is switched off: it lengthens a supernet's first call. On GPUs
    it stays, since it chooses layouts there.
    """
    keras.utils.set_random_seed(seed)
    if is_deterministic:
        tf.config.experimental.enable_op_determinism()
    if not tf.config.list_physical_devices("GPU"):
        tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})


STRATEGIES = ("auto", "one_device", "mirrored", "multi_worker")


def build_strategy(name: str) -> tf.distribute.Strategy | None:
    """The strategy called `name`, one of `STRATEGIES`; None = one device. Call it before TensorFlow has done anything.

    auto is multi_worker where TF_CONFIG or SLURM tells of several processes, else mirrored where there are several
    GPUs. Without a GPU, mirrored takes the logical CPU devices there are.
    """
    if name == "one_device":
        return None
    resolver = None if name == "mirrored" else _find_cluster()
    if name == "multi_worker" and resolver is None:
        raise InputError(
            "--strategy=multi_worker finds no other process: expected TF_CONFIG with a cluster of workers and this "
            "process's task, or a SLURM step of several tasks."
        )
    if resolver is not None:
        return _join_cluster(resolver)
    devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    is_mirrored = name == "mirrored" or (name == "auto" and devices[0].device_type == "GPU" and len(devices) > 1)
    return _mirrored(tuple(device.name for device in devices)) if is_mirrored else None


def _find_cluster() -> tf.distribute.cluster_resolver.ClusterResolver | None:
    """The processes that this one is told of; None when it is alone."""
    if _count_configured(os.environ.get("TF_CONFIG") or "{}") > 1:
        return tf.distribute.cluster_resolver.TFConfigClusterResolver()
    if int(os.environ.get("SLURM_STEP_NUM_TASKS", "1")) > 1:
        return tf.distribute.cluster_resolver.SlurmClusterResolver()
    return None


#: A process that has not come by then is missed.
_JOINING_SECONDS = 300
#: Of the process that watches over the joining: seconds, what it then says, and whom it ends, if that is still there.
_WATCH = """
import os, signal, sys, time
seconds, message, parent = float(sys.argv[1]), sys.argv[2], int(sys.argv[3])
time.sleep(seconds)
if os.getppid() == parent:
    print(message, file=sys.stderr, flush=True)
    os.kill(parent, signal.SIGKILL)
"""


def _count_configured(text: str) -> int:
    """The number of workers that TF_CONFIG, `text`, names; raises `InputError` for what is not such a text."""
    try:
        config = json.loads(text)
        workers = config.get("cluster", {}).get("worker", [])
        if workers and not (config["task"]["type"] == "worker" and 0 <= int(config["task"]["index"]) < len(workers)):
            raise ValueError(f"the task is {config['task']}")
        return len(workers)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"TF_CONFIG={text!r} is not valid ({type(error).__name__}: {error}): expected "
            '{"cluster": {"worker": ["host:port", ...]}, "task": {"type": "worker", "index": 0}}, where the index says '
            "which of the workers this process is."
        ) from error


def _join_cluster(resolver) -> tf.distribute.Strategy:
    seconds = os.environ.get("ENAS_TF_JOINING_SECONDS", str(_JOINING_SECONDS))
    workers = ", ".join(resolver.cluster_spec().as_dict()["worker"])
    message = (
        f"not all processes have come within {seconds} seconds: expected one at each of {workers}, which reach each "
        "other. Look whether all were started with the same command and flags, and what the others say."
    )
    with _ended_after(seconds, message):
        strategy = tf.distribute.MultiWorkerMirroredStrategy(cluster_resolver=resolver)
        cluster.join(strategy)
    return strategy


@contextlib.contextmanager
def _ended_after(seconds: str, message: str) -> Iterator[None]:
    """Kills this process when what is within takes longer.

    TensorFlow waits for the others for ever, within a call that lets neither threads nor signal handlers of Python run.
    """
    watch = subprocess.Popen([sys.executable, "-c", _WATCH, seconds, message, str(os.getpid())])
    try:
        yield
    finally:
        watch.kill()
        watch.wait()


@functools.cache
def _mirrored(devices: tuple[str, ...]) -> tf.distribute.Strategy:
    """One per process: two would number their collective operations alike, and mix them up."""
    return tf.distribute.MirroredStrategy(devices)


def peak_memory() -> dict[str, float]:
    """Largest memory so far in GiB: of each GPU, and of the process on the host, the data included."""
    peaks = {"host": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20}  # In KiB on Linux.
    for gpu in tf.config.list_logical_devices("GPU"):
        name = gpu.name.removeprefix("/device:")
        peaks[name] = tf.config.experimental.get_memory_info(name)["peak"] / 2**30
    return peaks


def device_names(num_replicas: int = 1) -> str:
    """The devices that training runs on, in words."""
    if num_replicas > 1:
        processes = f" in {cluster.num_workers()} processes" if cluster.num_workers() > 1 else ""
        return f"{num_replicas} replicas{processes}: {device_names()}"
    gpus = tf.config.list_physical_devices("GPU")
    if not gpus:
        return f"CPU, {tf.config.threading.get_intra_op_parallelism_threads() or 'all'} threads"
    names = [tf.config.experimental.get_device_details(gpu).get("device_name", gpu.name) for gpu in gpus]
    return ", ".join(names)
