"""Plots of numbers: the front of points is the one of its definition, and every kind of numbers can be drawn."""

import math

import numpy as np
import pytest

from enas_tf.pictures.plots import Panel, draw_fronts, draw_panels, draw_progress, draw_shares, find_front


@pytest.mark.parametrize("is_higher_better", [True, False])
def test_the_front_is_of_the_points_that_no_other_beats(is_higher_better):
    rng = np.random.default_rng(0)
    for _ in range(50):
        costs, values = rng.integers(0, 8, 12).tolist(), rng.integers(0, 8, 12) / 8
        merits = values if is_higher_better else -values

        def is_beaten(i, costs=costs, merits=merits):
            return any(
                costs[j] <= costs[i] and merits[j] >= merits[i] and (costs[j], merits[j]) != (costs[i], merits[i])
                for j in range(12)
            )

        expected = {(costs[i], values[i]) for i in range(12) if not is_beaten(i)}
        found = find_front(costs, values, is_higher_better)
        assert {(costs[i], values[i]) for i in found} == expected
        assert [costs[i] for i in found] == sorted({cost for cost, _ in expected}), "each once, the cheapest first"


def test_what_is_no_number_is_on_no_front():
    assert find_front([1, 2, 3], [math.nan, 0.5, 0.25], True) == [1]


def test_numbers_of_every_kind_are_drawn():
    """Zeros, one point, equal points, and what is no number."""
    draw_panels([Panel("x", "y $", {"a": ([1], [math.nan]), "b": ([1, 2], [0.0, 0.0])})] * 3).draw_without_rendering()
    draw_fronts({"FLOPs": [0.0, 0.0, 1e9], "parameters": [5.0] * 3}, [0.5] * 3, "max", "y").draw_without_rendering()
    draw_progress({"a": ([1], [0.5])}, ([1], [0.5]), "x", "y").draw_without_rendering()
    draw_shares([1], {"first": {"a": [1.0], "b": [0.0]}}, "x").draw_without_rendering()


def test_shares_fill_their_band():
    figure = draw_shares(
        [1, 2, 3], {"first": {"a": [0.5, 0.25, 0.0], "b": [0.5, 0.75, 1.0]}, "second": {"a": [1] * 3}}, "x"
    )
    (axes,) = figure.axes
    first, second = (collection.get_paths() for collection in axes.collections)
    assert len(first) == 2, "a is a choice in both bands"
    assert len(second) == 1
    heights = [path.vertices[:, 1] for path in (*first, *second)]
    assert [(values.min(), round(values.max(), 6)) for values in heights] == [(0.0, 0.4), (1.0, 1.8), (0.0, 0.8)]
