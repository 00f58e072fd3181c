"""The program of a worker process: it trains the trials that come through a pipe, and sends their results back.

First come the files of the user that are imported, then a recipe, then jobs. Before each result it sends, now and then,
how many epochs of the trial are done, as floats. The worker ends with its parent.
"""

import os
import select
import signal
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection

from enas_tf.errors import InputError
from enas_tf.registry import import_file
from enas_tf.search.executors.executor import run_job

#: Seconds from one message about the epochs that are done to the next.
_INTERVAL = 0.5


def main(descriptor: int) -> None:
    """Build a runner, and train what comes.

    Args:
      descriptor: the number of this process's end of the pipe.
    """
    parent = os.getppid()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's, who ends this process.
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    pipe = Connection(descriptor)
    try:
        for path in pipe.recv():
            import_file(path)
        recipe = pipe.recv()
        runner, tell = recipe.build(recipe), _teller(pipe)
        while True:
            pipe.send(run_job(runner, pipe.recv(), tell))
    except InputError as error:
        pipe.send(error)
    except EOFError:
        pass


def _teller(pipe: Connection) -> Callable[[float], None]:
    """Return a function that sends how many epochs are done, unless it did so just now."""
    last, free = time.monotonic(), select.poll()
    free.register(pipe.fileno(), select.POLLOUT)

    def tell(epochs: float) -> None:
        nonlocal last
        # A parent that is busy reads nothing: training does not wait until the pipe has room.
        if time.monotonic() - last >= _INTERVAL and free.poll(0):
            last = time.monotonic()
            pipe.send(epochs)

    return tell


def _end_with(parent: int) -> None:
    """End this process when its parent has gone."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)
