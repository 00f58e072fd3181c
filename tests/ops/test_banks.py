"""Laws of banks: each place computes with its own row what the description of the operation says."""

import numpy as np
import pytest
import tensorflow as tf

from enas_tf.layers import functions
from enas_tf.ops.convolution import ConvolutionBank
from enas_tf.ops.op import CELL_OPS, LAYER_OPS
from enas_tf.ops.reduction import REDUCTION
from tests.ops.banks import CHANNELS, OPS, draw, randomize


def normalize(x, gamma, beta):
    mean, variance = np.mean(x, axis=(0, 1, 2)), np.var(x, axis=(0, 1, 2))
    return gamma * (x - mean) / np.sqrt(variance + functions.EPSILON) + beta


@pytest.mark.parametrize("op", OPS.values(), ids=OPS)
def test_shape_is_kept_and_places_differ(op):
    bank = randomize(op.build_bank(3, CHANNELS))
    x = draw(2, 8, 8, CHANNELS)
    first, second = bank(x, tf.constant(0)), bank(x, tf.constant(1))
    assert first.shape == second.shape == x.shape
    assert bool(bank.stacks) == (float(tf.reduce_max(tf.abs(first - second))) > 1e-3)
    assert all(stack.shape[0] == 3 for stack in bank.stacks)


@pytest.mark.parametrize("op", OPS.values(), ids=OPS)
def test_rows_are_unpacked_from_one_vector(op):
    bank = randomize(op.build_bank(3, CHANNELS))
    rows = bank.rows(2)
    if rows:
        vector = tf.concat([tf.reshape(row, [-1]) for row in rows], axis=0)
        for found, row in zip(bank.unpack(vector), rows, strict=True):
            np.testing.assert_array_equal(found, row)


@pytest.mark.parametrize("name", ["conv_3x3", "conv_5x5"])
def test_convolution_is_relu_convolution_normalisation(name):
    bank, x = randomize(LAYER_OPS[name].build_bank(2, CHANNELS)), draw(2, 8, 8, CHANNELS)
    kernel, gamma, beta = (stack.numpy()[1] for stack in bank.stacks)
    y = tf.nn.conv2d(np.maximum(x, 0), kernel, strides=1, padding="SAME")
    np.testing.assert_allclose(bank(x, tf.constant(1)), normalize(y, gamma, beta), atol=1e-4)


@pytest.mark.parametrize("name", ["sep_conv_3x3", "sep_conv_5x5"])
def test_separable_convolution_is_depthwise_then_pointwise(name):
    bank, x = randomize(LAYER_OPS[name].build_bank(2, CHANNELS)), draw(2, 8, 8, CHANNELS)
    depthwise, pointwise, gamma, beta = (stack.numpy()[1] for stack in bank.stacks)
    y = tf.nn.separable_conv2d(np.maximum(x, 0), depthwise, pointwise, strides=[1, 1, 1, 1], padding="SAME")
    np.testing.assert_allclose(bank(x, tf.constant(1)), normalize(y, gamma, beta), atol=1e-4)


def test_a_cells_separable_convolution_is_two_and_the_first_has_the_stride():
    bank = randomize(CELL_OPS["sep_conv_5x5"].build_bank(2, CHANNELS))
    x = y = draw(2, 8, 8, CHANNELS)
    depthwise, pointwise, gamma, beta = (stack.numpy()[1] for stack in bank.stacks)
    for i, step in enumerate((2, 1)):
        y = tf.nn.separable_conv2d(
            np.maximum(y, 0), depthwise[i], pointwise[i], strides=[1, step, step, 1], padding="SAME"
        )
        y = normalize(y, gamma[i], beta[i])
    assert y.shape == (2, 4, 4, CHANNELS)
    np.testing.assert_allclose(bank(x, tf.constant(1), strides=2), y, atol=1e-4)


@pytest.mark.parametrize(
    ("name", "num", "kernels"),
    [
        ("bottleneck_3x3", 4, [(3, 3)]),
        ("dilated_3x3", 4, [(3, 3)]),
        ("conv_1x7_7x1", 4, [(1, 7), (7, 1)]),
        ("conv_1x3_3x1", 6, [(1, 3), (3, 1)]),
    ],
)
def test_a_bottleneck_has_a_quarter_of_the_channels_or_three_eighths(name, num, kernels):
    """Facts of network_utils.py of AmoebaNet: 1x1 to few channels, the kernels among these, 1x1 back to all."""
    stacks = CELL_OPS[name].build_bank(1, 16).stacks[::3]
    inner = [(1, *kernel, num, num) for kernel in kernels]
    assert [stack.shape for stack in stacks] == [(1, 1, 1, 16, num), *inner, (1, 1, 1, num, 16)]


@pytest.mark.parametrize(
    ("name", "steps"),
    [("conv_1x7_7x1", [(1, 1), (1, 2), (2, 1), (1, 1)]), ("bottleneck_3x3", [(1, 1), (2, 2), (1, 1)])],
)
def test_a_bottleneck_has_its_stride_in_the_middle(name, steps):
    bank = randomize(CELL_OPS[name].build_bank(2, CHANNELS))
    x = y = draw(2, 8, 8, CHANNELS)
    rows = [stack.numpy()[1] for stack in bank.stacks]
    for step, kernel, gamma, beta in zip(steps, rows[::3], rows[1::3], rows[2::3], strict=True):
        y = normalize(tf.nn.conv2d(np.maximum(y, 0), kernel, strides=step, padding="SAME"), gamma, beta)
    assert y.shape == (2, 4, 4, CHANNELS)
    np.testing.assert_allclose(bank(x, tf.constant(1), strides=2), y, atol=1e-4)


def test_a_dilated_convolution_reads_every_second_pixel():
    """With a stride it would read none of the others: the first convolution leaves them out."""
    bank = randomize(CELL_OPS["dilated_3x3"].build_bank(1, CHANNELS))
    narrow, narrow_gamma, narrow_beta, kernel, gamma, beta, widen, *last = [stack.numpy()[0] for stack in bank.stacks]
    holes = np.zeros((5, 5, *kernel.shape[2:]), np.float32)
    holes[::2, ::2] = kernel
    for strides, middle in ((1, holes), (2, kernel)):
        x = draw(2, 8, 8, CHANNELS)
        y = normalize(tf.nn.conv2d(np.maximum(x, 0), narrow, strides, "SAME"), narrow_gamma, narrow_beta)
        y = normalize(tf.nn.conv2d(np.maximum(y, 0), middle, 1, "SAME"), gamma, beta)
        y = normalize(tf.nn.conv2d(np.maximum(y, 0), widen, 1, "SAME"), *last)
        np.testing.assert_allclose(bank(x, tf.constant(0), strides=strides), y, atol=1e-4)


def test_a_convolution_can_change_the_number_of_channels():
    bank, x = randomize(ConvolutionBank(2, 5, 1, inputs=CHANNELS)), draw(2, 4, 4, CHANNELS)
    kernel, gamma, beta = (stack.numpy()[1] for stack in bank.stacks)
    y = tf.nn.conv2d(np.maximum(x, 0), kernel, strides=1, padding="SAME")
    np.testing.assert_allclose(bank(x, tf.constant(1)), normalize(y, gamma, beta), atol=1e-4)


def test_an_identity_has_no_stride_and_a_reduction_stands_in_its_place():
    identity = CELL_OPS["identity"]
    with pytest.raises(ValueError, match="stride"):
        identity.build_bank(1, CHANNELS)(draw(1, 4, 4, CHANNELS), tf.constant(0), strides=2)
    assert identity.with_strides(1) is identity
    assert isinstance(identity.with_strides(2), type(REDUCTION))


def test_factorized_reduction_is_two_strided_convolutions():
    """They are of the image and of the image moved up and left by one pixel, each to half of the channels."""
    bank, x = randomize(REDUCTION.build_bank(2, CHANNELS)), draw(2, 8, 6, CHANNELS)
    kernels, gamma, beta = (stack.numpy()[1] for stack in bank.stacks)
    moved = tf.pad(x[:, 1:, 1:], [[0, 0], [0, 1], [0, 1], [0, 0]])
    halves = [tf.nn.conv2d(y, k, strides=2, padding="SAME") for y, k in zip([x, moved], kernels, strict=True)]
    expected = normalize(tf.concat(halves, axis=-1), gamma, beta)
    assert expected.shape == (2, 4, 3, CHANNELS)
    np.testing.assert_allclose(bank(x, tf.constant(1)), expected, atol=1e-4)


@pytest.mark.parametrize(
    ("op", "fan_ins"),
    [
        (LAYER_OPS["conv_5x5"], [25 * 64]),
        (LAYER_OPS["sep_conv_3x3"], [9, 64]),
        (LAYER_OPS["conv_3x3"], [9 * 64]),
        (CELL_OPS["sep_conv_5x5"], [25, 64]),
        (REDUCTION, [64]),
        (CELL_OPS["conv_1x7_7x1"], [64]),
    ],
    ids=["conv_5x5", "sep_conv_3x3", "conv_3x3", "twice sep_conv_5x5", "reduction", "bottleneck"],
)
def test_rows_are_initialised_as_if_they_stood_alone(op, fan_ins):
    """The fan-in is that of one place, however many places the bank has."""
    for stack, fan_in in zip(op.build_bank(50, 64).stacks, fan_ins, strict=False):
        assert np.std(stack.numpy()) == pytest.approx(0.8796 * np.sqrt(2 / fan_in), rel=0.02)
