"""Designs that are replayed on children whose trainings are known."""

import dataclasses
import math

import pytest

from enas_tf.experiments.study import Child
from enas_tf.experiments.study_designs import Design, budget_rows, designs_of, replay


def children(num=30, short=(1, 3), is_known=True):
    """Children of the test metrics 0 .. num - 1; short trainings rank them, or say nothing."""
    return [
        Child((n,), f"arc {n}", 1, 1, (float(n),), (float(n),), short={e: float(n) * is_known for e in short})
        for n in range(num)
    ]


@pytest.mark.parametrize(
    ("epochs", "cost", "nums"),
    [
        ((10,), 8, (8,)),
        ((10,), 0.5, (0,)),
        # 71 epochs for 71 of one epoch, then nine more for the best.
        ((1, 10), 8, (71, 1)),
        ((2, 10), 8, (36, 1)),
        # 27 + 9 * 2 + 3 * 7 = 66 epochs, and no more than 80 for 35 + 11 * 2 + 3 * 7.
        ((1, 3, 10), 6.6, (27, 9, 3)),
        ((1, 3, 10), 8, (35, 11, 3)),
    ],
)
def test_a_budget_is_spent_and_not_exceeded(epochs, cost, nums):
    assert Design(epochs).nums_for(cost) == nums


@pytest.mark.parametrize(
    ("cost", "nums"),
    # At 8: 4 * 9 of 80 epochs for the best four, and 44 for one epoch each. Half of 1 is no whole training.
    [(8, (44, 4)), (4, (22, 2)), (2, (11, 1)), (1, (0, 0))],
)
def test_a_share_of_the_cost_trains_several_whole(cost, nums):
    design = Design((1, 10), 0.5)
    assert design.nums_for(cost) == nums
    assert nums[0] + 9 * nums[1] <= 10 * cost


def test_who_chooses_sees_one_training_and_is_judged_by_others():
    """The first training of the child 7 is the luckiest, the others say what it is worth."""
    trained = [Child((n,), f"arc {n}", 1, 1, (9.0 if n == 7 else n / 9, 5.0), (9.0, n / 2, n)) for n in range(9)]
    assert trained[7].chosen_by == 9.0
    assert trained[7].worth == pytest.approx(7 * 0.75)
    failed = dataclasses.replace(trained[7], test=(9.0, math.nan))
    assert failed.worth == 9.0, "where the others have failed, its own is all there is"
    assert replay(Design((4,)), trained, 9, True, draws=10).tolist() == [pytest.approx(5.25)] * 10


def test_designs_are_those_that_all_children_know():
    found = [design.epochs for design in designs_of(children(), 10)]
    assert found == [(10,), (1, 10), (1, 10), (3, 10), (3, 10), (1, 3, 10)]
    some = [*children(5), *children(5, short=(1,))]
    assert [design.epochs for design in designs_of(some, 10)] == [(10,), (1, 10), (1, 10)]
    assert designs_of([], 10) == [Design((10,))]


def test_short_trainings_that_rank_buy_more_than_whole_ones():
    known, unknown = children(), children(is_known=False)
    whole = replay(Design((10,)), known, 4, True).mean()
    assert whole == pytest.approx(31 * 4 / 5 - 1, abs=0.5)
    assert replay(Design((3, 10)), known, 4, True).mean() == pytest.approx(31 * 11 / 12 - 1, abs=0.5)
    assert replay(Design((1, 3, 10)), known, 4, True).mean() > whole
    # Short trainings that say nothing leave a random architecture.
    assert replay(Design((3, 10)), unknown, 4, True).mean() == pytest.approx(14.5, abs=0.8)
    assert replay(Design((10,)), known, 4, False).mean() == pytest.approx(29 - whole, abs=0.5)


def test_a_design_that_needs_more_children_than_there_are_has_no_result():
    rows = {row["design"]: row for row in budget_rows(children(12), 10, True, (2, 8))}
    assert rows["whole trainings"]["at 8"] > rows["whole trainings"]["at 2"]
    assert math.isnan(rows["1 epoch each, the best one whole"]["at 8"])
    assert rows["a third goes on after 1, 3 epochs"]["at 2"] > 0


def test_the_error_is_that_of_other_children():
    """The fewer are chosen from, the more it matters which they are; children that are all alike leave no error."""
    rows = {row["design"]: row for row in budget_rows(children(30), 10, True, (3,))}
    whole, short = rows["whole trainings"], rows["1 epoch each, the best one whole"]
    assert short["at 3"] > whole["at 3"]
    assert 0 < short["error at 3"] < whole["error at 3"] < 25, "three of thirty are chosen from in one, 21 in the other"
    same = [dataclasses.replace(child, test=(1.0,)) for child in children(30)]
    assert budget_rows(same, 10, True, (3,))[0] == {"design": "whole trainings", "at 3": 50.0, "error at 3": 0.0}
