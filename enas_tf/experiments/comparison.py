"""Several runs side by side: what each was, what it found, what it took."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from enas_tf.errors import InputError
from enas_tf.experiments.run_record import RunRecord
from enas_tf.options import shorten
from enas_tf.search.config import SEARCH
from enas_tf.search.evaluators.evaluator import EVALUATORS
from enas_tf.search.evaluators.scratch import SCRATCH

#: A row: column -> a text, a number, or None for what a run does not have.
Row = dict[str, Any]


def compare_runs(paths: Sequence[Path]) -> list[Row]:
    """Return a row for each run, the best test metric first; runs that were not tested come last.

    Raises:
      InputError: a directory is not that of a run, or a file of it is damaged.
    """
    rows = [row for _, row in sorted(map(_read, paths), key=lambda pair: pair[0])]
    # Runs of other tasks have other metrics.
    names = dict.fromkeys(name for row in rows for name in row)
    return [{name: row.get(name) for name in names} for row in rows]


def split_common(rows: Sequence[Row]) -> tuple[Row, list[Row]]:
    """Return what all rows agree in, and the rows with the columns in which they differ; a run keeps its name.

    What no row has is left out.
    """
    names = [name for name in rows[0] if any(row[name] is not None for row in rows)]
    common = {name: rows[0][name] for name in names[1:] if all(row[name] == rows[0][name] for row in rows)}
    return common, [{name: row[name] for name in names if name not in common} for row in rows]


def _open(path: Path) -> RunRecord:
    record = RunRecord(path)
    if not path.is_dir():
        raise InputError(
            f"{shorten(path)} is not a directory ({shorten(path.absolute(), 300)}): expected the directory of a run, "
            "as `python -m enas_tf.launch.search --workdir=...` leaves it. Correct the path."
        )
    if not record.workdir.run_flags.exists():
        raise InputError(
            f"{shorten(path)} holds no run.flags ({shorten(path.absolute(), 300)}): expected the directory of a run, "
            "as `python -m enas_tf.launch.search --workdir=...` leaves it. Name such a directory."
        )
    return record


def _read(path: Path) -> tuple[tuple[bool, str, float], Row]:
    """Return what a run is sorted by, and its row."""
    record = _open(path)
    try:
        return _merit(record), {"run": str(path), **_setting(record), **_found(record)}
    except InputError as error:
        if str(path.absolute()) in error.message:
            raise
        raise InputError(f"the run {path.absolute()} cannot be read: {error.message}") from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(
            f"a file of the run {path.absolute()} holds other values than a run writes ({type(error).__name__}: "
            f"{shorten(error)}): expected what the run has left there. Leave the run out, or restore the file."
        ) from error


def _setting(record: RunRecord) -> Row:
    options = record.options
    run, is_search = options.run, record.has_search
    has_trials = is_search and EVALUATORS[run.evaluator].has_trials
    return {
        "space": run.space,
        "data": record.environment.get("data", {}).get("name"),
        "searcher": run.searcher if is_search else None,
        "evaluator": run.evaluator if is_search else None,
        "epochs": options[SEARCH].epochs if is_search and not has_trials else None,
        "trials": options[SCRATCH].trials if has_trials else None,
        "child's epochs": record.child.get("epochs"),
        "seed": run.seed,
    }


def _found(record: RunRecord) -> Row:
    taus = {name: value for name, value in record.derived.items() if name.startswith("tau_shared_")}
    child = record.child
    return {
        "best reward": record.best_reward,
        "tau": next(iter(taus.values()), None),
        **{f"test {name.replace('_', ' ')}": child.get(f"test_{name}") for name in _metrics(record)},
        "parameters": child.get("parameters"),
        "FLOPs": child.get("flops"),
        "latency (ms)": child.get("latency_ms"),
        "minutes": None if record.minutes is None else round(record.minutes, 2),
    }


def _metrics(record: RunRecord) -> list[str]:
    """Return the metric of the task, and the one that its networks were judged by where that is another one."""
    options = record.child_options
    return list(dict.fromkeys([options.task.metric, options.task.judged_metric(options)]))


def _merit(record: RunRecord) -> tuple[bool, str, float]:
    """Return what runs are sorted by: runs of one task together, the best first, those without a test last."""
    task = record.child_options.task
    value = record.child.get(f"test_{_metrics(record)[-1]}")
    if not isinstance(value, int | float) or not math.isfinite(value):
        return True, task.name, 0.0
    return False, task.name, -value if task.is_higher_better else value
