"""Laws of objectives: what is refused, what a penalty takes, and which candidates none is better than."""

import itertools
import math

import pytest

from enas_tf.errors import InputError
from enas_tf.ops.costs import Cost
from enas_tf.search.candidates import Candidate
from enas_tf.search.objective import OBJECTIVE, REWARDS, Objective, ObjectiveConfig, check_objective, in_words

#: FLOPs and accuracies of which d is worse than b in both, e as good as c and dearer, and f has no accuracy.
POINTS = {"a": (10, 0.5), "b": (20, 0.7), "c": (40, 0.9), "d": (30, 0.6), "e": (50, 0.9), "f": (5, math.nan)}
WEIGHED = ("accuracy:max", "flops:min")


def measure(name):
    return {"parameters": 7.0, "flops": float(POINTS[name][0])}


def candidates(objective):
    found = [
        Candidate(name, (place,), "valid_accuracy", value, Cost(7, flops))
        for place, (name, (flops, value)) in enumerate(POINTS.items())
    ]
    return [objective.annotate(candidate) for candidate in found]


def names(candidates):
    return "".join(candidate.architecture for candidate in candidates)


def build(**options):
    return Objective(True, ObjectiveConfig(**options), measure)


def test_the_metric_alone_decides_by_default():
    objective = build()
    found = candidates(objective)
    assert names(objective.rank(found)) == "cebdaf", "of equals the cheaper, and no number comes last"
    assert objective.settle(objective.rank(found)) == objective.rank(found)
    assert not any(candidate.more for candidate in found), "no further columns"


def test_the_pareto_set_is_what_no_other_is_better_than():
    objective = build(objective=WEIGHED)
    for order in itertools.islice(itertools.permutations(candidates(objective)), 0, 720, 37):
        ranked = objective.settle(objective.rank(order))
        assert names(ranked) == "cbaedf"
        assert {c.architecture for c in ranked if c.more["pareto"] == "yes"} == set("abc")
        assert ranked[0].more["child_flops"] == 40


def test_the_knee_is_the_nearest_to_the_best_of_both():
    # Scaled to the set, a is (0, 1), b is (1/3, 1/2) and c is (1, 0).
    objective = build(objective=WEIGHED, choose="knee")
    ranked = objective.settle(objective.rank(candidates(objective)))
    assert names(ranked) == "bcaedf"


def test_limits_refuse_what_exceeds_them():
    objective = build(max_flops=30)
    assert objective.refuses
    assert [name for name in POINTS if objective.excess(name) is None] == ["a", "b", "d", "f"]
    assert "40 FLOPs, more than" in objective.excess("c")
    assert build(max_flops=30, max_parameters=6).excess("a").startswith("7 parameters, more than")


def test_a_penalty_refuses_nothing_and_takes_reward():
    objective = build(max_flops=20, limit_penalty=0.5)
    assert not objective.refuses
    assert objective.shapes_rewards
    assert [objective.shaped(2.0, measure(name)) for name in "abc"] == pytest.approx([2, 2, 2 * math.sqrt(0.5)])
    assert math.isnan(objective.shaped(math.inf, measure("a"))), "no number moves a searcher"
    # c: 0.9 * 0.707 = 0.636 is below b.
    assert names(objective.rank(candidates(objective))).startswith("bc")


@pytest.fixture
def per_flop():
    """The name of a reward function of a user's."""
    REWARDS.register("per_flop")(lambda reward, costs: reward / costs["flops"])
    yield "per_flop"
    REWARDS.remove("per_flop")


def test_a_reward_function_decides_what_is_learned_and_what_is_best(per_flop):
    objective = build(reward_function=per_flop)
    assert objective.shaped(0.8, {"flops": 40.0}) == pytest.approx(0.02)
    # a has 0.05 a FLOP, b 0.035, c 0.0225, d 0.02, e 0.018.
    assert names(objective.rank(candidates(objective))) == "abcdef"
    # A perplexity is worth 80 / perplexity: c and e are worst.
    perplexity = Objective(False, ObjectiveConfig(reward_function=per_flop), measure, merit=lambda value: 80 / value)
    assert names(perplexity.rank(candidates(perplexity)))[0] == "a"


def test_a_reward_function_that_fails_is_named(per_flop):
    with pytest.raises(InputError, match=r"reward_function.*per_flop fails.*KeyError"):
        build(reward_function=per_flop).shaped(0.5, {})


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"max_flops": 0}, ["max_flops", "above 0"]),
        ({"max_latency_ms": -1.0}, ["max_latency_ms", "above 0"]),
        ({"limit_penalty": -0.1}, ["limit_penalty", "power"]),
        ({"objective": ("accuracy:max",)}, ["objective", "flops:min"]),
        ({"choose": "knee"}, ["choose", "objective"]),
        ({"choose": "cheap"}, ["choose", "best, knee"]),
    ],
)
def test_options_that_make_no_sense_are_named(options, words):
    with pytest.raises(InputError) as caught:
        OBJECTIVE.build(options)
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    "terms", [("accuracy:min", "flops:min"), ("flops:min", "accuracy:max"), ("accuracy:max", "size:min"),
              ("accuracy:max", "flops:min", "flops:min"), ("accuracy:max", "flops:max")]
)  # fmt: skip
def test_objectives_are_the_metric_and_then_costs(terms):
    with pytest.raises(InputError, match="accuracy:max"):
        check_objective(ObjectiveConfig(objective=terms), "accuracy", True)
    check_objective(ObjectiveConfig(objective=("perplexity:min", "latency_ms:min")), "perplexity", False)


def test_the_first_block_names_them():
    rows = in_words(ObjectiveConfig(max_flops=2000, objective=WEIGHED))
    assert rows["limits"] == "at most 2,000 FLOPs of the retrained child; others are refused"
    assert rows["objectives"] == "accuracy max, flops min"
    assert in_words(ObjectiveConfig()) == {}
