"""One part of the measurements of one workload, in a process of its own.

    python -m benchmarks.worker PART WORKLOAD BEGUN [FLAGS]

The parts: start (from the start of the process, at the time BEGUN, to the first step; and memory), child (its memory),
steps, counts, trace, kernels (a profile), precision, loops, and size (for `benchmarks.scale`). FLAGS come after the
workload's. It prints a JSON object.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["KERAS_BACKEND"] = "tensorflow"

import contextlib
import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks import workloads
from benchmarks.parts import PARTS, measure_start
from benchmarks.workloads import Workload
from enas_tf.experiments.run import Run
from enas_tf.launch.flags import define_options, read_config


@contextlib.contextmanager
def open_run(workload: Workload, *more: str) -> Iterator[Run]:
    """Yield a run of the workload in a directory that goes with it."""
    define_options()
    with tempfile.TemporaryDirectory() as directory:
        workloads.parse(workload, Path(directory), *more)
        with Run(read_config(), Path(directory) / "run") as run:
            yield run


def main(part: str, name: str, begun: str, *more: str) -> None:
    """Measure one part and print it."""
    with open_run(workloads.find(name), *more) as run:
        print(json.dumps(measure_start(run, float(begun)) if part == "start" else PARTS[part](run)))


if __name__ == "__main__":
    main(*sys.argv[1:])
