"""A run's directory: where each file lies, and whether a stage may resume what lies there."""

import dataclasses
import json
import platform
import shutil
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

import enas_tf
from enas_tf.errors import InputError, ref
from enas_tf.runtime.chief import is_chief
from enas_tf.runtime.devices import device_names
from enas_tf.runtime.files import ensure_writable, write_json

_PACKAGES = ("tensorflow", "keras", "tensorflow-datasets", "tensorboard", "numpy", "scikit-learn")
#: What the option `overwrite` of a stage removes before it starts anew. Nothing else in a workdir is ever removed.
#: Results go first and checkpoints last: a run that is stopped in between is not taken for one that has finished.
_RETRAIN_OUTPUTS = ("child", "tensorboard/retrain", "tensorboard/test", "checkpoints/retrain")
_SEARCH_OUTPUTS = (
    *_RETRAIN_OUTPUTS,
    "architecture.json",
    "architecture.svg",
    "candidates.csv",
    "metrics.jsonl",
    "run.flags",
    "tensorboard/search",
    "tensorboard/controller",
    "tensorboard/derive",
    "checkpoints/search",
)
#: What to do where a stage of another configuration lies.
_CURES = {
    "search": f"or start anew with {ref('overwrite')}, which removes the searched weights and the child there",
    "retrain": f"or retrain with {ref('overwrite')} and these options, which removes the child there and keeps the "
    "search",
}


@dataclasses.dataclass(frozen=True)
class Workdir:
    """The paths of a run, and the claims of its stages on them."""

    path: Path

    @property
    def run_flags(self) -> Path:
        return self.path / "run.flags"

    @property
    def environment(self) -> Path:
        return self.path / "environment.json"

    @property
    def architecture(self) -> Path:
        return self.path / "architecture.json"

    @property
    def picture(self) -> Path:
        return self.path / "architecture.svg"

    @property
    def candidates(self) -> Path:
        return self.path / "candidates.csv"

    @property
    def child(self) -> Path:
        return self.path / "child"

    @property
    def child_keras(self) -> Path:
        return self.child / "child.keras"

    @property
    def saved_model(self) -> Path:
        return self.child / "saved_model"

    @property
    def child_metrics(self) -> Path:
        return self.child / "metrics.json"

    @property
    def child_flags(self) -> Path:
        return self.child / "run.flags"

    @property
    def recorded_data(self) -> dict[str, Any]:
        """What environment.json says of the data; empty without the file."""
        return json.loads(self.environment.read_text())["data"] if self.environment.exists() else {}

    def checkpoints(self, stage: str) -> Path:
        return self.path / "checkpoints" / stage

    def open_stage(self, stage: str, values: dict[str, Any], is_overwriting: bool) -> None:
        """Claim the workdir for `stage` ("search" or "retrain") with the option values `values`.

        With `is_overwriting`, what the stage and those after it have left is removed.

        Raises:
          InputError: the stage was begun there with other options, and is not to be overwritten. Nothing is changed.
        """
        if not is_overwriting:
            self.check_stage(stage, values)
        ensure_writable(self.path)
        if is_overwriting:
            self._remove_outputs(stage)
        signature = self._signature(stage)
        signature.parent.mkdir(parents=True, exist_ok=True)
        write_json(signature, values)

    def check_stage(self, stage: str, values: dict[str, Any]) -> None:
        """Raise `InputError` when `stage` was begun here with other options than `values`; change nothing."""
        signature = self._signature(stage)
        if signature.exists():
            self._check_same(stage, json.loads(signature.read_text()), values)
        elif stage == "search" and self.architecture.exists():
            raise InputError(
                f"{self.path} holds an architecture that no search there has left: choose another {ref('workdir')}, or "
                f"start anew with {ref('overwrite')}."
            )

    def _signature(self, stage: str) -> Path:
        return self.checkpoints(stage) / "flags.json"

    def _check_same(self, stage: str, old: dict[str, Any], new: dict[str, Any]) -> None:
        new = json.loads(json.dumps(new))
        names = [name for name in new if name in old and old[name] != new[name]]
        if names:
            changes = ", ".join(f"{ref(name)} was {old[name]}, is {new[name]}" for name in names)
            raise InputError(
                f"{self.path} holds a {stage} of another configuration ({changes}): repeat the same options to resume "
                f"it, choose another {ref('workdir')}, {_CURES[stage]}."
            )

    def _remove_outputs(self, stage: str) -> None:
        if not is_chief():
            return
        for name in _SEARCH_OUTPUTS if stage == "search" else _RETRAIN_OUTPUTS:
            path = self.path / name
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)

    def write_environment(self, seed: int, data: dict[str, Any]) -> None:
        """Write environment.json: versions, devices, seed, commit, and `data`, a summary of the data."""
        write_json(
            self.environment,
            {
                "enas_tf": enas_tf.__version__,
                "python": platform.python_version(),
                "packages": {name: metadata.version(name) for name in _PACKAGES},
                "platform": platform.platform(),
                "devices": device_names(),
                "seed": seed,
                "commit": _commit(),
                "data": data,
            },
        )


def _commit() -> str | None:
    """Return the commit that enas_tf runs from; None where it was installed."""
    place = Path(enas_tf.__file__).parent
    command = ["git", "rev-parse", "--show-toplevel", "HEAD"]
    try:
        done = subprocess.run(command, cwd=place, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    top, _, commit = done.stdout.strip().partition("\n")
    # An installed package may lie within the repository of somebody's own project.
    return commit if done.returncode == 0 and Path(top) == place.parent else None
