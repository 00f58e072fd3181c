"""The retraining of the best few candidates, each in a directory of its own, and which of them is best."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

from enas_tf.errors import InputError, ref
from enas_tf.experiments.report import write_report
from enas_tf.experiments.retrain_stage import RetrainStage
from enas_tf.experiments.run import Run
from enas_tf.experiments.tables import to_csv
from enas_tf.experiments.workdir import Workdir
from enas_tf.runtime.files import write_text
from enas_tf.spaces.architectures import read_architecture
from enas_tf.training.child import INHERIT


def retrain_top(run: Run, num: int, is_overwriting: bool, then: Callable[[Run], object] = lambda run: None) -> Path:
    """Retrain the best `num` candidates of a run; return the directory of the best child by the validation part.

    The child of rank k is in the directory child_k, which is a run of its own. `children.csv` has all of them.

    Args:
      run: the run that has derived candidates.
      num: how many.
      is_overwriting: whether children that are there are trained anew.
      then: what is done after each retraining.

    Raises:
      InputError: there are fewer candidates.
    """
    _check_top(run, num)
    space = run.space.name
    architectures = [read_architecture(f"{run.workdir.candidates}#{rank}", space) for rank in range(1, num + 1)]
    rows = []
    for rank, architecture in enumerate(architectures, start=1):
        with beside(run, run.workdir.path / f"child_{rank}") as own:
            own.reporter.say(f"retrain: candidate {rank} of {num}, in {own.workdir}")
            stage = RetrainStage(own, architecture)
            stage.open(is_overwriting)
            tested = stage.retrain()
            write_report(own)
            then(own)
            rows.append({"rank": rank, **_columns(run, tested)})
    write_text(run.workdir.children, to_csv(rows))
    write_report(run)
    return _say_best(run, rows)


def _check_top(run: Run, num: int) -> None:
    """Raise `InputError` where the best `num` candidates cannot be retrained."""
    if num < 1:
        raise InputError(f"{ref('top')}={num} is not valid: expected at least 1.")
    if not run.workdir.candidates.exists():
        raise InputError(
            f"{run.workdir} holds no candidates.csv: expected that of a search. `python -m enas_tf.launch.search` or "
            "`python -m enas_tf.launch.derive` leaves it."
        )
    if run.config[INHERIT].inherit:
        raise InputError(
            f"{ref('inherit')} is for one child: leave out {ref('top')}, and name it by {ref('architecture')}="
            "DIR/candidates.csv#3, say."
        )


def beside(run: Run, workdir: Path) -> Run:
    """Return the same run with another directory; data and devices are shared."""
    other = copy.copy(run)
    other.workdir, other._lock = Workdir(workdir), None
    other.__dict__.pop("reporter", None)
    return other


def _columns(run: Run, measured: dict[str, Any]) -> dict[str, Any]:
    """Return the columns of a child; it has no validation metric where it was trained on that part."""
    valid = [name for name in (f"valid_{run.task.judged_metric(run.config)}",) if name in measured]
    tested = [name for name in measured if name.startswith("test_") and name != "test_loss"]
    return {name: measured[name] for name in (*valid, *tested, "parameters", "flops", "arc")}


def _say_best(run: Run, rows: list[dict[str, Any]]) -> Path:
    """Print all children, and say which is best; return its directory."""
    name = f"valid_{run.task.judged_metric(run.config)}"
    shown = {
        f"child_{row['rank']}": ", ".join(
            f"{key} {value:.4f}"
            for key, value in row.items()
            if key.startswith(("valid_", "test_")) and value is not None
        )
        for row in rows
    }
    run.reporter.block("children", shown)
    known = [row for row in rows if row.get(name) is not None]
    if not known:
        run.reporter.say(
            f"children: they were trained on the validation part ({ref('train_on')}), so none is called the best by it"
        )
        return run.workdir.path / "child_1"
    best = (max if run.task.is_higher_better else min)(known, key=lambda row: row[name])
    place = run.workdir.path / f"child_{best['rank']}"
    run.reporter.say(f"children: {place} is the best by {name.replace('_', ' ')}, {best[name]:.4f}")
    return place
