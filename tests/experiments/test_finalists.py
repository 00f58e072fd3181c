"""Who is trained beside the finalists: random architectures, and the cheapest and the dearest candidate."""

import types

import numpy as np
import pytest

from enas_tf.experiments.finalists import _with_controls
from enas_tf.ops.costs import Cost
from enas_tf.search.candidates import Candidate
from enas_tf.search.config import FINALISTS, FinalistsConfig
from enas_tf.search.limited import Limits
from enas_tf.search.objective import Objective
from enas_tf.spaces.macro import MacroSpace

SPACE = MacroSpace(num_layers=6)


def marked(num_random):
    """Ten candidates, of which the seventh has the fewest FLOPs and the first the most, with their controls."""
    objective = Objective(is_higher_better=True)
    flops = [90, 20, 30, 40, 50, 60, 10, 70, 80, 85]
    candidates = [
        Candidate(SPACE.decode(row), tuple(row.tolist()), "valid_accuracy", 1 - place / 20, Cost(1, flops[place]))
        for place, row in enumerate(SPACE.random_tokens(10, np.random.default_rng(3)))
    ]
    run = types.SimpleNamespace(space=SPACE, seed=0, config={FINALISTS: FinalistsConfig(4, num_random)})
    evaluator = types.SimpleNamespace(metric="valid_accuracy", score=lambda tokens: tokens.mean() / 10)
    found = _with_controls(run, evaluator, candidates, lambda a: Cost(2, 45), Limits(objective, SPACE, 0))
    assert [c.tokens for c in found[:10]] == [c.tokens for c in candidates]
    return found


@pytest.mark.parametrize("num", [0, 1, 2, 7])
def test_as_many_random_ones_as_asked_for(num):
    found = marked(num)
    controls = [candidate.more.get("control") for candidate in found]
    assert controls[:10] == ["most FLOPs", *[None] * 5, "fewest FLOPs", *[None] * 3]
    assert controls[10:] == ["random"] * num
    scores = [candidate.value for candidate in found[10:]]
    assert scores == sorted(scores, reverse=True)


def test_more_random_ones_are_the_same_and_others():
    """A derive with more of them trains only those that are new."""
    few, many = ({candidate.tokens for candidate in marked(num)[10:]} for num in (2, 7))
    assert few < many
