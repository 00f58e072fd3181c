"""Operations on banks: each place computes with its own row, what its description says."""

import numpy as np
import pytest
import tensorflow as tf

from enas_tf.layers import functions
from enas_tf.ops.operations import CELL_OPERATIONS, OPERATIONS, Convolution, FactorizedReduction, build_operation
from enas_tf.spaces.macro import MACRO_OPS
from enas_tf.spaces.micro import CELL_OPS

CHANNELS = 6


def random(*shape, seed=0):
    return tf.constant(np.random.default_rng(seed).normal(size=shape), tf.float32)


def normalize(x, gamma, beta):
    mean, variance = np.mean(x, axis=(0, 1, 2)), np.var(x, axis=(0, 1, 2))
    return gamma * (x - mean) / np.sqrt(variance + functions.EPSILON) + beta


def randomize(layer):
    """Moves every weight off its initial value, so that no place equals another."""
    for seed, bank in enumerate(layer.banks):
        bank.assign(random(*bank.shape, seed=10 + seed))
    return layer


def test_every_operation_of_every_space_exists():
    assert set(MACRO_OPS) == set(OPERATIONS)
    assert set(CELL_OPS) == set(CELL_OPERATIONS)


@pytest.mark.parametrize(
    ("name", "table"),
    [(name, table) for table in (OPERATIONS, CELL_OPERATIONS) for name in table],
    ids=lambda value: value if isinstance(value, str) else "macro" if value is OPERATIONS else "cell",
)
def test_shape_is_kept_and_places_differ(name, table):
    operation = randomize(build_operation(name, 3, CHANNELS, table))
    x = random(2, 8, 8, CHANNELS)
    first, second = operation(x, tf.constant(0)), operation(x, tf.constant(1))
    assert first.shape == second.shape == x.shape
    assert bool(operation.banks) == (float(tf.reduce_max(tf.abs(first - second))) > 1e-3)
    assert all(bank.shape[0] == 3 for bank in operation.banks)


@pytest.mark.parametrize("name", ["conv_3x3", "conv_5x5"])
def test_convolution_is_relu_convolution_normalisation(name):
    operation, x = randomize(build_operation(name, 2, CHANNELS)), random(2, 8, 8, CHANNELS)
    kernel, gamma, beta = (bank.numpy()[1] for bank in operation.banks)
    y = tf.nn.conv2d(np.maximum(x, 0), kernel, strides=1, padding="SAME")
    np.testing.assert_allclose(operation(x, tf.constant(1)), normalize(y, gamma, beta), atol=1e-4)


@pytest.mark.parametrize("name", ["sep_conv_3x3", "sep_conv_5x5"])
def test_separable_convolution_is_depthwise_then_pointwise(name):
    operation, x = randomize(build_operation(name, 2, CHANNELS)), random(2, 8, 8, CHANNELS)
    depthwise, pointwise, gamma, beta = (bank.numpy()[1] for bank in operation.banks)
    y = tf.nn.separable_conv2d(np.maximum(x, 0), depthwise, pointwise, strides=[1, 1, 1, 1], padding="SAME")
    np.testing.assert_allclose(operation(x, tf.constant(1)), normalize(y, gamma, beta), atol=1e-4)


def test_a_cells_separable_convolution_is_two_and_the_first_has_the_stride():
    operation = randomize(build_operation("sep_conv_5x5", 2, CHANNELS, CELL_OPERATIONS))
    x = y = random(2, 8, 8, CHANNELS)
    depthwise, pointwise, gamma, beta = (bank.numpy()[1] for bank in operation.banks)
    for i, step in enumerate((2, 1)):
        y = tf.nn.separable_conv2d(
            np.maximum(y, 0), depthwise[i], pointwise[i], strides=[1, step, step, 1], padding="SAME"
        )
        y = normalize(y, gamma[i], beta[i])
    assert y.shape == (2, 4, 4, CHANNELS)
    np.testing.assert_allclose(operation(x, tf.constant(1), strides=2), y, atol=1e-4)


def test_a_convolution_can_change_the_number_of_channels():
    operation, x = randomize(Convolution(2, 5, 1, inputs=CHANNELS)), random(2, 4, 4, CHANNELS)
    kernel, gamma, beta = (bank.numpy()[1] for bank in operation.banks)
    y = tf.nn.conv2d(np.maximum(x, 0), kernel, strides=1, padding="SAME")
    np.testing.assert_allclose(operation(x, tf.constant(1)), normalize(y, gamma, beta), atol=1e-4)


def test_an_identity_has_no_stride():
    with pytest.raises(ValueError, match="stride"):
        build_operation("identity", 1, CHANNELS, CELL_OPERATIONS)(random(1, 4, 4, CHANNELS), tf.constant(0), strides=2)


def test_factorized_reduction_is_two_strided_convolutions():
    """Of the image and of the image moved up and left by one pixel, each to half of the channels."""
    reduction, x = randomize(FactorizedReduction(2, CHANNELS)), random(2, 8, 6, CHANNELS)
    kernels, gamma, beta = (bank.numpy()[1] for bank in reduction.banks)
    moved = tf.pad(x[:, 1:, 1:], [[0, 0], [0, 1], [0, 1], [0, 0]])
    halves = [tf.nn.conv2d(y, k, strides=2, padding="SAME") for y, k in zip([x, moved], kernels, strict=True)]
    expected = normalize(tf.concat(halves, axis=-1), gamma, beta)
    assert expected.shape == (2, 4, 3, CHANNELS)
    np.testing.assert_allclose(reduction(x, tf.constant(1)), expected, atol=1e-4)


@pytest.mark.parametrize(
    ("operation", "fan_ins"),
    [
        (build_operation("conv_5x5", 50, 64), [25 * 64]),
        (build_operation("sep_conv_3x3", 50, 64), [9, 64]),
        (build_operation("conv_3x3", 50, 64), [9 * 64]),
        (build_operation("sep_conv_5x5", 50, 64, CELL_OPERATIONS), [25, 64]),
        (FactorizedReduction(50, 64), [64]),
    ],
    ids=["conv_5x5", "sep_conv_3x3", "conv_3x3", "twice sep_conv_5x5", "reduction"],
)
def test_rows_are_initialised_as_if_they_stood_alone(operation, fan_ins):
    """By the fan-in of one place, however many places the bank has."""
    for bank, fan_in in zip(operation.banks, fan_ins, strict=False):
        assert np.std(bank.numpy()) == pytest.approx(0.8796 * np.sqrt(2 / fan_in), rel=0.02)
