"""Laws of dividing examples into parts."""

import numpy as np
import pytest

from enas_tf.data.splits import first_shuffled, held_out_sizes, split_indices

LABELS = np.random.default_rng(0).permutation(np.repeat([0, 1, 2], [100, 50, 10]))


@pytest.mark.parametrize("fraction", [0.1, 0.25, 0.5])
def test_parts_are_disjoint_complete_and_stratified(fraction):
    kept, held_out = split_indices(LABELS, fraction, seed=1)
    np.testing.assert_array_equal(np.sort(np.concatenate([kept, held_out])), np.arange(160))
    assert len(held_out) == 160 * fraction
    assert np.abs(np.bincount(LABELS[held_out]) - np.array([100, 50, 10]) * fraction).max() < 1


def test_the_seed_decides():
    first, again, other = (split_indices(LABELS, 0.25, seed)[1] for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert set(first) != set(other)


def test_held_out_examples_are_drawn_at_random():
    _, held_out = split_indices(np.zeros(1000, int), 0.5, seed=3)
    assert 150 < (held_out < 500).sum() < 350


def test_a_class_never_gives_all_its_examples():
    assert held_out_sizes(np.array([1, 1, 2]), 0.9).tolist() == [0, 0, 1]


def test_many_small_classes_give_their_share_together():
    # Each of 20 classes of 3 owes 0.3 examples: rounding each alone would hold out none.
    assert held_out_sizes(np.full(20, 3), 0.1).sum() == 6


def test_first_shuffled_is_a_reproducible_choice():
    chosen = first_shuffled(100, 30, seed=4)
    assert len(set(chosen.tolist())) == 30
    assert chosen.min() >= 0
    assert chosen.max() >= 30  # not only the first ones
    np.testing.assert_array_equal(chosen, first_shuffled(100, 60, seed=4)[:30])
    assert len(first_shuffled(5, 30, seed=4)) == 5
