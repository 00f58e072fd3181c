"""What a stage has recorded of its data, so that data which have changed since are noticed by every later one."""

from typing import Any

from enas_tf.data.fingerprint import differences
from enas_tf.errors import InputError, ref
from enas_tf.experiments.run import Run
from enas_tf.experiments.workdir import Workdir
from enas_tf.reading import read_json
from enas_tf.runtime.files import write_json


def check_data(run: Run, stage: str) -> None:
    """Compare the data of a run with those that `stage` was begun with in its workdir.

    A run that asks for other data, by other options, is not compared: it means what it says.

    Raises:
      InputError: the same options give other data now; the message names what has changed.
    """
    path = run.workdir.checkpoints(stage) / "data.json"
    if not path.exists() or not _is_same_source(run, stage):
        return
    cure = f"Start anew with {ref('overwrite')}, or restore the file from a copy."
    found = differences(read_json(path, f"the record of the data of the {stage}", cure), run.task.fingerprint(run.data))
    if found:
        raise InputError(
            f"the data have changed since the {stage} in {run.workdir} began. {' '.join(found)} Restore the data, "
            f"choose another {ref('workdir')}, or {stage} anew with {ref('overwrite')}."
        )


def record_data(run: Run, stage: str) -> None:
    """Write down the data that `stage` is begun with, and keep those that a program has given."""
    path = run.workdir.checkpoints(stage) / "data.json"
    if run.given is not None:
        # Before the record, so that what is recorded is there in any case.
        run.given.keep(is_new=not path.exists())
    write_json(path, run.task.fingerprint(run.data))


def _is_same_source(run: Run, stage: str) -> bool:
    """Return whether the run has the options of data that `stage` was begun with."""
    old = _recorded_options(run.workdir, stage)
    names = {option.name for group in run.task.data_groups for option in group.options}
    new = {name: value for name, value in run.stage_values(stage).items() if name in names}
    return all(name not in old or old[name] == value for name, value in new.items())


def _recorded_options(workdir: Workdir, stage: str) -> dict[str, Any]:
    path = workdir.checkpoints(stage) / "flags.json"
    if not path.exists():
        return {}
    return read_json(path, f"the options of the {stage} there", f"Start anew with {ref('overwrite')}.")
