"""Devices of a run: determinism, the strategy of tf.distribute, joining a cluster, memory."""

import contextlib
import functools
import os
import resource
import subprocess
import sys
from collections.abc import Iterator

import keras
import tensorflow as tf

from enas_tf.errors import InputError, ref
from enas_tf.runtime import cluster
from enas_tf.runtime.cluster_config import find_cluster, joining_seconds


def configure_runtime(seed: int, is_deterministic: bool) -> None:
    """Set the global seeds, and deterministic kernels if wanted. Call it before anything is built.

    Without a GPU TensorFlow's graph optimizer is switched off, since it prolongs the first call of a supernet. On GPUs
    it stays on, since it chooses layouts there.
    """
    keras.utils.set_random_seed(seed)
    if is_deterministic:
        tf.config.experimental.enable_op_determinism()
    if not tf.config.list_physical_devices("GPU"):
        tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})


STRATEGIES = ("auto", "one_device", "mirrored", "multi_worker")


def build_strategy(name: str) -> tf.distribute.Strategy | None:
    """Return the strategy called `name`, one of `STRATEGIES`; None for one device.

    `auto` is multi_worker where TF_CONFIG or SLURM configures several processes, otherwise mirrored where there are
    several GPUs. Without a GPU, mirrored uses the logical CPU devices. Call it before TensorFlow creates any tensor.

    Raises:
        InputError: TF_CONFIG or a variable of SLURM is not valid, or multi_worker finds no other process.
    """
    if name == "one_device":
        return None
    resolver = None if name == "mirrored" else find_cluster()
    if name == "multi_worker" and resolver is None:
        raise InputError(
            f"{ref('strategy')}=multi_worker finds no other process: expected TF_CONFIG with a cluster of workers and "
            "this process's task, or a SLURM step of several tasks."
        )
    if resolver is not None:
        return _join_cluster(resolver)
    devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    is_mirrored = name == "mirrored" or (name == "auto" and devices[0].device_type == "GPU" and len(devices) > 1)
    return _mirrored(tuple(device.name for device in devices)) if is_mirrored else None


#: All processes have to join within this time.
_JOINING_SECONDS = 300
#: The program of the process that watches the joining: after some seconds it prints a message and kills its parent.
#: Arguments: the seconds, the message and the parent's process id.
_WATCH = """
import os, signal, sys, time
signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's.
seconds, message, parent = float(sys.argv[1]), sys.argv[2], int(sys.argv[3])
time.sleep(seconds)
if os.getppid() == parent:
    print(message, file=sys.stderr, flush=True)
    os.kill(parent, signal.SIGKILL)
"""


def _join_cluster(resolver) -> tf.distribute.Strategy:
    """Wait for the other processes, and return the strategy of all of them."""
    seconds = joining_seconds(_JOINING_SECONDS)
    workers = ", ".join(resolver.cluster_spec().as_dict()["worker"])
    message = (
        f"not all processes have come within {seconds:g} seconds: expected one at each of {workers}, which can reach "
        "each other. Check that all were started with the same command and options, and read the output of the others."
    )
    with _ended_after(seconds, message):
        strategy = tf.distribute.MultiWorkerMirroredStrategy(cluster_resolver=resolver)
        cluster.join(strategy)
    return strategy


@contextlib.contextmanager
def _ended_after(seconds: float, message: str) -> Iterator[None]:
    """Kill this process with `message` if the block takes longer than `seconds`.

    TensorFlow waits forever for the others, in a call during which neither threads nor signal handlers of Python run.
    """
    watch = subprocess.Popen([sys.executable, "-c", _WATCH, str(seconds), message, str(os.getpid())])
    try:
        yield
    finally:
        watch.kill()
        watch.wait()


@functools.cache
def _mirrored(devices: tuple[str, ...]) -> tf.distribute.Strategy:
    """Return the one strategy of this process: two would give equal numbers to different collective operations."""
    return tf.distribute.MirroredStrategy(devices)


def peak_memory() -> dict[str, float]:
    """Return the peak memory in GiB of each GPU, and of this process on the host including the data."""
    peaks = {"host": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20}  # In KiB on Linux.
    for gpu in tf.config.list_logical_devices("GPU"):
        name = gpu.name.removeprefix("/device:")
        peaks[name] = tf.config.experimental.get_memory_info(name)["peak"] / 2**30
    return peaks


def device_names(num_replicas: int = 1) -> str:
    """Return the devices that training runs on, in words."""
    if num_replicas > 1:
        processes = f" in {cluster.num_workers()} processes" if cluster.num_workers() > 1 else ""
        return f"{num_replicas} replicas{processes}: {device_names()}"
    gpus = tf.config.list_physical_devices("GPU")
    if not gpus:
        return f"CPU, {tf.config.threading.get_intra_op_parallelism_threads() or 'all'} threads"
    names = [tf.config.experimental.get_device_details(gpu).get("device_name", gpu.name) for gpu in gpus]
    return ", ".join(names)
