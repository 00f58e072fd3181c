"""What the searches for images and for text have in common: the stages of a run, called from Python."""

import contextlib
import os
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import keras
import numpy as np

from enas_tf.api.arguments import as_written, combine, option_values, write_out
from enas_tf.api.callbacks import Callbacks
from enas_tf.api.candidates import Candidates, read_candidates, resolve
from enas_tf.errors import InputError, ref
from enas_tf.experiments.config import RunOptions
from enas_tf.experiments.description import Description, describe, write_picture
from enas_tf.experiments.export_stage import export, measure_child, read_child
from enas_tf.experiments.flagfiles import read_flagfile
from enas_tf.experiments.retrain_stage import finite
from enas_tf.experiments.run import GivenData, Run, derived_architecture
from enas_tf.experiments.stages import check_read
from enas_tf.experiments.starting import retrain, search_and_derive
from enas_tf.experiments.workdir import Workdir
from enas_tf.pictures.drawing import draw
from enas_tf.registry import import_file
from enas_tf.spaces.space import Buildable

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Search:
    """A search in a directory. Every keyword that is not named here is an option of the command line by its name.

    Args:
      workdir: the directory of the run. A search that was begun there by the same options is resumed.
      flagfile: a flagfile with options, such as the presets in flags/; keywords win over it.
      imports: Python files of your own whose spaces, operations, searchers, ... register.
      verbose: whether to print what the command line prints.
      options: `space`, `searcher`, `evaluator`, `epochs`, `batch_size`, `seed` and all others.

    Raises:
      InputError: an option is not valid, is unknown, or is read by nothing that was chosen.
    """

    #: The task of its spaces, its space by default, and the class for the other spaces.
    task: ClassVar[str]
    space: ClassVar[str]
    other: ClassVar[str]

    def __init__(
        self,
        *,
        workdir: str | os.PathLike,
        flagfile: str | os.PathLike | None = None,
        imports: str | os.PathLike | Iterable[str | os.PathLike] = (),
        verbose: bool = False,
        **options: Any,
    ):
        for path in [imports] if isinstance(imports, str | os.PathLike) else imports:
            import_file(os.fspath(path))
        self.workdir, self.verbose = Path(workdir), verbose
        self._files, self._base = Workdir(self.workdir), {"space": self.space}
        if flagfile is not None:
            self._base |= read_flagfile(flagfile)
        self._given = option_values(options)
        self._data: Any = None
        self._check_task(combine(self._base, self._given))

    def _check_task(self, options: RunOptions) -> None:
        if options.networks.task != self.task:
            raise InputError(
                f"{ref('space')}={options.run.space} is not for {type(self).__name__}, whose task is "
                f"{self.task.replace('_', ' ')}: expected another space, or enas_tf.{self.other}."
            )

    def __repr__(self) -> str:
        return f"{type(self).__name__}(workdir={str(self.workdir)!r})"

    @property
    def options(self) -> dict[str, Any]:
        """Option name -> value of every option that the search reads."""
        return self._options_of_search().option_values()

    def _options_of_search(self) -> RunOptions:
        return combine(self._base, self._given | _named(self._data))

    @contextlib.contextmanager
    def _kept_unless_wrong(self) -> Iterator[None]:
        """Keep the data that were there before when those given within the block cannot be used."""
        before = self._data
        try:
            yield
        except InputError:
            self._data = before
            raise

    def _use(self, data: GivenData) -> Self:
        """Take data in the place of those that the option `dataset` names."""
        if "dataset" in self._given:
            raise InputError(
                f"{ref('dataset')}={self._given['dataset']} names the data, and others are given: leave one out."
            )
        self._data = data
        return self

    def _options_of_child(
        self, keywords: Mapping[str, Any], architecture: Buildable | None = None, data: Any = None
    ) -> RunOptions:
        """Return the options of what follows a search: those of the run in the workdir are the defaults."""
        files = [path for path in (self._files.child_flags, self._files.run_flags) if path.exists()]
        base = read_flagfile(files[0]) if files else self._base
        given = {**self._given, **_named(data or self._data), **keywords}
        if architecture is None or architecture.space_name == combine(base, given).run.space:
            return combine(base, given)
        # The space follows the architecture, and options of another one do not count.
        return combine(base | given, {**keywords, "space": architecture.space_name})

    @contextlib.contextmanager
    def _run(
        self,
        options: RunOptions,
        callbacks: Iterable[Any] = (),
        is_shared: bool = False,
        workdir: Path | None = None,
        data: Any = None,
    ) -> Iterator[Run]:
        """Yield a run, and lock its directory if it is there; the caller's random numbers go on behind it."""
        listener = Callbacks(callbacks)
        state, numpy_state = random.getstate(), np.random.get_state()
        try:
            with Run(
                options,
                workdir or self.workdir,
                is_shared,
                given=data or self._data,
                is_quiet=not self.verbose,
                listener=listener,
            ) as run:
                run.lock()
                yield run
        finally:
            random.setstate(state)
            np.random.set_state(numpy_state)

    def _search(self, overwrite: bool, callbacks: Iterable[Any]) -> Self:
        with self._run(self._options_of_search(), callbacks, is_shared=True) as run:
            search_and_derive(run, overwrite, is_retraining=False)
        return self

    def candidates(self, num: int | None = None) -> Candidates:
        """Return the best `num` networks that the search has found, best first; all for None."""
        return read_candidates(self._files, self._options_of_child({}).run.space, num)

    @property
    def architecture(self) -> Buildable:
        """The architecture that the search has derived."""
        return derived_architecture(self._files)

    def retrain(
        self,
        architecture: Any = None,
        *,
        workdir: str | os.PathLike | None = None,
        overwrite: bool = False,
        callbacks: Iterable[Any] = (),
        **options: Any,
    ) -> keras.Model:
        """Train a network from scratch, test it once, and return it; the same call again returns it at once.

        Args:
          architecture: what the search has derived for None; or a candidate, its rank, an architecture, an arc, a
            published name, or the path of an architecture.json.
          workdir: another directory, for a child beside the one of the search.
          overwrite: whether to remove the child that is there.
          callbacks: what hears of each epoch.
          options: options of retraining; here `epochs` is short for `retrain_epochs`, and so on.

        Raises:
          InputError: an option is not valid, or there is no such architecture.
        """
        keywords, written = write_out(options)
        with as_written(written):
            check_read(keywords, "retrain", has_architecture=architecture is not None)
            found = resolve(architecture, self._files, self._options_of_child(keywords))
            place = self.workdir if workdir is None else Path(workdir)
            data = self._data if workdir is None or self._data is None else self._data.at(place)
            asked = self._options_of_child(keywords, found, data)
            with self._run(asked, callbacks, is_shared=True, workdir=place, data=data) as run:
                retrain(run, found, overwrite)
                return read_child(run.workdir.child_keras)

    @property
    def best_model(self) -> keras.Model:
        """The network that `retrain` has trained in the workdir."""
        if not self._files.child_metrics.exists():
            raise InputError(f"{self._files} holds no retrained child: expected one. Call retrain() first.")
        return read_child(self._files.child_keras)

    @property
    def metrics(self) -> dict[str, Any]:
        """What retraining has written down of the child: its metrics on the test part, its sizes, its arc."""
        return self._files.child_record

    def evaluate(self) -> dict[str, float | None]:
        """Return the metrics of the retrained network, measured anew on the test part."""
        with self._run(self._options_of_child({})) as run:
            return finite({f"test_{name}": value for name, value in measure_child(run).items()})

    def export(self, formats: str | Sequence[str] | None = None) -> Path:
        """Write the retrained network in other forms, compare each with the Keras model, and return where the last is.

        Args:
          formats: names as in the option `export`, such as ("savedmodel", "litert"); those of the option for None, and
            by default the SavedModel alone.
        """
        with as_written({"export": "formats"}):
            options = self._options_of_child(option_values({"export": formats}))
            with self._run(options) as run:
                places = export(run)
                return places[-1] if places else run.workdir.saved_model  # Written by the chief, of several processes.

    def describe(self, architecture: Any = None) -> Description:
        """Return what an architecture is and what its child costs; `print` shows it, `to_json` has it as values.

        Args:
          architecture: as in `retrain`.
        """
        found = resolve(architecture, self._files, self._options_of_child({}))
        options = self._options_of_child({}, found)
        return describe(found, options, self._files.recorded_data, is_of_run=architecture is None)

    def plot(self, path: str | os.PathLike | None = None, architecture: Any = None) -> "Figure":
        """Return a picture of an architecture as a figure of Matplotlib.

        Args:
          path: where to write it, too: a file that ends with .svg or .png.
          architecture: as in `retrain`.
        """
        found = resolve(architecture, self._files, self._options_of_child({}))
        if path is not None:
            write_picture(found, Path(path))
        return draw(found)


def _named(data: Any) -> dict[str, str]:
    """Return the option that names given data; nothing where there are none."""
    return {} if data is None else {"dataset": data.dataset}
