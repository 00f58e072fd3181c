"""The processes of a run as TF_CONFIG or SLURM names them, checked before TensorFlow waits for them."""

import collections
import json
import os
import re
from typing import Any

import tensorflow as tf

from enas_tf.errors import InputError
from enas_tf.options import shorten

Resolver = tf.distribute.cluster_resolver.ClusterResolver
#: A name, an IPv4 address, or an IPv6 address in brackets; then a port.
_ADDRESS = re.compile(r"(?:[A-Za-z0-9_.-]{1,255}|\[[0-9A-Fa-f:.]{2,64}\]):([0-9]{1,5})")
_SLURM_VARIABLES = ("SLURM_PROCID", "SLURM_STEP_NUM_TASKS", "SLURM_STEP_NODELIST", "SLURM_STEP_TASKS_PER_NODE")


def find_cluster() -> Resolver | None:
    """Return the processes that TF_CONFIG or SLURM configures; None if this process is alone.

    Raises:
      InputError: the variables are not valid.
    """
    if _count_configured(os.environ.get("TF_CONFIG") or "{}") > 1:
        return tf.distribute.cluster_resolver.TFConfigClusterResolver()
    return _find_slurm()


def joining_seconds(default: float) -> float:
    """Return the time that all processes have to join; raise `InputError` when its variable is no such number."""
    text = os.environ.get("ENAS_TF_JOINING_SECONDS", str(default))
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0
    if not 0 < seconds < 10**6:
        raise InputError(f"ENAS_TF_JOINING_SECONDS={shorten(text)} is not valid: expected a number of seconds above 0.")
    return seconds


def _count_configured(text: str) -> int:
    """Return the number of processes in the text of TF_CONFIG; raise `InputError` if it is not valid."""
    try:
        config = json.loads(text)
        jobs = config.get("cluster", {})
        if not all(isinstance(addresses, list) for addresses in jobs.values()):
            raise TypeError("the addresses of a job are no list")
        count = sum(map(len, jobs.values()))
        if count > 1:
            _check_jobs(jobs, config["task"])
        return count
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(
            f"TF_CONFIG={shorten(text, 200)} is not valid ({type(error).__name__}: {shorten(error, 200)}): expected "
            '{"cluster": {"worker": ["host:port", ...]}, "task": {"type": "worker", "index": 0}}, where the index is '
            "that of this process among the workers."
        ) from error


def _check_jobs(jobs: dict[str, list], task: dict[str, Any]) -> None:
    """Raise `ValueError` unless all processes are workers at different addresses, and `task` is one of them."""
    if set(jobs) != {"worker"}:
        raise ValueError(f"the cluster has the jobs {', '.join(jobs)}")
    _check_addresses(jobs["worker"])
    index = task["index"]
    is_index = not isinstance(index, bool | float) and 0 <= int(index) < len(jobs["worker"])
    if task["type"] != "worker" or not is_index:
        raise ValueError(f"the task is {task}")


def _check_addresses(addresses: list[str]) -> None:
    """Raise `ValueError` unless each of `addresses` is a host and a port, and none is there twice."""
    for address in addresses:
        match = _ADDRESS.fullmatch(address) if isinstance(address, str) else None
        if match is None or not 1 <= int(match[1]) <= 65_535:
            raise ValueError(f"{address!r} is no host:port with a port of 1..65535")
    ((address, times),) = collections.Counter(addresses).most_common(1)
    if times > 1:
        raise ValueError(f"{address!r} is there {times} times")


def _find_slurm() -> Resolver | None:
    """Return the processes of the SLURM step; None if this process is alone, or in none."""
    try:
        if int(os.environ.get("SLURM_STEP_NUM_TASKS", "1")) <= 1:
            return None
        resolver = tf.distribute.cluster_resolver.SlurmClusterResolver()
        addresses = resolver.cluster_spec().as_dict()["worker"]
        _check_addresses(addresses)
        if resolver.task_id is None:
            raise ValueError(f"it has no task of that number among {len(addresses)}")
        return resolver
    except Exception as error:  # TensorFlow raises what it stumbles over.
        given = {name: os.environ[name] for name in _SLURM_VARIABLES if name in os.environ}
        listed = ", ".join(f"{name}={shorten(value)}" for name, value in given.items())
        raise InputError(
            f"the SLURM step cannot be joined ({type(error).__name__}: {shorten(error, 200)}) with {listed}: expected "
            "the variables as srun sets them, in a step of several tasks. Start the run with srun, set TF_CONFIG, or "
            "unset SLURM_STEP_NUM_TASKS to run alone."
        ) from error
