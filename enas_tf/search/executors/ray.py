"""The executor that trains trials on the machines of a Ray cluster, or of one that it starts on this machine."""

import dataclasses
import importlib.util
import logging
import math
import os
import socket
from pathlib import Path
from typing import Any

import enas_tf
from enas_tf.errors import InputError, count_of, ref
from enas_tf.options import Group, option, require, shorten
from enas_tf.registry import import_file
from enas_tf.search.executors.executor import EXECUTION, EXECUTORS, run_job
from enas_tf.search.executors.pool import Pool
from enas_tf.search.trials import Failure, Job, Result

#: Seconds within which a cluster has to answer.
_PATIENCE = 10.0


@dataclasses.dataclass(frozen=True)
class RayConfig:
    """The cluster, and what a trial takes of it."""

    ray_address: str | None = option(
        None, "HOST:PORT of the head of a Ray cluster; without it, one is started on this machine", decides=False
    )
    trial_cpus: float = option(1.0, "cores that Ray keeps for a trial", decides=False)
    trial_gpus: float = option(0.0, "GPUs that Ray keeps for a trial; 0.5 lets two share one", decides=False)

    def __post_init__(self):
        require(self.trial_cpus > 0, "trial_cpus", self.trial_cpus, "above 0")
        require(self.trial_gpus >= 0, "trial_gpus", self.trial_gpus, "0 or more")


RAY = Group(RayConfig(), stages=("search",))


class _Trainer:
    """A process of the cluster that trains trials, one after another.

    Args:
      imports: files of the user that are imported before the recipe is unpickled: it may hold what they define.
      recipes: a reference to the recipe, in a list: Ray would unpickle one that stands alone before all else.
    """

    def __init__(self, imports, recipes):
        import ray

        for path in imports:
            import_file(path)
        recipe = ray.get(recipes[0])
        self._runner = recipe.build(recipe)

    def train(self, job: Job) -> Result:
        """Train the trial of a job."""
        return run_job(self._runner, job)


@EXECUTORS.register("ray", [EXECUTION, RAY], help="on a Ray cluster, which is installed by pip install 'enas_tf[ray]'")
class RayExecutor(Pool):
    """Shares out jobs among actors of Ray. The recipe, with the data, is put into its object store once.

    Raises:
      InputError: Ray is not installed, the cluster does not answer, or it is too small.
    """

    attempts = 3

    def __init__(self, recipe, config, is_disposable=False, cluster: RayConfig | None = None):
        super().__init__(recipe, config, is_disposable)
        self.cluster = cluster or RayConfig()
        _check(self.cluster, config.parallel)
        self._ray = _connect(self.cluster)
        self._check_resources()
        self._recipe = self._ray.put(recipe)
        #: What Ray is at -> the place of its actor.
        self._places: dict[Any, int] = {}

    @classmethod
    def build(cls, recipe, config, is_disposable=False):
        return cls(recipe, config[EXECUTION], is_disposable, config[RAY])

    @classmethod
    def check(cls, config):
        _check(config[RAY], config[EXECUTION].parallel)

    def close(self):
        super().close()
        self._places.clear()
        if self._ray.is_initialized():
            self._ray.shutdown()

    def _check_resources(self) -> None:
        """Raise `InputError` when the cluster cannot hold all trials at once: Ray would wait for ever."""
        there, num = self._ray.cluster_resources(), self.config.parallel
        for name, option_name, each in (
            ("CPU", "trial_cpus", self.cluster.trial_cpus),
            ("GPU", "trial_gpus", self.cluster.trial_gpus),
        ):
            if each * num > there.get(name, 0.0):
                noun = {"CPU": "core", "GPU": "GPU"}[name]
                self._ray.shutdown()
                raise InputError(
                    f"{ref('parallel')}={num} trials of {ref(option_name)}={each:g} need {each * num:g} {noun}s, but "
                    f"the cluster has {count_of(int(there.get(name, 0)), noun)}: lower one of the two, or add machines."
                )

    def _begin(self, place, job):
        self._workers[place] = self._workers[place] or self._start_actor()
        self._places[self._workers[place].train.remote(job)] = place

    def _listen(self):
        for found in self._ray.wait(list(self._places), num_returns=1, timeout=0.5)[0]:
            self._take(found)

    def _end(self, workers):
        for actor in workers if self._ray.is_initialized() else ():
            self._ray.kill(actor)

    def _start_actor(self) -> Any:
        cores = str(max(1, int(self.cluster.trial_cpus)))
        # Workers on this machine find the package where this process has found it.
        path = os.pathsep.join(filter(None, [str(Path(enas_tf.__file__).parents[1]), os.environ.get("PYTHONPATH")]))
        variables = {"TF_NUM_INTRAOP_THREADS": cores, "OMP_NUM_THREADS": cores}
        if self.cluster.ray_address is None:
            variables["PYTHONPATH"] = path
        options = {"num_cpus": self.cluster.trial_cpus, "num_gpus": self.cluster.trial_gpus}
        remote = self._ray.remote(_Trainer).options(**options, runtime_env={"env_vars": variables})
        return remote.remote(self.recipe.imports, [self._recipe])

    def _take(self, found: Any) -> None:
        """Take a result, or note that its actor is lost."""
        place = self._places.pop(found)
        number, errors = self._jobs[place].number, self._ray.exceptions
        try:
            result = self._ray.get(found)
        except errors.RayError as error:
            cause = getattr(error, "cause", None)
            if isinstance(cause, InputError):
                raise cause from None
            if not isinstance(error, errors.RayTaskError):
                reason = shorten(str(error).strip().partition("\n")[0], 200)
                self._lose(place, f"it was lost {self.attempts} times: {reason}")
                return
            result = Result(number, Failure("crashed", shorten(str(cause), 200)))
        self._finish(place, result)


def _check(cluster: RayConfig, parallel: int) -> None:
    """Raise `InputError` where Ray is not installed, nothing answers at the address, or this machine is too small."""
    if importlib.util.find_spec("ray") is None:
        raise InputError(
            f"{ref('executor')}=ray needs Ray, which is not installed: run `pip install 'enas_tf[ray]'` (in a "
            f"clone: `pip install -e '.[ray]'`), or use {ref('executor')}=processes."
        )
    if cluster.ray_address is not None:
        _check_answers(cluster.ray_address)
        return
    cores, needed = os.cpu_count() or 1, math.ceil(cluster.trial_cpus * parallel)
    if needed > cores:
        raise InputError(
            f"{ref('parallel')}={parallel} trials of {ref('trial_cpus')}={cluster.trial_cpus:g} need {needed} "
            f"cores, but this machine has {count_of(cores, 'core')}: lower one of the two."
        )


def _connect(cluster: RayConfig) -> Any:
    """Join the cluster, or start one; return Ray."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    import ray  # Only a run on Ray needs it, and it takes a second to import.

    quiet: dict[str, Any] = {"logging_level": logging.ERROR, "log_to_driver": False}
    if cluster.ray_address is None:
        # "local": not a cluster of somebody else that runs on this machine.
        ray.init(address="local", num_cpus=os.cpu_count() or 1, include_dashboard=False, **quiet)
        return ray
    try:
        ray.init(address=cluster.ray_address, **quiet)
    except Exception as error:  # Ray raises many kinds.
        raise InputError(
            f"{ref('ray_address')}={shorten(cluster.ray_address)} cannot be joined: "
            f"{shorten(str(error).strip().partition(chr(10))[0], 200)} Expected the address of a head that "
            "`ray start --head` printed, with the same versions of Ray and Python."
        ) from error
    return ray


def _check_answers(address: str) -> None:
    """Raise `InputError` unless a server of gRPC answers at HOST:PORT; Ray itself would wait for minutes."""
    host, _, port = address.rpartition(":")
    problem = "is not HOST:PORT"
    if host and port.isdecimal() and 0 < int(port) < 2**16:
        try:
            with socket.create_connection((host.strip("[]"), int(port)), _PATIENCE) as found:
                if os.environ.get("RAY_USE_TLS", "0") != "0" or _is_grpc(found):
                    return
            problem = "is not the address of Ray"
        except OSError as error:
            problem = f"does not answer ({error.strerror or error})"
    raise InputError(
        f"{ref('ray_address')}={shorten(address)} {problem}: expected the address that `ray start --head` printed, "
        "such as 10.0.0.1:6379. Start the head, or correct the address."
    )


def _is_grpc(connected: socket.socket) -> bool:
    """Return whether the other end speaks HTTP/2, whose first frame is one of settings (RFC 9113, section 3.4)."""
    connected.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0]))
    received = b""
    while len(received) < 9:
        part = connected.recv(64)
        if not part:
            return False
        received += part
    return received[3] == 4
