"""The files of a run as a search, its finalists, a retraining and an export leave them, without any training."""

import json
import math
from pathlib import Path

import numpy as np

from enas_tf.spaces.macro import MacroSpace

FLAGS = {
    "classification": ["--space=macro", "--num_layers=3", "--channels=4", "--epochs=3", "--retrain_epochs=16"],
    "trials": ["--space=macro", "--searcher=evolution", "--evaluator=scratch", "--num_layers=3", "--trials=4"],
    "language_modelling": ["--space=recurrent", "--cell_nodes=2", "--epochs=3"],
}
_PROBABILITIES = {f"layer_{layer}/op": [0.5, 0.1, 0.1, 0.1, 0.1, 0.1] for layer in (1, 2, 3)}
#: A name of a class that would be a part of the page, if it were not escaped, and more that a folder may be called.
CLASSES = ["<b>&\"'", "cat", "dög $x$"]
#: Numbers that stand nowhere else.
CHILD = {
    "test_accuracy": 0.7319,
    "test_loss": 0.8127,
    "parameters": 48_213,
    "flops": 1_297_373,
    "export_max_difference": 0.0,
    "arc": "layers: 0 3 0 0 1 0",
    "trained_on": "64 images of train",
    "epochs": 16,
    "input": {"shape": [8, 8, 1], "low": 0.0, "high": 16.0, "dtype": "float32"},
}


def write_run(path: Path, kind: str = "classification") -> Path:
    """Write the files of a finished run; return its directory."""
    (path / "child/saved_model").mkdir(parents=True)
    (path / "checkpoints/search").mkdir(parents=True)
    flags = "".join(f"{line}\n" for line in FLAGS[kind])
    for name in ("run.flags", "child/run.flags"):
        (path / name).write_text(flags)
    metric = "perplexity" if kind == "language_modelling" else "accuracy"
    (path / "environment.json").write_text(json.dumps(_environment(kind)))
    (path / "metrics.jsonl").write_text(_lines(_records(kind, metric)))
    if kind == "classification":
        (path / "policy.jsonl").write_text(_lines([{"epoch": epoch, **_PROBABILITIES} for epoch in range(3)]))
    child = CHILD | ({} if metric == "accuracy" else {"test_perplexity": 87.5, "input": {}})
    if metric == "perplexity":
        del child["test_accuracy"]
        (path / "child/sample.txt").write_text("the <unk> of the sample\n")
        (path / "candidates.csv").write_text("rank,arc,valid_perplexity,parameters,flops\n1,0 0 1,99.5,7,8\n")
    else:
        (path / "candidates.csv").write_text(_candidates(kind))
        (path / "child/confusion.csv").write_text(
            'class,predicted,images\n"<b>&""\'","<b>&""\'",7\n"<b>&""\'",cat,2\ncat,cat,5\ndög $x$,dög $x$,4\n'
        )
    (path / "child/metrics.json").write_text(json.dumps(child))
    (path / "child/child.keras").write_bytes(b"")
    if kind == "trials":
        (path / "trials.jsonl").write_text(_lines(_trials()))
    return path


def _lines(records: list[dict]) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)


def _environment(kind: str) -> dict:
    data = {"name": "mine", "images": {"train": 64, "valid": 32, "test": 18}, "image_shape": [8, 8, 1]}
    data |= {"class_names": CLASSES}
    if kind == "language_modelling":
        data = {"name": "prose", "tokens": "word", "vocab_size": 90, "num_tokens": {"training": 3000}}
    return {"enas_tf": "0.1", "packages": {"keras": "3.15"}, "devices": "CPU", "data": data, "commit": None}


def _records(kind: str, metric: str) -> list[dict]:
    records = [] if kind == "trials" else [_epoch("search", epoch, {metric: 0.5, "loss": 2.0}) for epoch in range(3)]
    learnt = [{"reward": reward, "entropy": 9.0 - reward, "ahead_of_uniform": 0.0} for reward in (0.25, 0.625, 0.5)]
    records += [_epoch("controller", epoch, numbers) for epoch, numbers in enumerate(learnt)]
    derived = {"num_candidates": 6, "tau_shared_1": 0.3125, "num_finalists": 4, "mean_place_of_random": 3.0}
    records.append(_epoch("derive", 0, derived))
    for epoch in range(2):
        # A loss that was no number is null there.
        loss = {"loss": None if epoch else 1.5, "valid_loss": 1.0}
        records.append(_epoch("retrain", epoch, {**loss, metric: 0.5, f"valid_{metric}": 0.25}))
    return records


def _epoch(phase: str, epoch: int, numbers: dict) -> dict:
    return {"phase": phase, "epoch": epoch, "time": 1000.0 + 60 * epoch, **numbers}


def _arcs() -> list[str]:
    space = MacroSpace(num_layers=3)
    rows = np.unique(space.random_tokens(20, np.random.default_rng(0)), axis=0)[:6]
    return [space.decode(row).to_arc() for row in rows]


def _candidates(kind: str) -> str:
    if kind == "trials":
        rows = [f"{rank},{arc},0.{9 - rank},1,{rank}00,{rank}0000" for rank, arc in enumerate(_arcs(), start=1)]
        return "\n".join(["rank,arc,valid_accuracy,epochs,parameters,flops", *rows, ""])
    trained = ["random,0.75,0.875", ",0.5,", "fewest FLOPs,0.25,", "random,nan,", ",,", ",,"]
    rows = [
        f"{rank},{arc},0.{10 + rank},{more},{rank}00,{rank}0000"
        for rank, (arc, more) in enumerate(zip(_arcs(), trained, strict=True), start=1)
    ]
    head = "rank,arc,valid_accuracy,control,valid_accuracy_1_epoch,valid_accuracy_4_epochs,parameters,flops"
    return "\n".join([head, *rows, ""])


def _trials() -> list[dict]:
    records: list[dict] = [{"about": {"space": "macro"}}]
    for number, arc in enumerate(_arcs()[:4]):
        trial = {"id": number, "status": "waiting", "arc": arc, "tokens": [0], "budgets": [1 + number % 2]}
        records.append({**trial, "purpose": "search", "parameters": 7, "flops": 8})
        if number == 1:
            records.append({"id": 1, "status": "failed", "kind": "diverged", "reason": "the loss is not a number"})
        elif number < 3:
            value = 0.5 - 0.25 * math.copysign(1, number - 1)
            records.append({"id": number, "status": "done", "value": value, "loss": 1.0, "curve": [], "seconds": 1.0})
    return records
