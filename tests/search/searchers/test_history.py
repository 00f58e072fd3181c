"""Searchers that remember: what is judged twice, what is forgotten, and the rules of each."""

import math

import numpy as np
import pytest
import tensorflow as tf

from enas_tf.options import Config
from enas_tf.search.config import SEARCH, SearchConfig
from enas_tf.search.searchers.auto import best_for
from enas_tf.search.searchers.evolution import EvolutionConfig, EvolutionSearcher
from enas_tf.search.searchers.history import History
from enas_tf.search.searchers.local import LocalSearcher
from enas_tf.search.searchers.searcher import SEARCHERS
from enas_tf.search.searchers.surrogate import ACQUISITIONS, SurrogateConfig, SurrogateSearcher
from tests.search.searchers.small import ARMS, SPACE, build, run, table_of

TABLE = table_of(SPACE)
REMEMBERING = ["evolution", "local", "surrogate"]


def test_a_history_is_written_and_read():
    history, other = History(2), History(2)
    history.add(np.array([[1, 2], [3, 4]], np.int32), np.array([0.5, math.nan]))
    other.deserialize(history.serialize())
    np.testing.assert_array_equal(other.tokens, [[1, 2], [3, 4]])
    np.testing.assert_array_equal(other.rewards, [0.5, -math.inf])
    assert np.array([3, 4], np.int32) in other
    assert np.array([2, 1], np.int32) not in other


def test_the_best_are_different_ones():
    history = History(1)
    history.add(np.array([[1], [2], [1], [3]], np.int32), np.array([0.5, 0.9, 0.7, math.nan]))
    np.testing.assert_array_equal(history.best(2), [[2], [1]])
    np.testing.assert_array_equal(history.best(9), [[2], [1], [3]])


def test_what_is_forgotten_waits_to_be_judged():
    history = History(1)
    history.add(np.array([[1], [2], [3]], np.int32), np.array([0.5, 0.9, 0.7]))
    for _ in range(2):  # A second time changes nothing.
        history.forget_rewards(2)
        assert len(history) == 0
        np.testing.assert_array_equal(history.waiting, [[2], [3]])
    history.add(np.array([[3]], np.int32), np.array([0.1]))
    np.testing.assert_array_equal(history.waiting, [[2]])


@pytest.mark.parametrize("name", REMEMBERING)
@pytest.mark.parametrize("batch", [1, 8])
def test_nothing_is_judged_twice(name, batch):
    searcher = build(name, SPACE)
    run(searcher, TABLE, 120 // batch, batch)
    assert len(np.unique(searcher.history.tokens, axis=0)) == 120


@pytest.mark.parametrize("name", REMEMBERING)
def test_a_space_that_is_used_up_is_proposed_again(name):
    searcher = build(name, ARMS)
    run(searcher, np.array([0.1, 0.3, 0.2]), 5, 4)
    np.testing.assert_array_equal(searcher.history.best(9)[:, 0], [1, 2, 0])


@pytest.mark.parametrize("name", REMEMBERING)
def test_the_best_of_an_earlier_epoch_are_judged_first_in_the_next(name):
    searcher = build(name, SPACE)
    run(searcher, TABLE, 8, 5)
    best = searcher.history.best(searcher.num_kept)
    searcher.renew()
    tokens = searcher.propose(tf.constant(30), tf.constant([1, 2])).numpy()
    np.testing.assert_array_equal(tokens[: len(best)], best)
    assert len(np.unique(tokens, axis=0)) == 30


@pytest.mark.parametrize("name", REMEMBERING)
def test_shared_weights_are_trained_on_uniform_proposals(name):
    searcher = build(name, SPACE)
    run(searcher, TABLE, 5, 8)
    tokens = searcher.sample(tf.constant(4000), tf.constant([3, 4])).numpy()
    for column in tokens.T:
        np.testing.assert_allclose(np.bincount(column, minlength=4) / 4000, 0.25, atol=0.04)


def test_evolution_mutates_the_best_of_the_newest():
    """With tournaments that see all of the population, every proposal is a mutation of its best."""
    searcher = EvolutionSearcher(SPACE, EvolutionConfig(population=4, tournament=200))
    tokens = SPACE.random_tokens(7, np.random.default_rng(0))
    searcher.update(tf.constant(tokens), tf.constant([0.9, 0.8, 0.7, 0.1, 0.4, 0.3, 0.2]))
    proposed = searcher.propose(tf.constant(12), tf.constant([1, 2])).numpy()
    np.testing.assert_array_equal((proposed != tokens[4]).sum(axis=1), 1)


def test_local_search_moves_to_what_is_better_and_starts_anew_at_the_top():
    searcher = LocalSearcher(ARMS)
    for token, reward, place in ((0, 0.2, 0), (2, 0.1, 0), (1, 0.5, 1)):
        searcher.update(tf.constant([[token]]), tf.constant([reward]))
        assert searcher._place.numpy().tolist() == [place]
    searcher.update(tf.constant([[2]]), tf.constant([0.3]))  # All neighbours are known: a new start.
    assert searcher._place.numpy().tolist() == [2]


def test_local_proposals_are_neighbours():
    searcher = LocalSearcher(SPACE)
    start = SPACE.random_tokens(1, np.random.default_rng(0))
    searcher.update(tf.constant(start), tf.constant([0.5]))
    proposed = searcher.propose(tf.constant(18), tf.constant([1, 2])).numpy()
    np.testing.assert_array_equal((proposed != start).sum(axis=1), 1)


@pytest.mark.parametrize("acquisition", ACQUISITIONS)
def test_a_surrogate_finds_what_random_search_does_not(acquisition):
    searcher = SurrogateSearcher(SPACE, SurrogateConfig(acquisition=acquisition))
    found = run(searcher, TABLE, 60, 1)
    assert found.max() >= np.sort(TABLE)[-12]


def test_a_surrogate_says_how_well_it_predicts():
    searcher = build("surrogate", SPACE)
    run(searcher, TABLE, 3, 20)
    tokens = searcher.propose(tf.constant(20), tf.constant([7, 8]))
    places = np.ravel_multi_index(tuple(tokens.numpy().T), SPACE.token_ranges)
    assert -1 <= float(searcher.update(tokens, tf.constant(TABLE[places], tf.float32))["rank_correlation"]) <= 1


@pytest.mark.parametrize(("num", "name"), [(1, "surrogate"), (5000, "surrogate"), (5001, "evolution")])
def test_auto_is_another_searcher(num, name):
    assert best_for(num) == name
    searcher = SEARCHERS["auto"].build(SPACE, Config({SEARCH: SearchConfig(1, num, 1)}))
    assert type(searcher) is SEARCHERS[name]
