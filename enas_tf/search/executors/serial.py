"""The executor that trains one trial after another, in the process of the search."""

import collections
import functools

from enas_tf.search.executors.executor import EXECUTION, EXECUTORS, Executor, run_job
from enas_tf.search.trials import Job, Result
from enas_tf.training.runners import Runner


@EXECUTORS.register("serial", [EXECUTION], help="one trial after another, in the process of the search")
class SerialExecutor(Executor):
    """Trains a job when its result is asked for."""

    def __init__(self, recipe, config, is_disposable=False):
        super().__init__(recipe, config, is_disposable)
        self._waiting: collections.deque[Job] = collections.deque()
        self._runner: Runner | None = None

    def submit(self, job):
        self._waiting.append(job)

    def next(self) -> Result:
        job = self._waiting.popleft()
        self.watcher.begin(job.number)
        if self._runner is None:
            self._runner = self.recipe.build(self.recipe)
        result = run_job(self._runner, job, functools.partial(self.watcher.advance, job.number))
        self.watcher.end(job.number)
        return result

    def close(self):
        self._waiting.clear()
        self._runner = None
