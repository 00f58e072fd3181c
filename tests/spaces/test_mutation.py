"""Mutations and neighbours differ in one decision, and reach all others."""

import numpy as np
import pytest

from enas_tf.spaces.decisions import PickSkips
from enas_tf.spaces.macro import MacroSpace
from enas_tf.spaces.micro import MicroSpace
from enas_tf.spaces.recurrent import RecurrentSpace
from tests.search.searchers.small import MIXED

SPACES = [MacroSpace(num_layers=4), MicroSpace(blocks=2), RecurrentSpace(nodes=3), MIXED]


@pytest.mark.parametrize("space", SPACES, ids=lambda space: space.name)
def test_a_mutation_changes_one_decision(space):
    rng = np.random.default_rng(0)
    tokens = space.random_tokens(400, rng)
    before = tokens.copy()
    mutated = space.mutate(tokens, rng)
    np.testing.assert_array_equal(tokens, before)
    assert mutated.dtype == np.int32
    np.testing.assert_array_equal((mutated != tokens).sum(axis=1), 1)
    for row in mutated:
        space.check_tokens(row)


@pytest.mark.parametrize("space", SPACES, ids=lambda space: space.name)
def test_all_decisions_that_have_a_choice_are_equally_probable(space):
    rng = np.random.default_rng(1)
    tokens = space.random_tokens(1, rng).repeat(6000, axis=0)
    columns = (space.mutate(tokens, rng) != tokens).mean(axis=0)
    shares = [columns[place.start : place.stop].sum() for place in space.places.values() if len(place)]
    has_choice = [space.token_ranges[place.start] > 1 for place in space.places.values() if len(place)]
    np.testing.assert_allclose(shares, np.array(has_choice) / sum(has_choice), atol=0.05)


@pytest.mark.parametrize("space", SPACES, ids=lambda space: space.name)
def test_neighbours_are_all_that_differ_in_one_token(space):
    tokens = space.random_tokens(1, np.random.default_rng(2))[0]
    found = space.neighbours(tokens)
    assert len(np.unique(found, axis=0)) == len(found) == (space.token_ranges - 1).sum()
    np.testing.assert_array_equal((found != tokens).sum(axis=1), 1)


def test_a_space_without_a_choice_has_no_other_tokens():
    space = type(MIXED)((MIXED.decisions[0], PickSkips("none", 0)))
    tokens = space.random_tokens(3, np.random.default_rng(0))
    np.testing.assert_array_equal(space.mutate(tokens, np.random.default_rng(0)), tokens)
    assert space.neighbours(tokens[0]).shape == (0, 1)
