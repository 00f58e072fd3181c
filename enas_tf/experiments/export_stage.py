"""What is done with a retrained child: measure it, export it, let it write."""

import warnings
import zipfile
from pathlib import Path

import keras

from enas_tf.errors import InputError, ref
from enas_tf.experiments.data_record import check_data
from enas_tf.experiments.export_config import EXPORT
from enas_tf.experiments.formats import WRITERS, check_formats
from enas_tf.experiments.memory import is_out_of_memory
from enas_tf.experiments.report import write_report
from enas_tf.experiments.run import Run
from enas_tf.options import shorten
from enas_tf.runtime.chief import is_chief
from enas_tf.runtime.files import remove_leftovers


def load_child(run: Run) -> keras.Model:
    """Return the retrained child of the workdir.

    Raises:
      InputError: there is none, it is damaged, or the run's data are not of its kind.
    """
    workdir = run.workdir
    # The metrics are written last.
    if not (workdir.child_keras.exists() and workdir.child_metrics.exists()):
        raise InputError(
            f"{workdir} holds no retrained child: expected child/child.keras, as "
            "`python -m enas_tf.launch.retrain --workdir=...` leaves it."
        )
    # A Keras file does not hold the seeds of dropout: Keras draws them anew from the generators of the process. With
    # those set, a process that resumes an export writes the same seeds as one that was never stopped.
    keras.utils.set_random_seed(run.seed)
    check_data(run, "retrain")
    child = read_child(workdir.child_keras)
    _check_data(run, child, workdir.child)
    return child


def read_child(path: Path) -> keras.Model:
    """Return the model in a Keras file; raise `InputError` for a damaged file."""
    cure = f"Retrain with {ref('overwrite')}, or restore the file from a copy."
    expected = f"expected a model as retraining has saved it. {cure}"
    if not zipfile.is_zipfile(path):
        raise InputError(f"{path.absolute()} is no Keras file, or was cut off: {expected}")
    try:
        with warnings.catch_warnings():
            # Keras only warns where a file lacks weights of a layer.
            warnings.filterwarnings("error", message=".*freshly-initialized")
            child = keras.models.load_model(path)
    except Exception as error:  # Keras raises what it stumbles over.
        if is_out_of_memory(error):
            raise
        reason = f"{type(error).__name__}: {shorten(' '.join(str(error).split()), 200)}"
        raise InputError(f"{path.absolute()} cannot be read ({reason}): {expected}") from error
    if not isinstance(child, keras.Model):
        raise InputError(f"{path.absolute()} holds a {type(child).__name__}: {expected}")
    return child


def _check_data(run: Run, child: keras.Model, place: Path) -> None:
    """Raise `InputError` when the child that lies in `place` was made for other data."""
    try:
        problem = run.task.find_mismatch(child, run.data, place)
    except OSError as error:
        raise InputError(
            f"{error.filename} beside the child cannot be read ({error.strerror}): expected it as retraining has left "
            f"it. Retrain with {ref('overwrite')}, or restore the file from a copy."
        ) from error
    except (TypeError, IndexError, AttributeError) as error:
        raise InputError(
            f"the model in {place.absolute()} has other inputs or outputs than a child of {run.task.name}: expected "
            f"the one that retraining has left. Retrain with {ref('overwrite')}."
        ) from error
    if problem:
        raise InputError(
            f"the child in {place.absolute()} {problem}: leave out the options of data, to use what the child was "
            "trained on."
        )


def measure_child(run: Run) -> dict[str, float]:
    """Return the task's metric and the loss of the workdir's child on the test part."""
    return run.task.test(load_child(run), run.data)


def write_sample(run: Run, prompt: str, num: int, temperature: float = 1.0) -> str:
    """Return `prompt` and the `num` tokens that the workdir's language model adds.

    Args:
      run: a run of a language model.
      prompt: what the text begins with.
      num: the number of tokens.
      temperature: logits are divided by it; below 1 the text keeps closer to what is probable.

    Raises:
      InputError: the run is of another task, or has no child.
    """
    if not run.task.writes_text:
        raise InputError(
            f"{ref('sample')}={num} is for language models: expected a workdir of {ref('space')}=recurrent."
        )
    return run.task.sample(load_child(run), run.data, prompt, num, run.seed, temperature)


def export(run: Run) -> list[Path]:
    """Write the workdir's child in the forms of the option `export`, and compare each with the Keras model.

    What is there already is not written again. Of several processes the chief alone does it.

    Returns:
      where each of them lies, in their order; nothing for the other processes.
    """
    check_formats(run)
    if not is_chief():
        return []
    run.lock()
    child = load_child(run)
    remove_leftovers(run.workdir.child)
    places = [WRITERS[name](run, child) for name in run.asked[EXPORT].export]
    write_report(run)
    return places
