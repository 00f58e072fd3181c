"""The advice on a design follows from the budget alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enas_tf.search.advice import _ENOUGH, advise
from enas_tf.search.halving import budgets_of


@given(epochs=st.integers(1, 2000), retrain_epochs=st.integers(1, 700))
def test_the_budget_is_kept_and_used(epochs, retrain_epochs):
    """One more architecture would exceed it."""
    options = advise(epochs, retrain_epochs, has_supernet=False).options
    budgets = budgets_of(options["trial_epochs"], options["halving"])
    num = options["trials"]

    def cost(num):
        steps = [longer - shorter for longer, shorter in zip(budgets, (0, *budgets), strict=False)]
        return sum(num // 3**rung * step for rung, step in enumerate(steps))

    assert num == 1 or cost(num) <= epochs
    assert cost(num + 1) > epochs


@pytest.mark.parametrize(
    ("epochs", "retrain_epochs", "evaluator"),
    [
        (310, 310, "shared"),
        (30, 60, "shared"),
        (16, 10, "shared"),
        (64, 8, "scratch"),
        (310, 30, "scratch"),
        (310, 31, "shared"),
    ],
)
def test_a_budget_of_many_short_trainings_is_spent_on_them(epochs, retrain_epochs, evaluator):
    advice = advise(epochs, retrain_epochs, has_supernet=True)
    assert advice.evaluator == evaluator
    assert (advice.options.get("trials", 0) >= _ENOUGH) == (evaluator == "scratch")
    assert str(retrain_epochs) in advice.reason


def test_a_space_without_shared_weights_leaves_no_choice():
    assert advise(1, 310, has_supernet=False).evaluator == "scratch"
