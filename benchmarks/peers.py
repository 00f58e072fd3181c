"""Searchers of Optuna on a table, to compare with; without Optuna, or without what a sampler needs, there are none."""

import importlib
from collections.abc import Callable

import numpy as np

from benchmarks.tables import Table

#: Uniform proposals that a sampler begins with.
_NUM_FIRST = 20


def _optuna(
    make_sampler: Callable, needs: tuple[str, ...] = ()
) -> Callable[[Table, int], Callable[[int], np.ndarray] | None]:
    """Return a function of a table and a number of look-ups to a runner, which is a function of a seed.

    It returns None where Optuna, or one of the modules in `needs`, is not installed.
    """

    def build(table: Table, num: int) -> Callable[[int], np.ndarray] | None:
        try:
            optuna = importlib.import_module("optuna")
            for name in needs:
                importlib.import_module(name)
        except ImportError:
            return None
        optuna.logging.set_verbosity(optuna.logging.ERROR)

        def run(seed: int) -> np.ndarray:
            places: list[int] = []

            def look_up(trial) -> float:
                choices = [trial.suggest_categorical(d.name, d.choices) for d in table.space.decisions]
                tokens = [d.choices.index(choice) for d, choice in zip(table.space.decisions, choices, strict=True)]
                places.append(int(table.index(np.array(tokens))))
                return float(table.rewards[places[-1]])

            study = optuna.create_study(direction="maximize", sampler=make_sampler(optuna, seed))
            study.optimize(look_up, n_trials=num)
            return np.array(places)

        return run

    return build


def _tpe(optuna, seed: int):
    return optuna.samplers.TPESampler(seed=seed, multivariate=True, n_startup_trials=_NUM_FIRST)


def _gp(optuna, seed: int):
    return optuna.samplers.GPSampler(seed=seed, n_startup_trials=_NUM_FIRST)


#: Peers by name.
PEERS = {"optuna TPE": _optuna(_tpe), "optuna GP": _optuna(_gp, needs=("torch",))}
