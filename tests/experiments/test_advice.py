"""The evaluator `auto`: options become those of what it stands for, and none is lost that it reads."""

import pytest

from enas_tf.experiments.advice import advice_for, settle
from enas_tf.experiments.config import read_options

SHORT = {"evaluator": "auto", "epochs": 3, "retrain_epochs": 60, "updates_per_epoch": 2}
LONG = {"evaluator": "auto", "epochs": 64, "retrain_epochs": 8, "updates_per_epoch": 2}


def test_a_short_budget_shares_weights_and_keeps_its_options():
    found = settle(SHORT | {"trials": 50})
    assert found == SHORT | {"evaluator": "shared"}
    assert read_options(found).run.evaluator == "shared"


def test_a_long_budget_is_spent_on_trials():
    found = settle(LONG)
    assert found.keys() == {"evaluator", "retrain_epochs", "trials", "trial_epochs", "halving"}
    config = read_options(found)
    assert (config.run.evaluator, config.run.searcher) == ("scratch", "auto")
    assert settle(LONG | {"trials": 7})["trials"] == 7


def test_what_nothing_reads_is_still_refused():
    for given in (SHORT, LONG):
        assert "no_such_option" in settle(given | {"no_such_option": 1})


def test_another_evaluator_is_left_alone():
    given = {"evaluator": "scratch", "trials": 3}
    assert settle(given) == given
    assert settle({}) == {}


@pytest.mark.parametrize(
    ("given", "evaluator", "has_halving"),
    [
        (LONG | {"searcher": "reinforce"}, "shared", False),
        (LONG | {"searcher": "evolution"}, "scratch", True),
        ({"evaluator": "auto", "space": "pnas", "searcher": "progressive"}, "scratch", False),
        ({"evaluator": "auto", "space": "nas_conv"}, "scratch", True),
    ],
    ids=str,
)
def test_a_searcher_that_compares_trials_is_not_given_different_ones(given, evaluator, has_halving):
    assert advice_for(given).evaluator == evaluator
    config = read_options(settle(given))
    assert config.run.evaluator == evaluator
    assert bool(config.option_values().get("halving")) == has_halving
