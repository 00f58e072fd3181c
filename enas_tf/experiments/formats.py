"""The forms in which a child is exported: each is written aside, read again and compared with the Keras model."""

import contextlib
import math
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import keras
import numpy as np

from enas_tf.errors import InputError, count_of, ref
from enas_tf.experiments.export_config import EXPORT
from enas_tf.experiments.retrain_stage import finite
from enas_tf.experiments.run import Run
from enas_tf.runtime.files import replace_directory, replacement, write_json
from enas_tf.tasks.litert import run_litert, to_litert
from enas_tf.tasks.onnx import check_onnx_is_installed, run_onnx, to_onnx
from enas_tf.tasks.signature import Arrays


def check_formats(run: Run) -> None:
    """Raise `InputError` for a form that this installation or the run's task does not have. Nothing is computed."""
    names = run.asked[EXPORT].export
    if "onnx" in names:
        check_onnx_is_installed()
    if "litert_int8" in names and run.task.writes_text:
        raise InputError(
            f"{ref('export')}=litert_int8 is for classifiers of images, and {ref('space')}={run.space.name} makes "
            "language models: expected litert, which has 32 bits."
        )


def write_keras(run: Run, child: keras.Model) -> Path:
    """Return where retraining has left the Keras file; say so if nothing else is exported."""
    if run.asked[EXPORT].export == ("keras",):
        run.reporter.say(f"export: {run.workdir.child_keras} is there already")
    return run.workdir.child_keras


def write_saved_model(run: Run, child: keras.Model) -> Path:
    """Write the SavedModel."""
    metrics, path = run.workdir.child_record, run.workdir.saved_model
    # Noted after the SavedModel stands in its place.
    if metrics["export_max_difference"] is not None and path.exists():
        run.reporter.say(f"export: {path} is there already")
        return path
    with replace_directory(path) as aside:
        difference = run.task.export(child, aside, run.data)
    write_json(run.workdir.child_metrics, metrics | finite({"export_max_difference": difference}))
    run.reporter.say(f"export: {path}, {_in_words(difference)}")
    return path


def write_litert(run: Run, child: keras.Model) -> Path:
    """Write the LiteRT file of the child's signature."""
    name = run.task.signature(child).name
    return _write(run, child, "litert", run.workdir.litert, lambda: _convert(run, child), _runner(name))


def write_litert_int8(run: Run, child: keras.Model) -> Path:
    """Write the LiteRT file in 8 bits."""
    name, path = run.task.signature(child).name, run.workdir.litert_int8

    def convert() -> bytes:
        calibration = run.task.calibration(child, run.data)
        if calibration is None:
            raise InputError(
                f"{ref('export')}=litert_int8: the task {run.task.name} has no examples to find ranges with: expected "
                "litert, which has 32 bits."
            )
        return _convert(run, child, calibration)

    return _write(run, child, "litert_int8", path, convert, _runner(name), compares_classes=True)


def write_onnx(run: Run, child: keras.Model) -> Path:
    """Write the ONNX file of the child's signature, with the names of the classes or the vocabulary."""
    name, text = run.task.names(run.data)

    def convert() -> bytes:
        return to_onnx(run.task.signature(child), {Path(name).stem: text})

    return _write(run, child, "onnx", run.workdir.onnx, convert, run_onnx)


#: What writes each of the forms: (run, child) -> path.
WRITERS: dict[str, Callable[[Run, keras.Model], Path]] = {
    "keras": write_keras,
    "savedmodel": write_saved_model,
    "litert": write_litert,
    "litert_int8": write_litert_int8,
    "onnx": write_onnx,
}


def _convert(run: Run, child: keras.Model, calibration: Arrays | None = None) -> bytes:
    with _saved_model(run, child) as directory:
        return to_litert(directory, run.task.signature(child).name, calibration)


@contextlib.contextmanager
def _saved_model(run: Run, child: keras.Model) -> Iterator[Path]:
    """Yield the SavedModel of the workdir; one for the time of the block where there is none."""
    if run.workdir.saved_model.exists():
        yield run.workdir.saved_model
        return
    with tempfile.TemporaryDirectory() as place:
        run.task.export(child, Path(place), run.data)
        yield Path(place)


def _runner(signature: str) -> Callable[[bytes, Arrays], Arrays]:
    return lambda content, examples: run_litert(content, signature, examples)


def _write(
    run: Run,
    child: keras.Model,
    name: str,
    path: Path,
    convert: Callable[[], bytes],
    compute: Callable[[bytes, Arrays], Arrays],
    compares_classes: bool = False,
) -> Path:
    """Write a file of the child, unless it is there; compute its numbers, and note how they differ in metrics.json."""
    if f"{name}_max_difference" in run.workdir.child_record and path.exists():
        run.reporter.say(f"export: {path} is there already")
        return path
    signature, examples = run.task.signature(child), run.task.examples(child, run.data)
    with replacement(path) as aside:
        aside.write_bytes(convert())
        found, expected = compute(aside.read_bytes(), examples), signature.compute(examples)
    numbers = {f"{name}_max_difference": signature.difference(found, expected)}
    words = _in_words(numbers[f"{name}_max_difference"])
    if compares_classes:
        (output,) = signature.compared
        equal = np.argmax(found[output], axis=1) == np.argmax(expected[output], axis=1)
        numbers[f"{name}_equal_classes"] = float(equal.mean())
        words += f"; {equal.sum():,} of {count_of(len(equal), 'image')} get the same class"
    write_json(run.workdir.child_metrics, run.workdir.child_record | finite(numbers))
    run.reporter.say(f"export: {path}, {words}")
    return path


def _in_words(difference: float) -> str:
    if math.isnan(difference):
        return "which gives other numbers than the Keras model, or both give none"
    same, other = "are equal to the Keras model's", f"differ from the Keras model's by up to {difference:.2g}"
    return f"its numbers {other if difference else same}"
