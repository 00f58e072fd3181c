"""A run's directory: where each file lies, and whether a stage may resume what lies there."""

import dataclasses
import json
import platform
import subprocess
from importlib import metadata
from pathlib import Path
from types import NoneType
from typing import Any

import enas_tf
from enas_tf.errors import InputError, ref
from enas_tf.experiments.paths import absolute_values
from enas_tf.experiments.places import check_places, remove_outputs
from enas_tf.reading import read_json
from enas_tf.runtime.devices import device_names
from enas_tf.runtime.files import ensure_writable, remove_leftovers, write_json

_PACKAGES = ("tensorflow", "keras", "tensorflow-datasets", "tensorboard", "numpy", "scikit-learn")
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

    def __str__(self) -> str:
        return str(self.path.absolute())

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
    def children(self) -> Path:
        return self.path / "children.csv"

    @property
    def trials(self) -> Path:
        return self.path / "trials.jsonl"

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
    def litert(self) -> Path:
        return self.child / "child.tflite"

    @property
    def litert_int8(self) -> Path:
        return self.child / "child_int8.tflite"

    @property
    def onnx(self) -> Path:
        return self.child / "child.onnx"

    @property
    def child_metrics(self) -> Path:
        return self.child / "metrics.json"

    @property
    def confusion(self) -> Path:
        return self.child / "confusion.csv"

    @property
    def report(self) -> Path:
        return self.path / "report.html"

    @property
    def child_flags(self) -> Path:
        return self.child / "run.flags"

    @property
    def recorded_data(self) -> dict[str, Any]:
        """What environment.json says of the data; empty without the file."""
        if not self.environment.exists():
            return {}
        what, cure = "what a search or a retraining has written there", "Remove it: the same command writes it anew."
        return read_json(self.environment, what, cure, {"data": (dict,)})["data"]

    @property
    def derived(self) -> dict[str, Any]:
        """What architecture.json says, with what it was derived from; empty without the file."""
        if not self.architecture.exists():
            return {}
        cure = "Remove it: the search derives again."
        return read_json(self.architecture, "the architecture that a search has derived", cure)

    @property
    def child_record(self) -> dict[str, Any]:
        """What the child's metrics.json says; empty without the file, which is written when all else is there."""
        if not self.child_metrics.exists():
            return {}
        number = (int, float, NoneType)
        cure = f"Retrain with {ref('overwrite')}, which trains the child anew."
        fields = {"arc": (str,), "parameters": (int,), "flops": (int,), "export_max_difference": number}
        return read_json(self.child_metrics, "the metrics of a retrained child", cure, fields)

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
            remove_outputs(self.path, stage)
        signature = self._signature(stage)
        signature.parent.mkdir(parents=True, exist_ok=True)
        for directory in (self.path, self.child, signature.parent):
            remove_leftovers(directory)
        write_json(signature, values)

    def check_stage(self, stage: str, values: dict[str, Any]) -> None:
        """Raise `InputError` when `stage` was begun here with other options than `values`; change nothing."""
        check_places(self.path)
        signature = self._signature(stage)
        if signature.exists():
            cure = f"Restore it from a copy, or start anew with {ref('overwrite')}."
            old = read_json(signature, f"the options of the {stage} there", cure)
            self._check_same(stage, absolute_values(old), absolute_values(values))
        elif stage == "search" and self.architecture.exists():
            raise InputError(
                f"{self} holds an architecture that no search there has left: choose another {ref('workdir')}, or "
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
                f"{self} holds a {stage} of another configuration ({changes}): repeat the same options to resume "
                f"it, choose another {ref('workdir')}, {_CURES[stage]}."
            )

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
