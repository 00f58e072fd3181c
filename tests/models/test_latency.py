"""Laws of latencies: a sum over the parts of a network, each measured once, scaled to whole networks."""

import pytest
import tensorflow as tf

from enas_tf.models.latency import LatencyTable, measure, name_of
from enas_tf.ops.costs import Cost, Piece


def test_costs_carry_their_pieces():
    cost = (
        Cost.convolution(3, 4, 8, 16) + 2 * (Cost.separable(5, 8, 8, 16) + Cost.pooling(3, 8, 16)) + Cost.dense(8, 10)
    )
    assert [(name_of(piece), num) for piece, num in cost.pieces] == [
        ("convolution 3x3 4 8 16", 1),
        ("separable 5x5 8 8 16", 2),
        ("pooling 3x3 8 8 16", 2),
        ("dense 1x1 8 10 1", 1),
    ]
    assert cost == Cost(cost.parameters, cost.flops, cost.statistics), "numbers alone make costs equal"


def test_a_sum_counts_every_piece_and_measures_each_once():
    cost = Cost.convolution(3, 2, 2, 4) + 3 * Cost.pooling(3, 2, 4)
    table = LatencyTable({"convolution 3x3 2 2 4": 2.0, "pooling 3x3 2 2 4": 0.5}, scale=2.0)
    assert table.sum(cost) == pytest.approx(3.5)
    assert table.latency(cost) == pytest.approx(7.0)
    unknown = LatencyTable()
    assert unknown.sum(cost) == unknown.sum(cost) > 0
    assert set(unknown.known) == {"convolution 3x3 2 2 4", "pooling 3x3 2 2 4"}


@pytest.mark.parametrize("kind", ["convolution", "separable", "pooling", "dense"])
def test_every_kind_is_measured(kind):
    assert 0 < measure(Piece(kind, (3, 3), 4, 4, 16)) < 100


def test_more_work_takes_longer():
    small, large = (measure(Piece("convolution", (3, 3), n, n, 1024)) for n in (4, 96))
    assert large > 2 * small


def test_sums_are_scaled_by_the_median_of_whole_networks():
    table = LatencyTable({"pooling 3x3 2 2 4": 1.0})
    big = tf.random.normal([256, 256])
    networks = [(num * Cost.pooling(3, 2, 4), lambda: tf.matmul(big, big)) for num in (1, 10, 100)]
    ratios = table.calibrate(networks)
    assert len(ratios) == 3
    assert sorted(ratios)[1] == table.scale > 0
