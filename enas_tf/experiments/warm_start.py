"""The warm start: a search begins with the shared weights and the policy of another one of the same networks."""

from pathlib import Path
from typing import Any

from enas_tf.errors import InputError, ref
from enas_tf.experiments.run import Run
from enas_tf.experiments.workdir import Workdir
from enas_tf.reading import read_json
from enas_tf.runtime.checkpoints import Checkpoints, Position
from enas_tf.search.config import SEARCH
from enas_tf.search.evaluators.evaluator import Evaluator
from enas_tf.search.searchers.searcher import Searcher
from enas_tf.spaces.space import SPACES


class WarmStart:
    """What a search takes from the run that the option `start_from` names.

    Args:
      run: the search that begins.
      searcher: its searcher.
      evaluator: its evaluator.

    Raises:
      InputError: there is no such search, its networks are others, or nothing of it can be taken.
    """

    def __init__(self, run: Run, searcher: Searcher, evaluator: Evaluator):
        self._place = Path(run.config[SEARCH].start_from or "")
        source = Workdir(self._place)
        shown = f"{ref('start_from')}={run.asked[SEARCH].start_from}"
        if self._place.resolve() == run.workdir.path.resolve():
            raise InputError(f"{shown} is the {ref('workdir')} itself: expected that of another search.")
        flags = source.checkpoints("search") / "flags.json"
        if not flags.is_file():
            raise InputError(
                f"{shown} holds no search ({source}): expected the directory of a run that has searched by shared "
                "weights. Correct the path."
            )
        old = read_json(flags, "the options of the search there", f"Leave out {ref('start_from')}.")
        _check_same_networks(run, old, shown)
        self._objects: dict[str, Any] = dict(evaluator.carried)
        if old.get("searcher") == run.config.run.searcher:
            self._objects |= searcher.carried
        if not self._objects:
            raise InputError(
                f"{shown} has nothing for {ref('evaluator')}={run.config.run.evaluator} and {ref('searcher')}="
                f"{run.config.run.searcher}: expected {ref('evaluator')}=shared. Leave it out."
            )
        self._checkpoints = Checkpoints(source.checkpoints("search"), self._objects)
        found = self._checkpoints.latest_position()
        if found is None:
            raise InputError(f"{shown} holds no searched weights ({source}): expected checkpoints/search there.")
        if (name := self._checkpoints.differing()) is not None:
            raise InputError(
                f"{shown} has other weights than this search ({name}): expected data of the same shape and the same "
                "number of classes, and the same options of the controller. Leave it out."
            )
        self.position: Position = found

    @property
    def in_words(self) -> str:
        """The row about it: where from, and what."""
        what = " and ".join("the policy" if name == "controller" else "shared weights" for name in self._objects)
        return f"{what} of {self._place}, after epoch {self.position.epoch}"

    def apply(self) -> None:
        """Set the weights of the searcher and of the evaluator."""
        self._checkpoints.take_latest()


def _check_same_networks(run: Run, old: dict[str, Any], shown: str) -> None:
    """Raise `InputError` unless the options of the space and of its networks are those of the search there."""
    networks = run.networks
    (space,) = SPACES.entry(run.config.run.space).groups
    values = run.recorded_config.stage_values("search")
    names = ["space", *(option.name for group in (space, networks.network) for option in group.options)]
    new = {name: list(values[name]) if isinstance(values[name], tuple) else values[name] for name in names
           if name in values}  # fmt: skip
    changes = [f"{ref(name)} was {old[name]}, is {new[name]}" for name in new if name in old and old[name] != new[name]]
    if changes:
        raise InputError(
            f"{shown} has searched other networks ({', '.join(changes)}): expected the same space and the same sizes. "
            "Repeat its options, or leave it out."
        )
