"""One of two processes of `test_steps.py`: searches for an epoch in some spaces and leaves what it has in a file.

Arguments: index of the process, first of two ports, path of the file, names of cases.
"""

import json
import os
import sys

os.environ["KERAS_BACKEND"] = "tensorflow"
INDEX, PORT, PATH, *NAMES = sys.argv[1:]
os.environ["TF_CONFIG"] = json.dumps(
    {
        "cluster": {"worker": [f"127.0.0.1:{PORT}", f"127.0.0.1:{int(PORT) + 1}"]},
        "task": {"type": "worker", "index": int(INDEX)},
    }
)

from enas_tf.runtime.devices import build_strategy, configure_runtime  # noqa: E402  The cluster is told first.

STRATEGY = build_strategy("auto")

import numpy as np  # noqa: E402

from enas_tf.runtime.replicas import Replicas  # noqa: E402
from tests.conformance.conftest import CASES  # noqa: E402
from tests.conformance.runs import Search, judge  # noqa: E402


def main() -> None:
    configure_runtime(seed=0, is_deterministic=True)
    found = {}
    for case in (case for case in CASES if case.name in NAMES):
        searched = Search(case, Replicas(STRATEGY, is_synchronized=True))
        found |= {f"{case.name}/{name}": value for name, value in judge(case, searched).items()}
    np.savez(PATH, **found)


if __name__ == "__main__":
    main()
