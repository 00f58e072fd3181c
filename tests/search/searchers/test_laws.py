"""Laws of every searcher: proposals are valid, a resumed search is the unbroken one, learners learn, NaN moves none.

Those of `progressive` stand in `test_progressive.py`, since its proposals end and need a space of cells.
"""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from enas_tf.runtime.checkpoints import Checkpoints
from enas_tf.search.config import SearchConfig
from tests.search.searchers.small import ARMS, ENDLESS, MIXED, SPACE, build, run, table_of

LEARNERS = [name for name in ENDLESS if name != "random"]
TABLE = table_of(SPACE)


@pytest.mark.parametrize("name", ENDLESS)
@pytest.mark.parametrize("space", [SPACE, MIXED, ARMS], ids=["ops", "mixed", "arms"])
def test_proposals_are_tokens_of_the_space(name, space):
    searcher, table = build(name, space), table_of(space)
    for update in range(4):
        for propose in (searcher.propose, searcher.sample, searcher.candidates):
            tokens = propose(tf.constant(7), tf.constant([update, 1]))
            assert tokens.dtype == tf.int32
            assert tokens.shape == (7, space.num_tokens)
            for row in tokens.numpy():
                space.check_tokens(row)
        said = run(searcher, table, 1, 7, first=update)
        assert np.isfinite(said).all()


@pytest.mark.parametrize("name", ENDLESS)
def test_proposals_are_a_function_of_what_was_learned_and_the_seed(name):
    searcher = build(name, SPACE)
    run(searcher, TABLE, 3, 6)
    once = searcher.propose(tf.constant(6), tf.constant([3, -4])).numpy()
    np.testing.assert_array_equal(searcher.propose(tf.constant(6), tf.constant([3, -4])), once)
    assert (searcher.propose(tf.constant(6), tf.constant([4, -4])).numpy() != once).any()


@pytest.mark.parametrize("name", ENDLESS)
@pytest.mark.parametrize("renews", [False, True])
def test_a_resumed_search_is_the_unbroken_one(name, renews, tmp_path):
    """Law 6, to the last bit, also where rewards of earlier epochs were forgotten."""
    keras.utils.set_random_seed(0)
    unbroken = build(name, SPACE)
    start = [variable.numpy() for variable in unbroken.variables]
    run(unbroken, TABLE, 4, 6)
    if renews:
        unbroken.renew()
    checkpoints = Checkpoints(tmp_path / "checkpoints", unbroken.tracked)
    checkpoints.save(0, 4)
    expected = run(unbroken, TABLE, 4, 6, first=4)

    keras.utils.set_random_seed(1)
    resumed = build(name, SPACE)
    assert Checkpoints(tmp_path / "checkpoints", resumed.tracked).restore_latest() == (0, 4)
    if renews:
        resumed.renew()  # The loop does not know whether it was done before the signal.
    np.testing.assert_array_equal(run(resumed, TABLE, 4, 6, first=4), expected)
    assert len(start) == len(resumed.variables)
    for mine, its in zip(unbroken.variables, resumed.variables, strict=True):
        np.testing.assert_array_equal(mine, its)


@pytest.mark.parametrize("name", LEARNERS)
def test_a_learner_finds_the_best_arm(name):
    """Law 8."""
    keras.utils.set_random_seed(0)
    table, searcher = np.array([0.50, 0.52, 0.51]), build(name, ARMS, SearchConfig(1, 150, 10))
    run(searcher, table, 150 if name == "reinforce" else 3, 10)
    if name == "reinforce":
        # Its squashed logits allow 0.91.
        assert (searcher.propose(tf.constant(1000), tf.constant([5, 6])).numpy() == 1).mean() > 0.75
    else:
        assert (searcher.candidates(tf.constant(3), tf.constant([5, 6])).numpy()[0] == 1).all()


@pytest.mark.parametrize("name", LEARNERS)
def test_a_learner_beats_random_search_on_a_table(name):
    """Law 8: the best of 150 look-ups among 4,096, over four seeds of the same table."""
    best = {}
    for searcher_name in (name, "random"):
        found = []
        for seed in range(4):
            keras.utils.set_random_seed(seed)
            found.append(run(build(searcher_name, SPACE, SearchConfig(1, 15, 10)), TABLE, 15, 10, seed).max())
        best[searcher_name] = np.mean(found)
    assert best[name] > best["random"]


@pytest.mark.parametrize("name", ENDLESS)
@pytest.mark.parametrize("is_first", [True, False])
def test_a_reward_that_is_no_number_moves_nothing(name, is_first):
    """Law 9: whatever stands in its place, the searcher is the same afterwards, and proposes the same."""
    states, proposals = [], []
    for odd in (math.nan, math.inf, -math.inf):
        keras.utils.set_random_seed(0)
        searcher = build(name, SPACE)
        if not is_first:
            run(searcher, TABLE, 3, 4)
        tokens = searcher.propose(tf.constant(4), tf.constant([1, 2]))
        said = searcher.update(tokens, tf.constant([0.5, odd, 0.25, odd]))
        assert float(said["reward"]) == pytest.approx(0.375)
        assert float(said["nonfinite_rewards"]) == 2
        assert all(np.isfinite(float(value)) for value in said.values())
        # A moving average, and the place of a local search, begin with none.
        states.append([v.numpy() for v in searcher.variables if v.name.split(":")[0] not in ("baseline", "height")])
        proposals.append(searcher.propose(tf.constant(5), tf.constant([3, 4])).numpy())
    for state, proposed in zip(states, proposals, strict=True):
        np.testing.assert_array_equal(proposed, proposals[0])
        for mine, its in zip(state, states[0], strict=True):
            assert np.isfinite(mine).all()
            np.testing.assert_array_equal(mine, its)


@pytest.mark.parametrize("name", ENDLESS)
def test_rewards_that_are_all_no_numbers_stop_no_search(name):
    searcher = build(name, SPACE)
    for update in range(3):
        tokens = searcher.propose(tf.constant(6), tf.constant([update, 0]))
        assert float(searcher.update(tokens, tf.fill([6], math.nan))["nonfinite_rewards"]) == 6
    run(searcher, TABLE, 3, 6)
    assert np.isfinite(run(searcher, TABLE, 1, 6)).all()


@pytest.mark.parametrize("name", ENDLESS)
def test_what_an_update_says_is_what_the_searcher_lists(name):
    searcher = build(name, MIXED)
    tokens = searcher.propose(tf.constant(3), tf.constant([1, 2]))
    said = searcher.update(tokens, tf.constant([0.1, 0.3, 0.2]))
    assert said.keys() <= set(searcher.metric_names) == searcher.means.keys()
    assert searcher.metric_descriptions.keys() <= {*searcher.metric_names, "reward", "nonfinite_rewards", "skip_rate",
                                                   "baseline", "advantage", "skip_divergence"}  # fmt: skip
    assert "skip_rate" in said
