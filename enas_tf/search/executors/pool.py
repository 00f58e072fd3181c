"""What executors with several workers have in common: the jobs that wait, that are under way, and that were lost."""

import abc
import collections
from typing import Any, ClassVar

from enas_tf.search.executors.executor import Executor
from enas_tf.search.trials import Failure, Job, Result

#: After so many trials a process ends whose runner leaves memory behind: some 20 to 60 MB for each small Keras model.
#: To start a process takes longer than a small trial.
TRIALS_PER_PROCESS = 8


class Pool(Executor):
    """Shares out jobs among `parallel` workers, each of which is at one job at a time.

    A job whose worker is lost begins again with another one.
    """

    #: How often a trial is tried whose worker is lost.
    attempts: ClassVar[int]

    def __init__(self, recipe, config, is_disposable=False):
        super().__init__(recipe, config, is_disposable)
        #: None where no worker was started yet, or where it has ended.
        self._workers: list[Any] = [None] * config.parallel
        #: Place of a worker -> the number of trials that it has trained.
        self._num_trained: collections.Counter[int] = collections.Counter()
        #: Place of a worker -> the job that it is at.
        self._jobs: dict[int, Job] = {}
        self._waiting: collections.deque[Job] = collections.deque()
        self._lost: collections.Counter[int] = collections.Counter()
        self._done: collections.deque[Result] = collections.deque()

    @abc.abstractmethod
    def _begin(self, place: int, job: Job) -> None:
        """Give a job to the worker at `place`; start it if there is none."""

    @abc.abstractmethod
    def _listen(self) -> None:
        """Wait for what workers say, so shortly that a signal is heard."""

    @abc.abstractmethod
    def _end(self, workers: list[Any]) -> None:
        """End workers."""

    def submit(self, job):
        self._waiting.append(job)
        self._share_out()

    def next(self):
        while not self._done:
            self._listen()
            self._share_out()
        return self._done.popleft()

    def close(self):
        self._waiting.clear()
        self._jobs.clear()
        workers, self._workers = self._workers, [None] * len(self._workers)
        self._end([worker for worker in workers if worker])

    def _share_out(self) -> None:
        """Give waiting jobs to free workers."""
        for place in range(len(self._workers)):
            if self._waiting and place not in self._jobs:
                job = self._jobs[place] = self._waiting.popleft()
                self.watcher.begin(job.number)
                self._begin(place, job)

    def _finish(self, place: int, result: Result) -> None:
        """Take the result of the worker at `place`."""
        self.watcher.end(self._jobs.pop(place).number)
        self._done.append(result)
        self._num_trained[place] += 1
        if self.is_disposable and self._num_trained[place] == TRIALS_PER_PROCESS:
            self._end([self._workers[place]])
            self._drop(place)

    def _lose(self, place: int, reason: str) -> None:
        """Note that the worker at `place` is lost. Its job waits again, unless it was tried often enough."""
        job = self._jobs.pop(place)
        self._drop(place)
        self.watcher.end(job.number)
        self._lost[job.number] += 1
        if self._lost[job.number] < self.attempts:
            self._waiting.appendleft(job)
        else:
            self._done.append(Result(job.number, Failure("crashed", reason)))

    def _drop(self, place: int) -> None:
        """Forget the worker at `place`, which has ended; the next job starts another one."""
        self._workers[place] = None
        self._num_trained[place] = 0
