"""Checkpoints of a run: named objects and the position of the run, restored bit by bit.

`tf.train.Checkpoint` follows the attributes of a Keras 3 object, but silently omits the state of its seed generators
and the contents of its lists. So the flat list of an object's `variables` is saved here.
"""

import re
import shutil
import tempfile
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from enas_tf.errors import InputError, ref
from enas_tf.reading import read_text
from enas_tf.runtime import cluster
from enas_tf.runtime.chief import is_chief

# The errors of TensorFlow's checkpoint reader for missing, truncated and altered files (found by trying).
_DAMAGE = (tf.errors.OpError, IndexError, RuntimeError, ValueError)
_VALUE = "/.ATTRIBUTES/VARIABLE_VALUE"
#: What TensorFlow calls the list of checkpoints, and what a killed `save` may leave: files that are not in the list,
#: directories of parts, and a new list.
_STATE = "checkpoint"
_LEFTOVER = re.compile(r"(ckpt-\d+)(_temp|\.index|\.data-).*|checkpoint\.tmp.*")


class Position(NamedTuple):
    """The position of a run: the number of finished epochs, and of finished steps in the next one."""

    epoch: int = 0
    step: int = 0


class Checkpoints:
    """The last `keep` checkpoints in a directory.

    Args:
        directory: created by the first `save`.
        objects: name -> object: Keras layers, models, optimizers and metrics, `SeedGenerator`s, `tf.Module`s, variables
            of Keras or TensorFlow, lists and tuples of these, and other TensorFlow trackables such as
            `tf.random.Generator`. Of a Keras layer only its `variables` are saved; a raw `tf.Variable` in it needs a
            name of its own.
        keep: number of checkpoints on disk. With one, nothing can be restored once it is damaged.

    Raises:
        ValueError: an object is not built yet (its variables do not exist), or has no state to save.
    """

    def __init__(self, directory: str | Path, objects: Mapping[str, Any], keep: int = 2):
        self._directory = Path(directory)
        self._objects = dict(objects)
        self._states = _states(self._objects)
        self._position = tf.Variable(Position(), dtype=tf.int64, trainable=False, name="position")
        self._checkpoint = tf.train.Checkpoint(position=self._position, objects=self._states)
        # All processes of a run save, since some variables are sums over them, but only the chief's files are kept.
        self._elsewhere = None if is_chief() else tempfile.TemporaryDirectory()
        place = self._elsewhere.name if self._elsewhere else str(directory)
        _check_state(self._directory)
        self._whole: str | None = None
        self._is_clean = False
        self._manager = tf.train.CheckpointManager(self._checkpoint, place, max_to_keep=keep)

    def save(self, epoch: int, step: int = 0) -> None:
        """Write a checkpoint after `epoch` epochs and `step` steps of the next; an incomplete one is never restored."""
        if _count(_states(self._objects)) != _count(self._states):
            raise ValueError(
                "The objects have gained or lost variables since Checkpoints was made; build them before that."
            )
        self._position.assign([epoch, step])
        self._whole = None
        self._remove_leftovers()
        # Files are numbered by saves: saving an epoch for a second time must not overwrite its first file.
        self._manager.save()

    def _remove_leftovers(self) -> None:
        """Remove what killed processes have left here: the process that saves is the only one that writes here."""
        if not self._is_clean and is_chief() and self._directory.is_dir():
            state = tf.train.get_checkpoint_state(str(self._directory))
            listed = {Path(path).name for path in state.all_model_checkpoint_paths} if state else set()
            for path in self._directory.iterdir():
                match = _LEFTOVER.fullmatch(path.name)
                if match and (match[1] not in listed or match[2] == "_temp"):
                    shutil.rmtree(path) if path.is_dir() else path.unlink()
        self._is_clean = True

    def latest_position(self) -> Position | None:
        """Return the position that `restore_latest` would restore, and restore nothing; raise as it does."""
        path = self._latest_whole()
        try:
            return None if path is None else Position(*map(int, tf.train.load_variable(path, f"position{_VALUE}")))
        except (TypeError, *_DAMAGE):  # It is of another program; `restore_latest` says so.
            return None

    def restore_latest(self) -> Position | None:
        """Restore every object from the newest whole checkpoint.

        Returns:
            The position of the run, or None if nothing was saved.

        Raises:
            InputError: every checkpoint is damaged, or the newest whole one holds other variables.
        """
        cluster.barrier()
        path = self._latest_whole()
        if int(cluster.agree(tf.constant(int(path is not None)))) != int(path is not None):
            raise InputError(
                f"this process does not see the same checkpoints in {self._directory} as the first process: expected a "
                f"{ref('workdir')} that all hosts share."
            )
        if path is None:
            return None
        self._check_same_variables(path)
        self._whole = None
        status = self._checkpoint.restore(path)
        try:
            status.assert_existing_objects_matched()
        except (AssertionError, *_DAMAGE) as error:
            status.expect_partial()  # Or TensorFlow lists at the end of the process what was not restored.
            raise self._other_configuration(path, "its objects do not match") from error
        return Position(*map(int, self._position.numpy()))

    def differing(self) -> str | None:
        """Return the name of an object that the newest checkpoint has not, or has with other variables; None for none.

        The checkpoint may be another run's and hold more.
        """
        path = self._latest_whole()
        saved = {} if path is None else _saved_variables(path)
        for name, state in self._states.items():
            if saved.get(name) != {str(index): _describe(v.dtype, v.shape) for index, v in enumerate(state)}:
                return name
        return None

    def take_latest(self) -> None:
        """Set the objects to what the newest checkpoint has of them, where nothing is `differing`."""
        cluster.barrier()
        reader = tf.train.load_checkpoint(self._latest_whole())
        for name, state in self._states.items():
            for index, variable in enumerate(state):
                variable.assign(reader.get_tensor(f"objects/{name}/{index}{_VALUE}"))

    def _latest_whole(self) -> str | None:
        """Return the newest checkpoint that can be read to its last byte; warn about those that are skipped."""
        if self._whole is not None:
            return self._whole
        # The manager would leave out those whose files are not there, and have nothing of what another process saves.
        state = tf.train.get_checkpoint_state(str(self._directory))
        paths, damaged = list(state.all_model_checkpoint_paths) if state else [], []
        for path in reversed(paths):
            try:
                _read_all(path)
            except _DAMAGE as error:
                damaged.append(f"{Path(path).name}: {str(error).partition(chr(10))[0] or type(error).__name__}")
            else:
                if damaged:
                    message = f"what was saved last in {self._directory} is damaged and skipped ({', '.join(damaged)})"
                    message += f"; the run goes back to {Path(path).name}"
                    warnings.warn(message, RuntimeWarning, stacklevel=3)
                self._whole = path
                return path
        if damaged:
            raise InputError(
                f"{self._directory} holds no checkpoint that can be read ({', '.join(damaged)}): expected at least one "
                f"whole file among them. Start afresh with {ref('overwrite')}, or restore the files from a copy."
            )
        return None

    def _check_same_variables(self, path: str) -> None:
        """Raise `InputError` unless the saved variables equal those of the objects in number, shapes and types."""
        saved = _saved_variables(path)
        for name in sorted(saved.keys() | self._states.keys()):
            if name in self._states and not isinstance(self._states[name], list):
                continue
            if name not in self._states:
                raise self._other_configuration(path, f'it holds "{name}", which this run does not have')
            found = saved.get(name, {})
            expected = {str(index): _describe(v.dtype, v.shape) for index, v in enumerate(self._states[name])}
            if len(found) != len(expected):
                counts = f"{len(found)} variables, expected {len(expected)}"
                raise self._other_configuration(path, f'"{name}" has {counts}')
            for index in expected:
                if found.get(index) != expected[index]:
                    detail = f"is {found.get(index)}, expected {expected[index]}"
                    raise self._other_configuration(path, f'variable {index} of "{name}" {detail}')

    def _other_configuration(self, path: str, detail: str) -> InputError:
        """Return the error of a checkpoint that belongs to other objects."""
        return InputError(
            f"The checkpoint {path} is of another configuration: {detail}. Repeat the run with the options it was "
            f"started with (run.flags in its {ref('workdir')}), name another {ref('workdir')}, or start afresh with "
            f"{ref('overwrite')}."
        )


def _check_state(directory: Path) -> None:
    """Raise `InputError` when TensorFlow cannot read its list of the checkpoints in `directory`.

    It takes some damage for an empty list, and a run would begin anew over what it had saved.
    """
    path, what = directory / _STATE, "the list of checkpoints that TensorFlow keeps"
    cure = f"Restore the file from a copy, or start afresh with {ref('overwrite')}."
    if not path.exists():
        return
    read_text(path, what, cure)
    logger, state = tf.get_logger(), None
    logger.disabled = True  # It would say the same in two paragraphs.
    try:
        state = tf.train.get_checkpoint_state(str(directory))
    except ValueError:
        pass
    finally:
        logger.disabled = False
    if state is None or not state.all_model_checkpoint_paths:
        raise InputError(f"{path.absolute()} names no checkpoint: expected {what}. {cure}")


def _states(objects: Mapping[str, Any]) -> dict[str, Any]:
    """Return name -> what to save: the list of an object's variables, each only once, or the trackable itself."""
    seen: set[int] = set()
    states = {}
    for name, value in objects.items():
        state = _state(name, value)
        if isinstance(state, list):
            state = [v for v in state if not (id(v) in seen or seen.add(id(v)))]
        states[name] = state
    return states


def _state(name: str, value: Any) -> Any:
    """Return the TensorFlow variables of one object as a list; other trackables as they are."""
    if getattr(value, "built", True) is False:
        raise ValueError(f'"{name}" ({type(value).__name__}) is not built: call its build method before saving it.')
    if isinstance(value, tf.Variable):
        return [value]
    if isinstance(value, keras.Variable):
        return [value.value]
    if isinstance(value, keras.random.SeedGenerator):
        return [value.state.value]
    if isinstance(value, list | tuple):
        return [variable for item in value for variable in _state(name, item)]
    if hasattr(value, "variables"):
        return _state(name, list(value.variables))
    if isinstance(value, tf.__internal__.tracking.Trackable):
        return value
    raise ValueError(f'"{name}" ({type(value).__name__}) has no variables and TensorFlow cannot save it.')


def _count(states: Mapping[str, Any]) -> int:
    """Return the number of variables in the flat lists."""
    return sum(len(state) for state in states.values() if isinstance(state, list))


def _describe(dtype: tf.DType, shape: Any) -> str:
    """Return the type and the shape of a variable as in `float32[3, 4]`."""
    return f"{dtype.name}{list(shape)}"


def _saved_variables(path: str) -> dict[str, dict[str, str]]:
    """Return object name -> position in its list -> type and shape, for every variable in the file."""
    reader = tf.train.load_checkpoint(path)
    dtypes = reader.get_variable_to_dtype_map()
    saved: dict[str, dict[str, str]] = {}
    for key, shape in reader.get_variable_to_shape_map().items():
        if key.startswith("objects/") and key.endswith(_VALUE):
            name, _, index = key.removeprefix("objects/").removesuffix(_VALUE).partition("/")
            saved.setdefault(name, {})[index] = _describe(dtypes[key], shape)
    return saved


def _read_all(path: str) -> None:
    """Read every tensor and so compare its checksum: restoring a damaged file would change some of the objects."""
    reader = tf.train.load_checkpoint(path)
    for key in reader.get_variable_to_shape_map():
        reader.get_tensor(key)
