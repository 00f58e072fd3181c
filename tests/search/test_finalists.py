"""Finalists: the best by shared weights and the controls are trained, ranked, and trained again, each once."""

import math

import numpy as np
import pytest
import scipy.stats

from enas_tf.errors import InputError
from enas_tf.ops.costs import Cost
from enas_tf.search.candidates import Candidate
from enas_tf.search.config import FinalistsConfig
from enas_tf.search.finalists import Finals, agreement, budgets_for, order_all, stage_name
from enas_tf.search.ledger import Ledger
from enas_tf.search.objective import Objective
from enas_tf.search.states import States
from enas_tf.search.trials import Failure, Measurement
from enas_tf.spaces.macro import MacroSpace
from tests.search.fake_trials import FakeExecutor, Killed, kill_at

SPACE = MacroSpace(num_layers=3)
TOKENS = [tuple(row) for row in np.unique(SPACE.random_tokens(40, np.random.default_rng(0)), axis=0)[::2][:12].tolist()]
#: What is known after the short training; the order of shared weights is that of `TOKENS`.
VALUES = dict(zip(TOKENS, [0.3, 0.8, 0.1, 0.7, 0.6, 0.2, 0.9, 0.5, 0.4, 0.35, 0.45, 0.95], strict=True))


def candidates(controls=(8, 11)):
    return [
        Candidate(SPACE.decode(np.array(row)), row, "valid_accuracy", 1 - place / 20, Cost(10 + place, 100 - place),
                  {"control": "random"} if place in controls else {})
        for place, row in enumerate(TOKENS)
    ]  # fmt: skip


def outcome_of(trial):
    """The longer training turns the order round."""
    value = VALUES[trial.tokens] if len(trial.budgets) == 1 else 1 - VALUES[trial.tokens]
    return Measurement(value, 0.5, (value,), 1.0, "CPU")


def run(place, executor, num=6, budgets=(2, 8), is_higher_better=True):
    reports = []
    finals = Finals(
        executor,
        Ledger(place / "trials.jsonl", {"space": "macro"}),
        States(place / "states"),
        budgets,
        Objective(is_higher_better),
        lambda candidate, trial, outcome: reports.append((candidate.tokens, trial.budgets, outcome)),
    )
    return finals.run(candidates(), num), reports


def test_the_best_and_the_controls_are_trained_and_the_best_third_again(tmp_path):
    executor = FakeExecutor(3, outcome_of)
    (by_shared, by_short, by_long), reports = run(tmp_path, executor)
    chosen = [TOKENS[place] for place in (0, 1, 2, 3, 4, 5, 8, 11)]
    assert [c.tokens for c in by_shared] == chosen
    assert [c.tokens for c in by_short] == sorted(chosen, key=lambda tokens: -VALUES[tokens])
    assert [c.tokens for c in by_long] == [by_short[1].tokens, by_short[0].tokens], "two of six, controls among them"
    assert [trial.tokens for trial in executor.trials if trial.budgets == (2, 8)] == [c.tokens for c in by_short[:2]]
    assert {job.done for job in executor.jobs} == {0, 2}, "the second training goes on from the first"
    assert len(reports) == len(executor.jobs) == 10
    winner = by_long[0]
    assert winner.more["valid_accuracy_2_epochs"] == VALUES[winner.tokens]
    assert winner.more["valid_accuracy_8_epochs"] == 1 - VALUES[winner.tokens]
    assert not list((tmp_path / "states").glob("*"))


def test_all_candidates_keep_the_place_that_they_have_reached(tmp_path):
    stages, _ = run(tmp_path, FakeExecutor(0, outcome_of))
    ordered = order_all(candidates(), stages)
    assert sorted(c.tokens for c in ordered) == sorted(TOKENS)
    assert [c.tokens for c in ordered[:2]] == [c.tokens for c in stages[2]]
    assert [c.tokens for c in ordered[2:8]] == [c.tokens for c in stages[1][2:]]
    assert [c.tokens for c in ordered[8:]] == [TOKENS[place] for place in (6, 7, 9, 10)]


def test_perplexities_are_ranked_from_below(tmp_path):
    (_, by_short, by_long), _ = run(tmp_path, FakeExecutor(0, outcome_of), is_higher_better=False)
    assert [VALUES[c.tokens] for c in by_short] == sorted(VALUES[c.tokens] for c in by_short)
    assert [VALUES[c.tokens] for c in by_long] == [0.2, 0.1]


def test_a_finalist_that_fails_is_the_last(tmp_path):
    def outcome(trial):
        return Failure("memory", "") if trial.tokens == TOKENS[1] else outcome_of(trial)

    (_, by_short, _), _ = run(tmp_path, FakeExecutor(0, outcome))
    assert by_short[-1].tokens == TOKENS[1]
    assert math.isnan(by_short[-1].more["valid_accuracy_2_epochs"])
    assert len(by_short) == 8


@pytest.mark.parametrize("number", [1, 2, 5, 12, 17, 20])
@pytest.mark.parametrize("torn", [False, True])
def test_finalists_that_are_killed_resume_without_training_one_again(tmp_path, number, torn):
    expected, reports = run(tmp_path / "unbroken", FakeExecutor(0, outcome_of))
    first, second = FakeExecutor(1, outcome_of), FakeExecutor(2, outcome_of)
    with pytest.MonkeyPatch.context() as patched:
        kill_at(patched, number, torn)
        with pytest.raises(Killed):
            run(tmp_path / "killed", first)
    known = {e.trial for e in Ledger(tmp_path / "killed" / "trials.jsonl", {}).entries if e.outcome is not None}
    stages, again = run(tmp_path / "killed", second)
    assert stages == expected
    assert not known & set(second.trials)
    assert sorted(map(repr, again)) == sorted(map(repr, reports)), "each is reported, also those that are known"
    entries = Ledger(tmp_path / "killed" / "trials.jsonl", {}).entries
    assert len({entry.trial for entry in entries}) == len(entries) == len(reports), "and has one entry"


@pytest.mark.parametrize(
    ("epochs", "budgets"), [(310, (20, 78)), (60, (4, 15)), (16, (1, 4)), (4, (1,)), (1, (1,)), (5, (1, 2))]
)
def test_budgets(epochs, budgets):
    assert budgets_for(epochs) == budgets


def test_names_of_stages():
    assert stage_name("valid_accuracy", 1) == "valid_accuracy_1_epoch"
    assert stage_name("valid_perplexity", 4) == "valid_perplexity_4_epochs"


def test_agreement_is_kendalls_tau():
    rng = np.random.default_rng(0)
    values, others = rng.integers(0, 6, 20).astype(float), rng.integers(0, 6, 20).astype(float)
    mine = {(number,): value for number, value in enumerate(values)}
    its = {(number,): value for number, value in enumerate(others[:15])}
    expected = scipy.stats.kendalltau(values[:15], others[:15]).statistic
    assert agreement(mine, its) == pytest.approx(expected)
    assert agreement(mine, mine) == pytest.approx(1)
    assert agreement(mine, {tokens: -value for tokens, value in mine.items()}) == pytest.approx(-1)
    # Four pairs of which one is swapped: (5 - 1) / 6.
    assert agreement(dict(zip("abcd", (1, 2, 3, 4), strict=True)), dict(zip("abcd", (1, 3, 2, 4), strict=True))) == (
        pytest.approx(4 / 6)
    )


def test_agreement_leaves_out_what_is_no_number():
    values = {(number,): float(number) for number in range(4)}
    assert agreement(values, values | {(3,): math.nan}) == pytest.approx(1)
    assert math.isnan(agreement(values, {(0,): 1.0, (1,): 2.0})), "two say nothing"
    assert math.isnan(agreement(values, dict.fromkeys(values, math.nan)))


def test_a_negative_number_is_refused():
    with pytest.raises(InputError, match=r"finalists=-1 is not valid: expected 0 or more"):
        FinalistsConfig(-1)
