"""Checkpoints of a run: named objects and how far it had come, restored bit by bit.

`tf.train.Checkpoint` follows the attributes of a Keras 3 object but misses the state of its seed generators and
whatever it holds in lists, without a word. So what is saved here is the flat list of an object's `variables`.
"""

import tempfile
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from enas_tf.errors import InputError
from enas_tf.runtime import cluster
from enas_tf.runtime.chief import is_chief

# What TensorFlow's checkpoint reader raises for missing, truncated and altered files (found by trying).
_DAMAGE = (tf.errors.OpError, IndexError, RuntimeError, ValueError)
_VALUE = "/.ATTRIBUTES/VARIABLE_VALUE"


class Position(NamedTuple):
    """How far a run has come: finished epochs, and steps of the one that is under way."""

    epoch: int = 0
    step: int = 0


class Checkpoints:
    """The last `keep` checkpoints in a directory.

    Args:
        directory: created by the first `save`.
        objects: under unique names, in any number: Keras layers, models, optimizers and metrics, `SeedGenerator`s,
            `tf.Module`s, variables of Keras or TensorFlow, lists and tuples of these, and other TensorFlow trackables
            such as `tf.random.Generator`. A Keras layer vouches only for what its `variables` lists: a raw
            `tf.Variable` inside one has to be named by itself.
        keep: how many checkpoints stay on disk. One is a risk: a damaged file then has no predecessor.

    Raises:
        ValueError: an object is not built yet (its variables do not exist), or has no state to save.
    """

    def __init__(self, directory: str | Path, objects: Mapping[str, Any], keep: int = 2):
        self._directory = Path(directory)
        self._objects = dict(objects)
        self._states = _states(self._objects)
        self._position = tf.Variable(Position(), dtype=tf.int64, trainable=False, name="position")
        self._checkpoint = tf.train.Checkpoint(position=self._position, objects=self._states)
        # All processes of a run save, since some variables are sums over them; what counts is the chief's.
        self._elsewhere = None if is_chief() else tempfile.TemporaryDirectory()
        place = self._elsewhere.name if self._elsewhere else str(directory)
        self._manager = tf.train.CheckpointManager(self._checkpoint, place, max_to_keep=keep)

    def save(self, epoch: int, step: int = 0) -> None:
        """Writes a checkpoint after `epoch` epochs and `step` steps of the next; it counts only once it is whole."""
        if _count(_states(self._objects)) != _count(self._states):
            raise ValueError("The objects have gained or lost variables since Checkpoints was made; build them before.")
        self._position.assign([epoch, step])
        # Numbered by saves, not by epochs: saving an epoch twice must not overwrite the only good file of it.
        self._manager.save()

    def restore_latest(self) -> Position | None:
        """Restores every object from the newest whole checkpoint.

        Returns:
            How far the run had come, or None if nothing was ever saved here.

        Raises:
            InputError: every checkpoint is damaged, or the newest whole one holds other variables.
        """
        cluster.barrier()
        path = self._latest_whole()
        if int(cluster.agree(tf.constant(int(path is not None)))) != int(path is not None):
            raise InputError(
                f"this process does not see the checkpoints in {self._directory} that the first one sees: expected a "
                "--workdir that all hosts share."
            )
        if path is None:
            return None
        self._check_same_variables(path)
        try:
            self._checkpoint.restore(path).assert_existing_objects_matched()
        except (AssertionError, *_DAMAGE) as error:
            raise self._other_configuration(path, "its objects do not match") from error
        return Position(*map(int, self._position.numpy()))

    def _latest_whole(self) -> str | None:
        """The newest checkpoint that can be read to its last byte; warns about each that is passed over."""
        state = None if is_chief() else tf.train.get_checkpoint_state(str(self._directory))
        paths = list(state.all_model_checkpoint_paths) if state else self._manager.checkpoints
        for path in reversed(paths):
            try:
                _read_all(path)
            except _DAMAGE as error:
                reason = str(error).splitlines()[0] if str(error) else type(error).__name__
                warnings.warn(f"checkpoint {path} is damaged and passed over: {reason}", RuntimeWarning, stacklevel=3)
            else:
                return path
        if paths:
            raise InputError(
                f"{self._directory} holds no checkpoint that can be read: expected at least one whole file among "
                f"{', '.join(Path(path).name for path in paths)}. Start afresh with --overwrite, or restore the "
                "files from a copy."
            )
        return None

    def _check_same_variables(self, path: str) -> None:
        """Raises `InputError` unless the saved variables have the number, shapes and types of the objects' own."""
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
        """The error of a checkpoint that belongs to other objects."""
        return InputError(
            f"The checkpoint {path} is of another configuration: {detail}. Repeat the run with the flags it was "
            "started with (run.flags in its workdir), name another --workdir, or start afresh with --overwrite."
        )


def _states(objects: Mapping[str, Any]) -> dict[str, Any]:
    """What to save of each object: the list of its variables, each variable once, or the trackable itself."""
    seen: set[int] = set()
    states = {}
    for name, value in objects.items():
        state = _state(name, value)
        if isinstance(state, list):
            state = [v for v in state if not (id(v) in seen or seen.add(id(v)))]
        states[name] = state
    return states


def _state(name: str, value: Any) -> Any:
    """The TensorFlow variables of one object as a list; other trackables as they are."""
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
    """Number of variables in the flat lists."""
    return sum(len(state) for state in states.values() if isinstance(state, list))


def _describe(dtype: tf.DType, shape: Any) -> str:
    """A variable's type and shape as in `float32[3, 4]`."""
    return f"{dtype.name}{list(shape)}"


def _saved_variables(path: str) -> dict[str, dict[str, str]]:
    """By object name and position in its list: type and shape of every variable in the file."""
    reader = tf.train.load_checkpoint(path)
    dtypes = reader.get_variable_to_dtype_map()
    saved: dict[str, dict[str, str]] = {}
    for key, shape in reader.get_variable_to_shape_map().items():
        if key.startswith("objects/") and key.endswith(_VALUE):
            name, _, index = key.removeprefix("objects/").removesuffix(_VALUE).partition("/")
            saved.setdefault(name, {})[index] = _describe(dtypes[key], shape)
    return saved


def _read_all(path: str) -> None:
    """Reads every tensor, which compares each with its checksum; restoring from half a file would spoil the objects."""
    reader = tf.train.load_checkpoint(path)
    for key in reader.get_variable_to_shape_map():
        reader.get_tensor(key)
