"""A run's directory: where each file lies, and whether a stage may go on in what lies there."""

import dataclasses
import json
import platform
import shutil
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

import enas_tf
from enas_tf.data.images import ImageData
from enas_tf.errors import InputError
from enas_tf.training.devices import device_names
from enas_tf.training.files import ensure_writable, write_json

_PACKAGES = ("tensorflow", "keras", "tensorflow-datasets", "tensorboard", "numpy", "scikit-learn")
#: What `--overwrite` of a stage removes, before it starts anew. Nothing else in a workdir is ever removed.
_SEARCH_OUTPUTS = ("candidates.csv", "architecture.json", "architecture.svg", "metrics.jsonl", "run.flags")
_SEARCH_FOLDERS = ("checkpoints/search", "tensorboard/search", "tensorboard/controller")
_RETRAIN_FOLDERS = ("checkpoints/retrain", "tensorboard/retrain", "child")


@dataclasses.dataclass(frozen=True)
class Workdir:
    """Paths of a run (design: what a run leaves on disk)."""

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
    def labels(self) -> Path:
        return self.child / "labels.txt"

    def checkpoints(self, stage: str) -> Path:
        return self.path / "checkpoints" / stage

    def open_stage(self, stage: str, values: dict[str, Any], is_overwriting: bool) -> None:
        """Claims the workdir for `stage` ("search" or "retrain") with the flags `values`.

        Raises `InputError`, and changes nothing, when the stage was begun there with other flags, unless it is to be
        overwritten: then what the stage and those after it left is removed.
        """
        signature = self.checkpoints(stage) / "flags.json"
        if is_overwriting:
            self._remove_outputs(stage)
        elif signature.exists():
            self._check_same(stage, json.loads(signature.read_text()), values)
        elif stage == "search" and self.architecture.exists():
            raise InputError(
                f"{self.path} holds an architecture that no search there has left: choose another --workdir, or "
                "pass --overwrite to start anew."
            )
        ensure_writable(self.path)
        signature.parent.mkdir(parents=True, exist_ok=True)
        write_json(signature, values)

    def _check_same(self, stage: str, old: dict[str, Any], new: dict[str, Any]) -> None:
        new = json.loads(json.dumps(new))
        names = [name for name in {**old, **new} if old.get(name) != new.get(name)]
        if names:
            changes = ", ".join(f"--{name} was {old.get(name)}, is {new.get(name)}" for name in names)
            raise InputError(
                f"{self.path} holds a {stage} of another configuration ({changes}): repeat the same flags to go on "
                "with it, choose another --workdir, or pass --overwrite to start anew."
            )

    def _remove_outputs(self, stage: str) -> None:
        folders = (*_SEARCH_FOLDERS, *_RETRAIN_FOLDERS) if stage == "search" else _RETRAIN_FOLDERS
        for name in folders:
            shutil.rmtree(self.path / name, ignore_errors=True)
        for name in _SEARCH_OUTPUTS if stage == "search" else ():
            (self.path / name).unlink(missing_ok=True)

    def write_environment(self, seed: int, data: ImageData) -> None:
        """Versions, devices, seed, commit, and a summary of the data."""
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
                "data": {
                    "name": data.name,
                    "image_shape": list(data.image_shape),
                    "class_names": list(data.class_names),
                    "images": {"train": len(data.train), "valid": len(data.valid), "test": len(data.test)},
                },
            },
        )


def _commit() -> str | None:
    """The commit that enas_tf runs from; None where it was installed."""
    place = Path(enas_tf.__file__).parent
    try:
        done = subprocess.run(["git", "rev-parse", "HEAD"], cwd=place, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None
