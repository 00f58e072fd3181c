"""One of two processes of `test_workers.py`: searches for an epoch in every space and leaves what it has in a file.

Arguments: index of the process (none: it is alone), first of two ports, path of the file.
"""

import json
import os
import sys

os.environ["KERAS_BACKEND"] = "tensorflow"
INDEX, PORT, PATH = sys.argv[1], int(sys.argv[2]), sys.argv[3]
if INDEX:
    workers = [f"127.0.0.1:{PORT}", f"127.0.0.1:{PORT + 1}"]
    os.environ["TF_CONFIG"] = json.dumps(
        {"cluster": {"worker": workers}, "task": {"type": "worker", "index": int(INDEX)}}
    )

from enas_tf.runtime.devices import build_strategy, configure_runtime  # noqa: E402  The cluster is told first.

STRATEGY = build_strategy("auto")

import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402
from conftest import CASES, FIRST  # noqa: E402
from test_replicas import make_evaluator  # noqa: E402

from enas_tf.runtime.replicas import Replicas  # noqa: E402
from enas_tf.search.searchers.reinforce import ReinforceSearcher  # noqa: E402


def main() -> None:
    configure_runtime(seed=0, is_deterministic=True)
    found = {}
    for case in (case for case in CASES if case.name in FIRST):
        evaluator, searcher = make_evaluator(case, Replicas(STRATEGY, is_synchronized=True)), None
        searcher = ReinforceSearcher(case.tiny)
        evaluator.start(0)
        means = evaluator.prepare(searcher, 0)
        tokens = case.tiny.random_tokens(3, np.random.default_rng(2))
        rewards = evaluator.evaluate(tf.constant(tokens))
        searcher.update(tf.constant(tokens), rewards)
        found[f"{case.name}/loss"] = means["loss"]
        found[f"{case.name}/rewards"] = rewards.numpy()
        found[f"{case.name}/score"] = evaluator.score(tokens[0])
        for kind, layer in (("supernet", evaluator.problem.supernet), ("controller", searcher.controller)):
            for number, weight in enumerate(layer.trainable_variables):
                found[f"{case.name}/{kind}/{number}"] = weight.numpy()
    np.savez(PATH, **found)


if __name__ == "__main__":
    main()
