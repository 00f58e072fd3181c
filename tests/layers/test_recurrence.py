"""Laws of recurrent cells: outputs and gradients of fixed and of sampled cells equal their formulas."""

import functools

import numpy as np
import pytest
import tensorflow as tf

from enas_tf.layers import recurrence
from enas_tf.ops.activations import ACTIVATIONS

NAMES = tuple(ACTIVATIONS)
FUNCTIONS = [ACTIVATIONS[name] for name in NAMES]


def sigmoid(z):
    return (1 + np.tanh(z / 2)) / 2


#: Name of an activation -> the same in NumPy.
PLAIN = {"tanh": np.tanh, "relu": lambda z: np.maximum(z, 0), "identity": lambda z: z, "sigmoid": sigmoid}


def make_cell(activations, previous, averaged):
    """Return a fixed cell with `activations` by name."""
    shares = [1 / len(averaged) if node in averaged else 0.0 for node in range(len(activations))]
    return recurrence.HighwayCell(FUNCTIONS, [NAMES.index(name) for name in activations], previous, shares)


def sampled(cell):
    """Return the same cell with tensors as indices and shares."""
    return recurrence.HighwayCell(
        cell.activations,
        [tf.constant(number) for number in cell.chosen],
        [tf.constant(number) for number in cell.previous],
        [tf.constant(share) for share in cell.shares],
    )


#: Every activation, a node that two others read, a mean of several nodes, an output of the first node, a single node.
CELLS = {
    "chain": make_cell(("tanh", "relu", "identity", "sigmoid"), [0, 1, 2], [3]),
    "fork": make_cell(("relu", "tanh", "sigmoid", "tanh", "identity"), [0, 0, 1, 1], [2, 3, 4]),
    "all": make_cell(("sigmoid", "identity", "relu"), [0, 0], [0, 1, 2]),
    "one": make_cell(("tanh",), [], [0]),
}


def make_run(cell, time=5, batch=3, units=4):
    """Return products, state, kernels and a mask, large enough to reach the nonlinear range of every activation."""
    random = np.random.default_rng(0)
    shapes = [(batch, time, 2 * units), (batch, units), *[(units, 2 * units)] * cell.num_nodes]
    mask = random.choice([0.0, 2.0], size=(batch, units))
    arrays = [tf.constant(random.normal(scale=0.8, size=shape), tf.float32) for shape in shapes]
    return arrays[0], arrays[1], arrays[2:], tf.constant(mask, tf.float32)


def run_plainly(cell, products, state, kernels, mask):
    """Compute the outputs in NumPy, float64."""
    outputs, numbers = [], list(cell.previous)
    products, state, mask = (np.asarray(array, np.float64) for array in (products, state, mask))
    for t in range(products.shape[1]):
        nodes = []
        for node, kernel in enumerate(kernels):
            source = nodes[numbers[node - 1]] if node else state
            z, gate = np.split((mask * source) @ np.asarray(kernel) + (0 if node else products[:, t]), 2, axis=1)
            value = PLAIN[NAMES[cell.chosen[node]]](z)
            nodes.append(sigmoid(gate) * value + (1 - sigmoid(gate)) * source)
        state = sum(share * value for share, value in zip(cell.shares, nodes, strict=True))
        outputs.append(state)
    return np.stack(outputs, axis=1)


def gradients_of(run, products, state, kernels):
    """Return the outputs, and the gradients of a sum of their squares with different weights."""
    leaves = [products, state, *kernels]
    with tf.GradientTape() as tape:
        tape.watch(leaves)
        outputs = run(products, state, kernels)
        weights = tf.reshape(tf.cos(tf.range(tf.cast(tf.size(outputs), tf.float32))), tf.shape(outputs))
        total = tf.reduce_sum(weights * tf.square(outputs))
    return outputs, tape.gradient(total, leaves)


def test_a_closed_gate_keeps_what_was_there_and_an_open_one_does_not():
    """A gate far below 0 keeps the state, and a gate far above 0 takes the new content."""
    cell, product = make_cell(("identity",), [], [0]), tf.constant([[0.7, 0.7, -50.0, 50.0]])
    step = cell.step(product, tf.constant([[0.3, 0.3]]), [tf.zeros([2, 4])], None)
    np.testing.assert_allclose(step.output, [[0.3, 0.7]], atol=1e-6)


@pytest.mark.parametrize("name", CELLS)
def test_a_run_is_its_formula(name):
    """This holds with and without dropout, for fixed and for sampled cells."""
    cell = CELLS[name]
    products, state, kernels, mask = make_run(cell)
    for mask_or_none, factors in ((mask, mask), (None, tf.ones_like(mask))):
        expected = run_plainly(cell, products, state, kernels, factors)
        for kind in (cell, sampled(cell)):
            outputs = recurrence.run_cell(kind, products, state, kernels, mask_or_none)
            np.testing.assert_allclose(outputs, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("time", [1, 5])
@pytest.mark.parametrize("name", CELLS)
def test_the_gradient_of_a_run_is_tensorflow_s_own(name, time):
    """This holds for the gradients of the inputs, the state and every kernel."""
    cell = CELLS[name]
    products, state, kernels, mask = make_run(cell, time)

    def run_by_scan(products, state, kernels):
        return recurrence.run_over_time(lambda s, x: cell.step(x, s, kernels, mask).output, products, state)[0]

    outputs, expected = gradients_of(run_by_scan, products, state, kernels)
    for kind in (cell, sampled(cell)):

        def run(products, state, kernels, kind=kind):
            return recurrence.run_cell(kind, products, state, kernels, mask)

        compiled = tf.function(functools.partial(gradients_of, run), autograph=False)
        found, gradients = compiled(products, state, kernels)
        np.testing.assert_allclose(found, outputs, atol=1e-5)
        assert len(gradients) == 2 + cell.num_nodes
        for mine, its in zip(gradients, expected, strict=True):
            np.testing.assert_allclose(mine, its, rtol=1e-4, atol=1e-4)


def test_one_trace_runs_every_cell():
    """The trace serves windows of every length and batches of every size too."""

    @tf.function(autograph=False)
    def run(chosen, previous, products, state, kernels, mask):
        shares = [tf.constant(1.0) / 3] * 3
        cell = recurrence.HighwayCell(FUNCTIONS, tf.unstack(chosen), tf.unstack(previous), shares)
        return gradients_of(lambda p, s, k: recurrence.run_cell(cell, p, s, k, mask), products, state, kernels)

    free = [
        tf.TensorSpec([None, None, 8]),
        tf.TensorSpec([None, 4]),
        [tf.TensorSpec([4, 8])] * 3,
        tf.TensorSpec([None, 4]),
    ]
    numbers = [tf.TensorSpec([3], tf.int32), tf.TensorSpec([2], tf.int32)]
    compiled = run.get_concrete_function(*numbers, *free)
    for chosen, previous, time, batch in (((0, 1, 2), (0, 1), 4, 3), ((3, 3, 0), (0, 0), 1, 2)):
        cell = make_cell([NAMES[number] for number in chosen], list(previous), [0, 1, 2])
        products, state, kernels, mask = make_run(cell, time, batch)
        outputs, _ = compiled(tf.constant(chosen), tf.constant(previous), products, state, kernels, mask)
        np.testing.assert_allclose(outputs, run_plainly(cell, products, state, kernels, mask), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("shape", [(4,), (2, 4), (2, 3, 4)], ids=str)
def test_multiply_last_is_a_product_over_the_last_axis(shape):
    random = np.random.default_rng(0)
    tensor, matrix = random.normal(size=shape), random.normal(size=(4, 5))
    np.testing.assert_allclose(recurrence.multiply_last(tf.constant(tensor), matrix), tensor @ matrix)
    np.testing.assert_allclose(
        recurrence.multiply_last(tf.constant(tensor), matrix.T, transpose_b=True), tensor @ matrix
    )


@pytest.mark.parametrize("time", [1, 6])
def test_run_over_time_is_a_plain_loop(time):
    """It starts from the given state and computes each row independently; `time` is unknown to the trace."""
    random = np.random.default_rng(1)
    inputs = random.normal(size=(2, time, 3)).astype(np.float32)
    start = random.normal(size=(2, 4)).astype(np.float32)
    mix, keep = random.normal(size=(3, 4)).astype(np.float32), random.normal(size=(4, 4)).astype(np.float32)

    @tf.function(autograph=False, input_signature=[tf.TensorSpec([None, None, 3]), tf.TensorSpec([None, 4])])
    def run(inputs, state):
        return recurrence.run_over_time(lambda state, x: tf.tanh(x @ mix + state @ keep), inputs, state)

    state, expected = start, []
    for step in range(time):
        state = np.tanh(inputs[:, step] @ mix + state @ keep)
        expected.append(state)
    outputs, last = run(inputs, start)
    np.testing.assert_allclose(outputs, np.stack(expected, axis=1), atol=1e-5)
    np.testing.assert_array_equal(last, outputs[:, -1])
