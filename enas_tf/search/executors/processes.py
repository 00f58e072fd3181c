"""The executor that trains trials in processes of this machine."""

import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
from multiprocessing import connection
from typing import IO

import tensorflow as tf

from enas_tf.errors import InputError, count_of, ref
from enas_tf.search.executors.executor import EXECUTION, EXECUTORS, Recipe
from enas_tf.search.executors.pool import Pool
from enas_tf.search.trials import Job

#: How long a process may take to end when it is told to, in seconds.
_PATIENCE = 5.0
#: What a process runs. It finds modules where this one does, also those of a recipe and of a clone.
_PROGRAM = """
import sys
sys.path[:] = sys.argv[2:]
from enas_tf.runtime.light_imports import import_keras_lightly
import_keras_lightly()
from enas_tf.search.executors.worker import main
main(int(sys.argv[1]))
"""


class _Worker:
    """A process that trains trials.

    Args:
      recipe: what it trains by.
      environment: variables that decide its threads and its GPU.
    """

    def __init__(self, recipe: Recipe, environment: dict[str, str]):
        self._recipe: Recipe | None = recipe
        self.pipe, end = multiprocessing.Pipe()
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  It lives as long as the worker.
        self.process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, str(end.fileno()), *sys.path],
            pass_fds=[end.fileno()],
            env=os.environ | environment,
            stdin=subprocess.DEVNULL,
            stdout=self._errors,
            stderr=self._errors,
        )
        end.close()

    def begin(self, job: Job) -> None:
        """Send a job; raise `OSError` when the process has gone."""
        if self._recipe is not None:
            # First, so that the process knows what a pickled recipe may be made of.
            self.pipe.send(self._recipe.imports)
            self.pipe.send(self._recipe)
            self._recipe = None
        self.pipe.send(job)

    def stop(self) -> None:
        """Tell the process to end."""
        self.pipe.close()
        if self.process.poll() is None:
            self.process.terminate()

    def end(self) -> str:
        """Wait until the process has ended; return how it ended, with the last line that it printed."""
        self.pipe.close()
        try:
            code = self.process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        self._errors.close()
        how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        return f"its process ended with {how}{f': {lines[-1][:200]}' if lines and code >= 0 else ''}"


@EXECUTORS.register("processes", [EXECUTION], help="as many at once as parallel says, in processes of this machine")
class ProcessExecutor(Pool):
    """Shares out jobs among worker processes, threads and GPUs among these.

    Raises:
      InputError: there are fewer cores than workers.
    """

    attempts = 2

    def __init__(self, recipe, config, is_disposable=False):
        super().__init__(recipe, config, is_disposable)
        num, cores = config.parallel, _count_cores(config.parallel)
        gpus = len(tf.config.list_physical_devices("GPU"))
        threads = {"TF_NUM_INTRAOP_THREADS": str(max(1, cores // num)), "OMP_NUM_THREADS": str(max(1, cores // num))}
        self._environments = [
            threads | ({"CUDA_VISIBLE_DEVICES": str(place % gpus)} if gpus else {}) for place in range(num)
        ]

    @classmethod
    def check(cls, config):
        _count_cores(config[EXECUTION].parallel)

    @property
    def pids(self) -> list[int]:
        """The ids of the processes that are at a job."""
        return [self._workers[place].process.pid for place in self._jobs]

    def _begin(self, place, job):
        try:
            self._workers[place] = self._workers[place] or _Worker(self.recipe, self._environments[place])
            self._workers[place].begin(job)
        except OSError:
            self._lose_process(place)

    def _listen(self):
        busy = {self._workers[place].pipe: place for place in self._jobs}
        for pipe in connection.wait(list(busy), timeout=0.5):
            self._take(busy[pipe])

    def _end(self, workers):
        for worker in workers:
            worker.stop()
        for worker in workers:
            worker.end()

    def _take(self, place: int) -> None:
        """Take what the worker at `place` has sent, or note that it has gone."""
        try:
            found = self._workers[place].pipe.recv()
        except (EOFError, OSError):
            self._lose_process(place)
            return
        if isinstance(found, InputError):
            raise found
        if isinstance(found, float):
            self.watcher.advance(self._jobs[place].number, found)
        else:
            self._finish(place, found)

    def _lose_process(self, place: int) -> None:
        worker = self._workers[place]
        self._lose(place, worker.end() if worker else "its process could not be started")


def _count_cores(num: int) -> int:
    """Return the number of cores; raise `InputError` where there are fewer than `num`."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if num > cores:
        raise InputError(
            f"{ref('parallel')}={num} processes are more than the {count_of(cores, 'core')} of this machine: "
            f"expected at most {cores}."
        )
    return cores
