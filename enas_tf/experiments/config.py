"""The configuration of a run: which components it is made of, and the options that they read.

Everything here follows from what components have registered (`registry.py`): the groups of options of a run, the
defaults of what was chosen, the refusal of an option that nothing chosen reads, and what decides a stage's results.
"""

import dataclasses
import difflib
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, Self

from enas_tf import registry
from enas_tf.errors import InputError, ref
from enas_tf.experiments.export_config import EXPORT
from enas_tf.experiments.run_config import RUN, RunConfig
from enas_tf.models.networks import NETWORKS, Networks
from enas_tf.options import Config, Group, Option
from enas_tf.registry import Entry
from enas_tf.search.config import SEARCH
from enas_tf.search.derive import DERIVE
from enas_tf.search.evaluators.evaluator import EVALUATORS
from enas_tf.search.executors.executor import EXECUTORS
from enas_tf.search.objective import OBJECTIVE
from enas_tf.search.searchers.searcher import SEARCHERS
from enas_tf.spaces.space import SPACES, Space
from enas_tf.tasks.task import TASKS, Task
from enas_tf.training.child import INHERIT, RETRAIN
from enas_tf.training.optimizers import RETRAIN_SGD

#: The options of the stages themselves, whichever components a run has.
_STAGE_GROUPS = (SEARCH, OBJECTIVE, DERIVE, RETRAIN, INHERIT, RETRAIN_SGD, EXPORT)


class RunOptions(Config):
    """The options of a whole run, and its components.

    Attributes:
      insisted: the names of the options that are refused where the data are too small for them; others are lowered.
    """

    def __init__(self, values: Mapping[Group, Any], insisted: Collection[str] = ()):
        super().__init__(values)
        self.insisted = frozenset(insisted)

    def replace(self, values):
        return type(self)(self.values | dict(values), self.insisted)

    def with_values(self, values: Mapping[str, Any]) -> Self:
        """Return the options with other values of those that `values` names."""
        changed = {}
        for group, config in self.values.items():
            fields = {found.field.name: values[found.name] for found in group.options if found.name in values}
            if fields:
                changed[group] = dataclasses.replace(config, **fields)
        return self.replace(changed)

    @property
    def run(self) -> RunConfig:
        """The options that belong to no single component."""
        return self[RUN]

    @property
    def space(self) -> Space:
        """The space of the run."""
        (group,) = SPACES.entry(self.run.space).groups
        return self[group]

    @property
    def networks(self) -> Networks:
        """The networks of the space."""
        return NETWORKS[self.run.space]

    @property
    def task(self) -> Task:
        """What the networks are for."""
        return TASKS[self.networks.task]

    def options(self) -> Iterator[tuple[Option, Any]]:
        """Yield every option that the run reads, with its value, each name once."""
        seen = set()
        for group, config in self.values.items():
            for found in group.options:
                if found.is_read(self.space) and found.name not in seen:
                    seen.add(found.name)
                    yield found, getattr(config, found.field.name)

    def option_values(self) -> dict[str, Any]:
        """Return option name -> value of every option that the run reads."""
        return {found.name: value for found, value in self.options()}

    def stage_values(self, stage: str) -> dict[str, Any]:
        """Return option name -> value of the options that decide what `stage` ("search" or "retrain") computes."""
        return {found.name: value for found, value in self.options() if found.decides and stage in found.stages}


def read_options(given: Mapping[str, Any], insisted: Collection[str] | None = None) -> RunOptions:
    """Return the configuration of a run from the options that were given; all others have their defaults.

    Args:
      given: option name -> value.
      insisted: the names of those that are not to be lowered where the data are too small for them; all by default.

    Raises:
      InputError: a value is not valid, there is no such option, or nothing chosen reads it.
    """
    run = build_run_config(given)
    entries = chosen(run)
    _check_defaults(entries)
    values = {name: value for entry in entries for name, value in entry.defaults.items()} | dict(given)
    space, read = _build_space(entries, values), _read(entries, values)
    for name, value in given.items():
        if name not in read:
            _refuse(name, value, space, entries)
    groups = groups_of(entries)
    found = {group: run if group is RUN else group.build(values) for group in groups}
    return RunOptions(found, given if insisted is None else insisted)


def build_run_config(given: Mapping[str, Any]) -> RunConfig:
    """Return the options that belong to no single component; an evaluator may have defaults of its own for them."""
    run = RUN.build(given)
    return RUN.build({**EVALUATORS.entry(run.evaluator).defaults, **given})


def _check_defaults(entries: list[Entry]) -> None:
    """Raise `InputError` for the default of an option that no component has: it would change nothing."""
    known = every_option()
    for entry in entries:
        for name in entry.defaults.keys() - known.keys():
            raise InputError(
                f"the {entry.kind} {entry.name} has a default of {ref(name)}, which is no option: correct its name "
                "where the component registers."
            )


def unread_options(given: Mapping[str, Any]) -> set[str]:
    """Return the names of the options in `given` that nothing chosen reads."""
    entries = chosen(build_run_config(given))
    return given.keys() - _read(entries, given)


def _build_space(entries: list[Entry], values: Mapping[str, Any]) -> Space:
    (group,) = entries[0].groups
    return group.build(values)


def _read(entries: list[Entry], values: Mapping[str, Any]) -> set[str]:
    """Return the names of the options that a run with these components reads."""
    space = _build_space(entries, values)
    return {found.name for group in groups_of(entries) for found in group.options if found.is_read(space)}


def chosen(run: RunConfig) -> list[Entry]:
    """Return the components of a run: space, networks, task, searcher, evaluator, and executor where one is needed."""
    networks, evaluator = NETWORKS.entry(run.space), EVALUATORS.entry(run.evaluator)
    executors = [EXECUTORS.entry(run.executor)] if getattr(evaluator.component, "trains_children", False) else []
    return [
        SPACES.entry(run.space),
        networks,
        TASKS.entry(networks.component.task),
        SEARCHERS.entry(run.searcher),
        evaluator,
        *executors,
    ]


def groups_of(entries: Iterable[Entry]) -> list[Group]:
    """Return the groups of options that a run with these components reads, each once."""
    trains = any(getattr(entry.component, "trains_children", False) for entry in entries)
    has_trials = any(getattr(entry.component, "has_trials", False) for entry in entries)
    found = [group for entry in entries for group in entry.groups if trains or not group.is_of_sharing]
    # A search by trials has a length of its own, and derives from these.
    stages = [group for group in _STAGE_GROUPS if not (has_trials and group in (SEARCH, DERIVE))]
    return list(dict.fromkeys([RUN, *found, *stages]))


def every_option() -> dict[str, list[tuple[Entry | None, Option]]]:
    """Return option name -> all components that offer it (None: the stages themselves), with the option of each."""
    found: dict[str, list[tuple[Entry | None, Option]]] = {}
    owners: list[tuple[Entry | None, Group]] = [(None, RUN)]
    owners += [(entry, group) for kind in registry.Registry.every for entry in kind.entries() for group in entry.groups]
    owners += [(None, group) for group in _STAGE_GROUPS]
    for entry, group in owners:
        for offered in group.options:
            found.setdefault(offered.name, []).append((entry, offered))
    return found


def defaults_in_words(name: str) -> str:
    """Return the default of option `name`, and those of single components that have others."""
    offers = every_option()[name]
    entries = [entry for kind in registry.Registry.every for entry in kind.entries()]
    own = {f"{entry.kind} {entry.name}": entry.defaults[name] for entry in entries if name in entry.defaults}
    first = _default(offers[0][1])
    for entry, offered in offers:
        if entry is not None and _default(offered) != first:
            own.setdefault(f"{entry.kind} {entry.name}", _default(offered))
    words = [_show(first), *(f"{_show(value)} with the {owner}" for owner, value in own.items())]
    return "; ".join(words) if any(words) else ""


def _default(offered: Option) -> Any:
    return offered.field.default


def _show(value: Any) -> str:
    return ",".join(value) if isinstance(value, list | tuple) else "" if value is None else str(value)


def _refuse(name: str, value: Any, space: Space, entries: list[Entry]) -> None:
    """Raise the `InputError` of an option that nothing chosen reads."""
    offers = every_option().get(name)
    if offers is None:
        close = difflib.get_close_matches(name, every_option(), n=1)
        hint = f" Did you mean {ref(close[0])}?" if close else ""
        raise InputError(f"there is no option {ref(name)}.{hint}")
    shown = f"{ref(name)}={_show(value)}"
    for entry, offered in offers:
        if entry in entries:
            needs = offered.field.metadata["needs"]
            if needs is None:
                judge = next(other.name for other in entries if other.kind == EVALUATORS.kind)
                raise InputError(
                    f"{shown} is for evaluators that train shared weights, and {ref('evaluator')}={judge} trains none: "
                    "leave it out."
                )
            needed = (needs.__doc__ or "other spaces").rstrip(".")
            raise InputError(f"{shown} is for {needed}, and the {space.name} space is none of these: leave it out.")
    if all(entry is None for entry, _ in offers):
        judge = next(other.name for other in entries if other.kind == EVALUATORS.kind)
        raise InputError(
            f"{shown} is for searches by epochs, and {ref('evaluator')}={judge} searches by trials: leave it out. "
            f"{ref('trials')} and {ref('trial_epochs')} say how long such a search is."
        )
    owners = list(dict.fromkeys(f"the {entry.name} {_noun(entry)}" for entry, _ in offers if entry is not None))
    kind = next(_noun(entry) for entry, _ in offers if entry is not None)
    mine = [entry for entry in entries if _noun(entry) == kind]
    choice = f"{ref(kind)}={mine[0].name}" if kind != "task" else f"{ref('space')}={space.name}"
    raise InputError(
        f"{shown} belongs to {' and '.join(owners)}, while {choice}: {_cure(offers[0][1], entries, mine)}."
    )


def _noun(entry: Entry) -> str:
    """Return the kind of component that a user chooses: networks come with their space."""
    return "space" if entry.kind == NETWORKS.kind else entry.kind


def _cure(refused: Option, entries: list[Entry], mine: list[Entry]) -> str:
    """Return what to do about an option that belongs to another component than those in `mine`."""
    own = [found for entry in entries for group in entry.groups for found in group.options]
    for found in own:
        if refused.field.metadata["items"] and found.field.metadata["items"]:
            return f"expected {ref(found.name)} with names out of {', '.join(found.field.metadata['items'])}"
    names = [ref(found.name) for entry in mine for group in entry.groups for found in group.options]
    listed = f", or say what is meant by the options of the {mine[0].name} {_noun(mine[0])} ({', '.join(names)})"
    return f"leave it out{listed if names else ''}"


#: The options that choose the other components of a run.
_CHOICES = ("searcher", "evaluator", "executor")


def to_flagfile(options: RunOptions) -> str:
    """Return the text of a flagfile that says this configuration: the space, and every option that is no default."""
    run = options.run
    defaults = read_options({name: getattr(run, name) for name in ("space", *_CHOICES)}).option_values()
    lines = [f"--import={path}" for path in registry.imported()] + [f"--space={run.space}"]
    for found, value in options.options():
        # With another evaluator the default of a choice may be another one.
        is_other = run.evaluator != RUN.default.evaluator
        is_choice = found.name in _CHOICES and (is_other or value != getattr(RUN.default, found.name))
        if found.name != "space" and (is_choice or value != defaults[found.name]):
            lines.append(f"--{found.name}={_show(value)}")
    return "\n".join(lines) + "\n"


def from_flagfile(text: str) -> RunOptions:
    """Return the configuration that `to_flagfile` has written down."""
    offers, given = every_option(), {}
    for name, _, value in (line.removeprefix("--").partition("=") for line in text.splitlines()):
        if name in offers:
            kind: Any = offers[name][0][1].kind
            given[name] = value == "True" if kind is bool else value.split(",") if kind is tuple else kind(value)
    return read_options(given)
