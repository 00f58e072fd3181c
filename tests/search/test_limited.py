"""Laws of limited searchers: nothing beyond a limit is proposed, whoever proposes, and nothing within is kept back."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from enas_tf.errors import InputError
from enas_tf.options import Config
from enas_tf.runtime.seeds import seed_for
from enas_tf.search.config import SEARCH, SearchConfig
from enas_tf.search.limited import LimitedSearcher, Limits
from enas_tf.search.objective import Objective, ObjectiveConfig
from enas_tf.search.searchers.searcher import SEARCHERS
from enas_tf.spaces.macro import MacroSpace

SPACE = MacroSpace(num_layers=4)
NAMES = [name for name in SEARCHERS if not SEARCHERS[name].proposes_levels]


def measure(architecture):
    """Return as many FLOPs as the architecture has skips and operations other than the first."""
    return {"flops": float(np.count_nonzero(SPACE.encode(architecture)))}


def cost(tokens):
    return int(np.count_nonzero(tokens))


def limited(name, most=4, **options):
    keras.utils.set_random_seed(0)  # For the weights of a policy.
    entry = SEARCHERS.entry(name)
    values = {group: group.default for group in entry.groups} | {SEARCH: SearchConfig(1, 5, 10)}
    inner = entry.component.build(SPACE, Config(values))
    return LimitedSearcher(
        inner, Limits(Objective(True, ObjectiveConfig(max_flops=most, **options), measure), SPACE, 0)
    )


@pytest.mark.parametrize("name", NAMES)
def test_no_searcher_proposes_what_exceeds_a_limit(name):
    searcher = limited(name)
    for update in range(3):
        tokens = searcher.propose(tf.constant(10), seed_for(0, "update", update))
        assert tokens.shape == (10, SPACE.num_tokens)
        assert all(cost(row) <= 4 for row in tokens.numpy())
        searcher.update(tokens, tf.constant([float(cost(row)) for row in tokens.numpy()]))
    for rows in (
        searcher.sample(tf.constant(30), seed_for(0, "s")),
        searcher.candidates(tf.constant(30), seed_for(0, "c")),
    ):
        assert len(rows) == 30
        assert all(cost(row) <= 4 for row in rows.numpy())
    assert 0 < searcher.limits.num_refused < searcher.limits.num_judged
    share = float(searcher.means["refused_share"].result())
    assert share == pytest.approx(searcher.limits.num_refused / searcher.limits.num_judged)


@pytest.mark.parametrize("name", NAMES)
def test_proposals_are_a_function_of_the_seed_and_of_what_was_learned(name):
    first, second = ([limited(name).propose(tf.constant(9), seed_for(1, "x")).numpy()] for _ in range(2))
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("name", ["random", "evolution"])
def test_a_limit_that_all_keep_changes_nothing(name):
    searcher = limited(name, most=100)
    seed = seed_for(1, "x")
    np.testing.assert_array_equal(searcher.propose(tf.constant(9), seed), searcher.inner.propose(tf.constant(9), seed))
    assert searcher.limits.share == 1
    assert not searcher.limits.num_refused


def test_the_share_is_that_of_random_architectures():
    rows = SPACE.random_tokens(4000, np.random.default_rng(5))
    expected = np.mean([cost(row) <= 4 for row in rows])
    assert limited("random").limits.share == pytest.approx(expected, abs=0.1)


def test_random_architectures_stand_in_where_draws_never_keep_the_limit():
    searcher = limited("random", most=4)
    searcher.inner.propose = lambda num, seed: tf.ones([num, SPACE.num_tokens], tf.int32)
    rows = searcher.propose(tf.constant(6), seed_for(0, "x")).numpy()
    assert all(cost(row) <= 4 for row in rows)


def test_uniform_proposals_and_controls_keep_limits_too():
    searcher = limited("evolution")
    assert all(cost(row) <= 4 for row in searcher.uniform().propose(tf.constant(20), seed_for(0, "x")).numpy())
    assert all(cost(row) <= 4 for row in searcher.limits.random(SPACE, 20, np.random.default_rng(0)))


def test_limits_that_nothing_keeps_are_named_with_what_there_is():
    with pytest.raises(
        InputError, match=r"max_flops.*0\.5.*smallest children among them have \d+ FLOPs.*Raise the limit"
    ):
        Limits(Objective(True, ObjectiveConfig(max_flops=0.5), measure), SPACE, 0)


def test_a_penalty_lowers_rewards_before_they_are_learned():
    searcher = limited("evolution", most=2, limit_penalty=1.0)
    tokens = searcher.propose(tf.constant(8), seed_for(0, "x"))
    searcher.update(tokens, tf.ones([8]))
    expected = [min(1.0, 2 / max(1, cost(row))) for row in tokens.numpy()]
    np.testing.assert_allclose(searcher.inner.history.rewards, expected, rtol=1e-6)
    assert min(expected) < 1, "some exceed the limit"
