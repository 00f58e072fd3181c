"""What is done with a retrained child: measure it, export it, let it write."""

import json
from pathlib import Path

import keras

from enas_tf.errors import InputError, ref
from enas_tf.experiments.run import Run
from enas_tf.runtime.chief import is_chief
from enas_tf.runtime.files import replace_directory, write_json


def load_child(run: Run) -> keras.Model:
    """Return the retrained child of the workdir.

    Raises:
      InputError: there is none, or the run's data are not of its kind.
    """
    workdir = run.workdir
    # The metrics are written last.
    if not (workdir.child_keras.exists() and workdir.child_metrics.exists()):
        raise InputError(
            f"{workdir.path} holds no retrained child: expected child/child.keras, as "
            "`python -m enas_tf.launch.retrain --workdir=...` leaves it."
        )
    child = keras.models.load_model(workdir.child_keras)
    _check_data(run, child, workdir.child)
    return child


def _check_data(run: Run, child: keras.Model, place: Path) -> None:
    """Raise `InputError` when the child that lies in `place` was made for other data."""
    problem = run.task.find_mismatch(child, run.data, place)
    if problem:
        raise InputError(
            f"the child in {place} {problem}: leave out the options of data, to use what the child was trained on."
        )


def measure_child(run: Run) -> dict[str, float]:
    """Return the task's metric and the loss of the workdir's child on the test part."""
    return run.task.test(load_child(run), run.data)


def write_sample(run: Run, prompt: str, num: int) -> str:
    """Return `prompt` and the `num` tokens that the workdir's language model adds; raise `InputError` for others."""
    if not run.task.writes_text:
        raise InputError(
            f"{ref('sample')}={num} is for language models: expected a workdir of {ref('space')}=recurrent."
        )
    return run.task.sample(load_child(run), run.data, prompt, num, run.seed)


def export(run: Run) -> float:
    """Write the SavedModel of the workdir's child; return the largest difference between the two models' numbers.

    Of several processes the chief alone does it; the others return 0.
    """
    if not is_chief():
        return 0.0
    child = load_child(run)
    metrics = json.loads(run.workdir.child_metrics.read_text())
    # Noted after the SavedModel stands in its place.
    if metrics["export_max_difference"] is not None and run.workdir.saved_model.exists():
        run.reporter.say(f"export: {run.workdir.saved_model} is there already")
        return metrics["export_max_difference"]
    with replace_directory(run.workdir.saved_model) as aside:
        difference = run.task.export(child, aside, run.data)
    write_json(run.workdir.child_metrics, metrics | {"export_max_difference": difference})
    run.reporter.say(
        f"export: {run.workdir.saved_model}, its numbers differ from the Keras model's by up to {difference:.2g}"
    )
    return difference
