"""Mixed precision in every space: the same network, computed in the shorter type, with all weights in float32."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from enas_tf.models.images import ImageConfig
from enas_tf.runtime.replicas import PRECISIONS

MIXED = [precision for precision in PRECISIONS if precision != "float32"]
#: Largest error of a logit, in standard deviations: batch statistics of few pixels enlarge what rounding does.
TOLERANCE = {"mixed_bfloat16": 0.5, "mixed_float16": 0.06}
COSTLY_OPS = ("Conv2D", "DepthwiseConv2dNative", "MatMul")


def with_larger_images(case):
    """Statistics of more pixels, so that rounding does not decide."""
    if isinstance(case.shape, ImageConfig):
        return dataclasses.replace(case, shape=dataclasses.replace(case.shape, height=16, width=16))
    return case


def types_of_costly_ops(function, *arguments) -> list[tf.DType]:
    """Of the convolutions and matrix products in the traced graph and all that it calls."""
    graph = tf.function(function, autograph=False).get_concrete_function(*arguments).graph.as_graph_def()
    nodes = [*graph.node, *(node for called in graph.library.function for node in called.node_def)]
    return [tf.as_dtype(node.attr["T"].type) for node in nodes if node.op in COSTLY_OPS]


@pytest.mark.parametrize("precision", MIXED)
def test_the_network_is_the_same(costly_shared_case, precision):
    """Supernet and child of a proposal, beside the supernet in float32; weights and logits are float32 in all."""
    case = with_larger_images(costly_shared_case)
    keras.utils.set_random_seed(1)
    full = case.build_supernet()
    short = case.build_supernet(precision)
    for variable, other in zip(full.trainable_variables, short.trainable_variables, strict=True):
        variable.assign(variable + 0.1 * keras.random.normal(variable.shape))
        other.assign(variable)
    tokens = case.space.random_tokens(1, np.random.default_rng(5))[0]
    architecture, inputs = case.space.decode(tokens), [tf.constant(part) for part in case.inputs(16)]
    child = case.build_child(architecture, precision)
    case.networks.inherit_weights(child, short, architecture)
    expected, squares = case.run_supernet(full, inputs, tokens)
    found, its_squares = case.run_supernet(short, inputs, tokens)
    assert float(its_squares) == pytest.approx(float(squares))
    bound = TOLERANCE[precision] * float(tf.math.reduce_std(expected))
    for logits in (found, case.run_child(child, inputs)):
        assert logits.dtype == tf.float32
        assert 1e-6 < float(tf.reduce_max(tf.abs(logits - expected))) < bound
    assert {
        variable.dtype for network in (short, child) for variable in network.weights if "seed" not in variable.path
    } == {"float32"}


@pytest.mark.parametrize("precision", MIXED)
def test_what_is_costly_is_computed_in_the_shorter_type(costly_shared_case, precision):
    """All convolutions and matrix products but the last, which makes the logits, in supernet and child."""
    case = costly_shared_case
    inputs = [tf.constant(part) for part in case.inputs(4)]
    tokens = tf.constant(case.space.random_tokens(1, np.random.default_rng(5))[0])
    supernet = case.build_supernet(precision)
    child = case.build_child(case.space.decode(tokens.numpy()), precision)
    for function in (
        lambda: case.run_supernet(supernet, inputs, tokens),
        lambda: case.run_child(child, inputs),
    ):
        types = types_of_costly_ops(function)
        assert types.count(tf.float32) == 1
        assert set(types) - {tf.float32} == {tf.as_dtype(precision.removeprefix("mixed_"))}
