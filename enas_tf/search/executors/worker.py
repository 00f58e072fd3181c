"""The program of a worker process: it trains the trials that come through a pipe, and sends their results back.

First come the files of the user that are imported, then a recipe, then jobs. The worker ends with its parent.
"""

import os
import signal
import threading
import time
from multiprocessing.connection import Connection

from enas_tf.errors import InputError
from enas_tf.registry import import_file
from enas_tf.search.executors.executor import run_job


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
        runner = recipe.build(recipe)
        while True:
            pipe.send(run_job(runner, pipe.recv()))
    except InputError as error:
        pipe.send(error)
    except EOFError:
        pass


def _end_with(parent: int) -> None:
    """End this process when its parent has gone."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)
