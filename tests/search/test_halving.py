"""Successive halving: budgets, and which trials are prolonged (Li et al. 2018, algorithm 2)."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from enas_tf.search.halving import Halving, Levels, budgets_of, expected_number
from enas_tf.search.ledger import Entry
from enas_tf.search.trials import Failure, Measurement, Trial


@pytest.mark.parametrize(
    ("most", "factor", "expected"),
    [
        (9, 3, (1, 3, 9)),
        (20, 3, (1, 3, 7, 20)),
        (8, 2, (1, 2, 4, 8)),
        (1, 3, (1,)),
        (2, 4, (1, 2)),
        (20, 0, (20,)),
    ],
)
def test_budgets(most, factor, expected):
    assert budgets_of(most, factor) == expected


def finish(values, halving, budgets=None):
    """Return entries with these values of the metric, None for a failed trial."""
    outcomes = [Failure("crashed", "") if v is None else Measurement(v, 0.0, (v,), 1.0, "CPU") for v in values]
    trials = [Trial((number,), budgets or halving.first) for number in range(len(values))]
    return [Entry(n, trial, "", {}, outcome) for n, (trial, outcome) in enumerate(zip(trials, outcomes, strict=True))]


HALVING = Halving(budgets_of(9, 3), 3)


def test_one_in_three_is_prolonged_the_best_first():
    entries = finish([0.1, 0.6, 0.3, 0.9, 0.5, 0.2], HALVING)
    assert HALVING.promote(entries[:2], 2) is None, "of two, a third is nobody"
    assert HALVING.promote(entries[:3], 3) == Trial((1,), (1, 3))
    assert HALVING.promote(entries, 6) == Trial((3,), (1, 3))
    begun = [*entries, Entry(6, Trial((3,), (1, 3)), "", {})]
    assert HALVING.promote(begun, 6) == Trial((1,), (1, 3))
    begun.append(Entry(7, Trial((1,), (1, 3)), "", {}))
    assert HALVING.promote(begun, 6) is None


def test_the_highest_rung_goes_first():
    first = finish([0.5, 0.6, 0.7, 0.8, 0.4, 0.3], HALVING)
    second = finish([0.5, 0.9, 0.7], HALVING, (1, 3))
    assert HALVING.promote([*first, *second], 9) == Trial((1,), (1, 3, 9))


def test_of_perplexities_the_lowest_is_prolonged():
    halving = Halving(budgets_of(9, 3), 3, is_higher_better=False)
    assert halving.promote(finish([0.5, 0.4, 0.9], halving), 3) == Trial((1,), (1, 3))


def test_without_halving_nothing_is_prolonged():
    halving = Halving(budgets_of(9, 0), 0)
    assert halving.promote(finish([0.5] * 9, halving), 9) is None


values_of_trials = st.lists(st.none() | st.sampled_from([0.1, 0.5, 0.5, 0.9]), max_size=20)


@given(values_of_trials, st.integers(0, 20))
def test_failed_trials_are_never_prolonged_and_only_known_results_count(values, known):
    entries = finish(values, HALVING)
    known = min(known, len(entries))
    found = HALVING.promote(entries, known)
    unknown = finish([*values[:known], *([None] * (len(values) - known))], HALVING)
    assert HALVING.promote(unknown, known) == found, "later results change nothing"
    best = sorted((v for v in values[:known] if v is not None), reverse=True)[: known // 3]
    if found is None:
        assert not best
    else:
        assert values[found.tokens[0]] in best


@pytest.mark.parametrize("num", [1, 3, 10, 40])
def test_the_number_of_trainings_is_never_more_than_expected(num):
    """Every promotion at once: the most that a search can take."""
    values = np.random.default_rng(num).permutation(num) / num
    entries = finish(values.tolist(), HALVING)
    while (longer := HALVING.promote(entries, len(entries))) is not None:
        value = values[longer.tokens[0]]
        entries.append(Entry(len(entries), longer, "", {}, Measurement(value, 0.0, (value,), 1.0, "CPU")))
    assert len(entries) == expected_number(num, HALVING)
    assert max(entry.trial.epochs for entry in entries) == 9 or num < 9


def test_rewards_of_longer_trainings_are_levelled():
    levels = Levels()
    short = [levels.level(Trial((n,), (1,)), reward) for n, reward in enumerate((0.2, 0.4, 0.3))]
    assert short == [0.2, 0.4, 0.3]
    # All gain 0.3: a longer training says nothing new of anybody.
    longer = [levels.level(Trial((n,), (1, 3)), reward) for n, reward in enumerate((0.5, 0.7, 0.6))]
    np.testing.assert_allclose(longer, short)
    # One that gains more than the others did is worth more, and stands below their rewards as they are.
    levels.level(Trial((5,), (1,)), 0.3)
    assert 0.3 < levels.level(Trial((5,), (1, 3)), 0.8) < 0.5
    # The next budget is compared with what is left of this one.
    assert levels.level(Trial((0,), (1, 3, 9)), 0.9) == pytest.approx(longer[0])


def test_what_is_no_number_levels_nothing():
    levels = Levels()
    assert np.isnan(levels.level(Trial((0,), (1,)), np.nan))
    assert levels.level(Trial((0,), (1, 3)), 0.7) == 0.7
    levels.level(Trial((1,), (1,)), 0.2)
    assert np.isnan(levels.level(Trial((1,), (1, 3)), np.nan))
    levels.level(Trial((2,), (1,)), 0.2)
    assert levels.level(Trial((2,), (1, 3)), 0.6) == pytest.approx(0.2)
