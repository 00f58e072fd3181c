"""What may lie where in a run's directory, and the removal of what a stage has left there."""

import os
import shutil
from pathlib import Path

from enas_tf.errors import InputError, ref
from enas_tf.runtime.chief import is_chief

_DIRECTORIES = (
    "checkpoints",
    "checkpoints/search",
    "checkpoints/retrain",
    "checkpoints/trials",
    "child",
    "child/saved_model",
    "tensorboard",
    "tensorboard/search",
    "tensorboard/controller",
    "tensorboard/derive",
    "tensorboard/trial",
    "tensorboard/finalist",
    "tensorboard/retrain",
    "tensorboard/test",
)
_FILES = (
    "architecture.json",
    "architecture.svg",
    "candidates.csv",
    "checkpoints/retrain/flags.json",
    "checkpoints/search/flags.json",
    "child/architecture.json",
    "child/child.keras",
    "child/child.onnx",
    "child/child.tflite",
    "child/child_int8.tflite",
    "child/confusion.csv",
    "child/labels.txt",
    "child/metrics.json",
    "child/run.flags",
    "child/sample.txt",
    "child/vocabulary.json",
    "children.csv",
    "environment.json",
    "latency.json",
    "metrics.jsonl",
    "policy.jsonl",
    "report.html",
    "run.flags",
    "trials.jsonl",
)
#: What the option `overwrite` of a stage removes before it starts anew. Nothing else in a workdir is ever removed.
#: Results go first and checkpoints last: a run that is stopped in between is not taken for one that has finished.
_RETRAIN_OUTPUTS = ("report.html", "child", "tensorboard/retrain", "tensorboard/test", "checkpoints/retrain")
_SEARCH_OUTPUTS = (
    *_RETRAIN_OUTPUTS,
    "architecture.json",
    "architecture.svg",
    "candidates.csv",
    "children.csv",
    "latency.json",
    "metrics.jsonl",
    "policy.jsonl",
    "run.flags",
    "tensorboard/search",
    "tensorboard/controller",
    "tensorboard/derive",
    "tensorboard/trial",
    "tensorboard/finalist",
    "trials.jsonl",
    "checkpoints/trials",
    "checkpoints/search",
)


def check_places(workdir: Path) -> None:
    """Raise `InputError` when a file stands where a run has a directory, or the other way round."""
    for names, is_wrong, found, expected in (
        (_DIRECTORIES, lambda path: path.exists() and not path.is_dir(), "no directory", "a directory"),
        (_FILES, lambda path: path.exists() and not path.is_file(), "no file", "a file"),
    ):
        for name in names:
            if is_wrong(workdir / name):
                raise InputError(
                    f"{(workdir / name).absolute()} is {found}: a run has {expected} there. Move it away, or choose "
                    f"another {ref('workdir')}."
                )


def remove_outputs(workdir: Path, stage: str) -> None:
    """Remove what `stage` ("search" or "retrain") and those after it have left; of several processes, the chief does.

    Raises:
      InputError: something cannot be removed. Then nothing is.
    """
    if not is_chief():
        return
    outputs = [workdir / name for name in (_SEARCH_OUTPUTS if stage == "search" else _RETRAIN_OUTPUTS)]
    check_places(workdir)
    for path in outputs:
        _check_removable(path)
    for path in outputs:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def _check_removable(path: Path) -> None:
    """Raise `InputError` unless `path` and all below it can be removed."""
    if path.is_symlink() and path.is_dir():
        raise InputError(
            f"{path.absolute()} is a symbolic link to {os.readlink(path)}, which {ref('overwrite')} does not follow: "
            "expected a directory. Remove the link, or make its target the run's directory."
        )
    if not os.path.lexists(path):
        return
    below = [Path(folder) for folder, _, _ in os.walk(path)] if path.is_dir() else []
    for folder in (path.parent, *below):
        if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
            raise InputError(
                f"{path.absolute()} cannot be removed (no permission for {folder}): {ref('overwrite')} removes what a "
                f"run has left. Grant permission, or choose another {ref('workdir')}."
            )
