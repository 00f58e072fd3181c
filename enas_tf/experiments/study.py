"""A study: do searches find better networks than luck? Found architectures beside random ones that are trained alike.

Cost is counted in units of data that pass through a network: a training step on an image counts 1, a reward or a score
on an image a third of that. It is given in full trainings of a child, with that of the found architecture.
"""

import csv
import dataclasses
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from enas_tf.errors import InputError, count_of
from enas_tf.experiments.config import RunOptions
from enas_tf.experiments.recipes import build_executor, ledger_at
from enas_tf.experiments.run import Run
from enas_tf.experiments.starting import build_stage
from enas_tf.experiments.workdir import Workdir
from enas_tf.runtime.files import write_json
from enas_tf.search.config import SEARCH
from enas_tf.search.derive import DERIVE
from enas_tf.search.evaluators.shared import SHARED
from enas_tf.search.ledger import Ledger
from enas_tf.search.trials import Job, Measurement, Outcome, Trial
from enas_tf.search.watching import watch
from enas_tf.spaces.architectures import read_architecture
from enas_tf.training.child import RETRAIN
from enas_tf.training.optimizers import SGD
from enas_tf.training.scratch import Training

#: A forward pass costs about a third of a training step.
_FORWARD = 1 / 3
#: Added to the seed of the run for short trainings: one that begins as a whole one does would rank better than it can.
_SHORT = 1_000
#: Purpose of the random numbers that draw the random children.
_CHILDREN = 1805


@dataclasses.dataclass(frozen=True)
class Child:
    """An architecture that was trained from scratch, alone.

    Attributes:
      valid: the metric on the validation part, one for each training seed.
      test: the metric on the test part.
      score: name of a search -> its metric by the shared weights of that search.
      short: epochs -> the metric on the validation part after another training of so many epochs.
    """

    tokens: tuple[int, ...]
    arc: str
    parameters: int
    flops: int
    valid: tuple[float, ...]
    test: tuple[float, ...]
    score: dict[str, float] = dataclasses.field(default_factory=dict)
    short: dict[int, float] = dataclasses.field(default_factory=dict)

    @property
    def chosen_by(self) -> float:
        """The metric on the validation part after the first training, by which who trains once can choose."""
        return self.valid[0]

    @property
    def worth(self) -> float:
        """The mean test metric of the other trainings, whose luck has no part in the choice; else of the first."""
        others = [value for value in self.test[1:] if math.isfinite(value)]
        return float(np.mean(others or self.test[:1]))


@dataclasses.dataclass(frozen=True)
class Search:
    """A finished search of a study.

    Attributes:
      name: of the kind of search, such as reinforce:shared.
      seed: of the search.
      workdir: its directory.
      cost: in full trainings of a child, that of the found architecture included.
    """

    name: str
    seed: int
    workdir: Path
    tokens: tuple[int, ...]
    cost: float


class Study:
    """Random children and found architectures, trained alike with several seeds.

    Args:
      run: the options, the data and the directory of the study.
      num_children: how many random ones.
      num_seeds: with how many seeds each is trained.
    """

    def __init__(self, run: Run, num_children: int, num_seeds: int):
        self.run, self.num_seeds = run, num_seeds
        self.epochs = run.config[RETRAIN].epochs
        rng = np.random.default_rng([run.seed, _CHILDREN])
        drawn = np.unique(run.space.random_tokens(num_children, rng), axis=0)
        self.random = [tuple(row.tolist()) for row in drawn]

    @property
    def units_of_training(self) -> float:
        """The cost of the training of one child."""
        return self.epochs * len(self.run.data.train)

    def read_search(self, name: str, seed: int, workdir: Path, config: RunOptions) -> Search:
        """Return what a finished search has found, and what it has cost."""
        architecture = read_architecture(str(Workdir(workdir).architecture))
        tokens = tuple(self.run.space.encode(architecture).tolist())
        cost = search_cost(config, self.run, ledger_at(self.run, Workdir(workdir).trials)) / self.units_of_training
        return Search(name, seed, workdir, tokens, 1.0 + cost)

    def train(self, found: list[tuple[int, ...]], short: Sequence[int] = ()) -> list[Child]:
        """Train random children and the `found` architectures; return all, each once, the random ones first.

        Args:
          found: tokens of architectures.
          short: the random ones are also trained for so many epochs each, alone.
        """
        tokens = list(dict.fromkeys([*self.random, *found]))
        outcomes = [self._train_with(number, f"trials_{number}.jsonl", tokens) for number in range(self.num_seeds)]
        name = "trials_short.jsonl"
        shortly = {epochs: self._train_with(_SHORT, name, self.random, epochs) for epochs in short}
        children = []
        for place, key in enumerate(tokens):
            architecture = self.run.space.decode(key)
            config, networks = self.run.config, self.run.networks
            cost = networks.count(architecture, networks.as_child(config[networks.network]), self.run.shape)
            valid, test = (tuple(values) for values in zip(*(_values(found[place]) for found in outcomes), strict=True))
            mine = {epochs: _values(found[place])[0] for epochs, found in shortly.items() if place < len(found)}
            children.append(
                Child(key, architecture.to_arc(), cost.parameters, cost.flops, valid, test, short=mine),
            )
        return children

    def _train_with(
        self, number: int, name: str, tokens: list[tuple[int, ...]], epochs: int | None = None
    ) -> list[Outcome | None]:
        """Return what came of the training of each architecture with one seed.

        Args:
          number: added to the seed of the run.
          name: of the ledger.
          tokens: the architectures.
          epochs: the length of a training that is not tested; None for a whole one, which is.
        """
        run = self.run
        config = run.config.with_values({"seed": (run.seed + number) % 2**32})
        training = Training(config.option_values()["batch_size"], config[SGD], is_tested=epochs is None)
        ledger = ledger_at(run, run.workdir.path / name)
        trials = [Trial(key, (epochs or self.epochs,), "study") for key in tokens]
        left = [trial for trial in trials if ledger.find(trial) is None]
        words = f"children, {count_of(epochs, 'epoch')}" if epochs else f"children, seed {number + 1}"
        with (
            build_executor(run, training, config) as executor,
            run.reporter.progress(words, len(left), "children", watch(executor, ledger)) as advance,
        ):
            for trial in left:
                architecture = run.space.decode(trial.tokens)
                entry = ledger.begin(trial, architecture.to_arc(), {"parameters": 0, "flops": 0})
                executor.submit(Job(entry.number, trial))
            for _ in left:
                result = executor.next()
                ledger.finish(ledger.entries[result.number], result.outcome)
                advance(1)
        entries = [ledger.find(trial) for trial in trials]
        return [entry.outcome if entry else None for entry in entries]

    def score(self, children: list[Child], search: Search, config: RunOptions) -> list[Child]:
        """Return the children with their metric by the shared weights of a search; as they are where it has none."""
        run = Run(config, search.workdir)
        stage = build_stage(run)
        if stage.evaluator.has_trials or not stage.evaluator.trains_children:
            return children
        place = search.workdir / "study_scores.json"
        known: dict[str, float] = json.loads(place.read_text()) if place.exists() else {}
        if any(child.arc not in known for child in children):
            stage.restore()
            known = {child.arc: float(stage.evaluator.score(np.array(child.tokens, np.int32))) for child in children}
            write_json(place, {arc: value for arc, value in known.items() if math.isfinite(value)})
        key = f"{search.name}, seed {search.seed}"
        return [
            dataclasses.replace(child, score=child.score | {key: known.get(child.arc, math.nan)}) for child in children
        ]


def _values(outcome: Outcome | None) -> tuple[float, float]:
    """Return the metric on the validation and on the test part, NaN where there is none."""
    if not isinstance(outcome, Measurement):
        return math.nan, math.nan
    return outcome.value, math.nan if outcome.test is None else outcome.test


def search_cost(config: RunOptions, run: Run, ledger: Ledger) -> float:
    """Return what a search has cost without the training of its result: examples of training, or a third for others."""
    train, valid = len(run.data.train), len(run.data.valid)
    cost = sum(_epochs_of(entry.trial) * train for entry in ledger.entries if isinstance(entry.outcome, Measurement))
    if SEARCH not in config.values:
        return float(cost)
    search, derive, shared = config[SEARCH], config[DERIVE], config[SHARED]
    batch = min(run.task.examples_of(config, shared.batch_size), valid)
    cost += search.epochs * train * (SHARED in config.values)
    judged = search.num_updates * search.samples_per_update * shared.reward_batches * batch
    judged += derive.derive_samples * (derive.derive_batches * batch or valid)
    judged += min(derive.derive_kept, derive.derive_samples) * valid * bool(derive.derive_batches)
    return cost + _FORWARD * judged


def _epochs_of(trial: Trial) -> int:
    """Return how many epochs a trial has added to the one that it prolongs."""
    return trial.budgets[-1] - (trial.budgets[-2] if len(trial.budgets) > 1 else 0)


def read_truth(path: Path, run: Run) -> tuple[list[Child], int]:
    """Return the children of a ground truth, random ones first, and how many these are.

    The file is a CSV with arc, origin, parameters, flops, valid_0, test_0, valid_1, ... short_1, ... Without the column
    origin (random or found) all are random.

    Raises:
      InputError: the file is not there, or has other columns.
    """
    try:
        with path.open(newline="") as file:
            rows: list[dict[str, Any]] = list(csv.DictReader(file))
        seeds, short = ([n.removeprefix(p) for n in rows[0] if n.startswith(p)] for p in ("test_", "short_"))
        children = []
        rows.sort(key=lambda row: row.get("origin", "random") != "random")
        for row in rows:
            tokens = tuple(run.space.encode(read_architecture(row["arc"], run.space.name)).tolist())
            valid, test = (tuple(float(row[f"{part}_{seed}"] or "nan") for seed in seeds) for part in ("valid", "test"))
            sizes = int(row["parameters"]), int(row["flops"])
            mine = {int(epochs): float(row[f"short_{epochs}"] or "nan") for epochs in short}
            children.append(Child(tokens, row["arc"], *sizes, valid, test, short=mine))
    except (OSError, KeyError, ValueError, IndexError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            f"the ground truth {path.absolute()} cannot be read ({type(error).__name__}: {error}): expected a CSV file "
            "with the columns arc, parameters, flops, valid_0, test_0, as children.csv of a study."
        ) from error
    return children, sum(row.get("origin", "random") == "random" for row in rows)


def seeds_in_words(num_children: int, num_seeds: int) -> str:
    """Return what is trained, in words."""
    return f"{count_of(num_children, 'random child')}, {count_of(num_seeds, 'seed')} each"
