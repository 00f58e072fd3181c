"""python -m benchmarks.fingerprints [--json=FILE] [--against=FILE] [--space=NAME ...]

Runs a short deterministic search, derivation, retraining and export of each space and prints a hash of everything that
it computes: the architecture, the candidates, the metrics, the searched weights and the child's. Two versions of the
code that compute the same on one machine print the same hashes. It reads the command line and the files of a run only,
so that it outlives any change of the code.
"""

import argparse
import csv
import hashlib
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

#: What makes a quickstart short enough to be repeated at will.
RUNS = {
    "macro": ["--flagfile=flags/digits_macro.flags", "--limit_train=256"],
    "micro": ["--flagfile=flags/digits_micro.flags", "--limit_train=256"],
    "recurrent": ["--flagfile=flags/pydoc_recurrent.flags", "--limit_train=4000"],
}
SHARED = [
    "--deterministic",
    "--epochs=2",
    "--updates_per_epoch=3",
    "--derive_samples=12",
    "--finalists=0",
    "--retrain_epochs=2",
    "--then=retrain,export",
]
#: Numbers of the clock, not of the computation.
_TIMES = ("time", "images_per_second", "tokens_per_second", "rewards_per_second")


def fingerprint(space: str) -> dict[str, str]:
    """Return name -> hash for one short run of `space`."""
    with tempfile.TemporaryDirectory() as directory:
        command = [sys.executable, "-m", "enas_tf.launch.search", *RUNS[space], *SHARED, f"--workdir={directory}/run"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        return _hash_run(Path(directory) / "run")


def _hash_run(run: Path) -> dict[str, str]:
    architecture = json.loads((run / "architecture.json").read_text())
    child = json.loads((run / "child/metrics.json").read_text())
    return {
        "arc": _hash(architecture["arc"]),
        "candidates": _hash(_read_candidates(run / "candidates.csv")),
        "metrics": _hash(_read_metrics(run / "metrics.jsonl")),
        "child metrics": _hash({name: child[name] for name in sorted(child) if name.startswith("test_")}),
        "searched weights": _hash_checkpoint(run / "checkpoints/search"),
        "retrained weights": _hash_checkpoint(run / "checkpoints/retrain"),
        "SavedModel": _hash_checkpoint(run / "child/saved_model/variables", "variables"),
    }


def _read_candidates(path: Path) -> list[list[str]]:
    """Return the metric, parameters and FLOPs of every candidate, whatever else a row says."""
    rows = list(csv.DictReader(path.open()))
    return [[value for name, value in row.items() if name not in ("rank", "tokens", "arc")] for row in rows]


def _read_metrics(path: Path) -> list[dict]:
    records = [json.loads(line) for line in path.read_text().splitlines()]
    return [{name: record[name] for name in sorted(record) if name not in _TIMES} for record in records]


def _hash_checkpoint(directory: Path, name: str | None = None) -> str:
    """Hash the floating-point arrays of a checkpoint, in an order that does not depend on their names."""
    import tensorflow as tf

    path = str(directory / name) if name else tf.train.latest_checkpoint(str(directory))
    reader = tf.train.load_checkpoint(path)
    arrays = [reader.get_tensor(key) for key in reader.get_variable_to_shape_map() if "VARIABLE_VALUE" in key]
    hashes = sorted(hashlib.sha256(array.tobytes()).hexdigest() for array in arrays if array.dtype == np.float32)
    return _hash(hashes)


def _hash(value) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()[:16]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--space", action="append", choices=list(RUNS), help="of these spaces; default: all")
    parser.add_argument("--json", type=Path, help="also write the hashes to this file")
    parser.add_argument("--against", type=Path, help="compare with the hashes in this file; exit 1 where they differ")
    arguments = parser.parse_args()
    found = {space: fingerprint(space) for space in arguments.space or RUNS}
    before = json.loads(arguments.against.read_text()) if arguments.against else {}
    for space, hashes in found.items():
        for name, value in hashes.items():
            old = before.get(space, {}).get(name)
            verdict = "" if old is None else "  equal" if old == value else f"  DIFFERS from {old}"
            print(f"{space:<10}  {name:<18}  {value}{verdict}")
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=1) + "\n")
    if any(before.get(space, hashes) != hashes for space, hashes in found.items()):
        sys.exit(1)


if __name__ == "__main__":
    main()
