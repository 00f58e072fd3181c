"""The evaluator `auto`: it stands for another one, which follows from the length of the search."""

from collections.abc import Mapping
from typing import Any

from enas_tf.experiments.config import RunOptions, read_options, unread_options
from enas_tf.experiments.run_config import AUTO
from enas_tf.search.advice import Advice, advise
from enas_tf.search.config import SEARCH
from enas_tf.search.searchers.searcher import SEARCHERS
from enas_tf.training.child import RETRAIN
from enas_tf.training.runners import has_supernet


def settle(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that were given, with the evaluator that `auto` stands for.

    Options that only the other design reads are left out: the length of the search is given in epochs, whatever it is
    spent on. Options of trials that were given stay.
    """
    if given.get("evaluator") != AUTO:
        return dict(given)
    advice = advice_for(given)
    chosen = {**advice.options, **given, "evaluator": advice.evaluator}
    other = {**given, "evaluator": "shared" if advice.evaluator == "scratch" else "scratch"}
    of_the_other = unread_options(chosen) - unread_options(other)
    return {name: value for name, value in chosen.items() if name not in of_the_other}


def advice_for(given: Mapping[str, Any]) -> Advice:
    """Return the design that suits options as they were given, those of a search by epochs.

    A searcher that was chosen and compares trials of one length with each other is not given trials of different ones.
    """
    shared = {**given, "evaluator": "shared"}
    unread = unread_options(shared)
    config = read_options({name: value for name, value in shared.items() if name not in unread})
    searcher = SEARCHERS[config.run.searcher]
    if "searcher" in given and searcher.proposes_levels:
        return Advice("scratch", {}, f"{config.run.searcher} compares whole levels of trials.")
    if "searcher" in given and searcher.learns_from_batches:
        name = "shared" if has_supernet(config.networks) else "scratch"
        return Advice(name, {}, f"{config.run.searcher} compares proposals that were judged alike.")
    return advice_of(config)


def advice_of(config: RunOptions) -> Advice:
    """Return the design that suits the length of a search by epochs."""
    return advise(config[SEARCH].epochs, config[RETRAIN].epochs, has_supernet(config.networks))
