"""Mixed precision in every space: the same network, computed in the shorter type, with all weights in float32."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from enas_tf.models.images import ImageConfig
from enas_tf.runtime.checkpoints import Checkpoints
from enas_tf.runtime.replicas import PRECISIONS, Replicas
from enas_tf.runtime.reporting import Reporter
from enas_tf.search.searchers.random import RandomSearcher
from tests.conformance.test_replicas import make_evaluator, make_trainer

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
def test_the_network_is_the_same(case, precision):
    """Supernet and child of a proposal, beside the supernet in float32; weights and logits are float32 in all."""
    case = with_larger_images(case)
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
def test_what_is_costly_is_computed_in_the_shorter_type(case, precision):
    """All convolutions and matrix products but the last, which makes the logits, in supernet and child."""
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


@pytest.mark.parametrize("precision", ["mixed_float16", pytest.param("mixed_bfloat16", marks=pytest.mark.slow)])
def test_search_and_retraining_learn(costly_case, precision, tmp_path):
    """An epoch of each moves the weights about as far as in float32, and every mean is a number."""
    moved = {}
    for name in ("float32", precision):
        replicas = Replicas(precision=name)
        evaluator = make_evaluator(costly_case, replicas)
        before = [weight.numpy() for weight in evaluator.problem.variables]
        evaluator.start(0)
        means = evaluator.prepare(RandomSearcher(costly_case.tiny), 0)
        assert np.isfinite(list(means.values())).all()
        assert means["gradient_norm"] > 0
        after = evaluator.problem.variables
        moved[name] = np.concatenate([(v.numpy() - old).ravel() for v, old in zip(after, before, strict=True)])
        assert ("shared_loss_scale" in evaluator.tracked) == (name == "mixed_float16")
    # Steps of clipped gradients: lengths are alike, and so is the direction.
    lengths = {name: np.linalg.norm(vector) for name, vector in moved.items()}
    assert lengths[precision] == pytest.approx(lengths["float32"], rel=0.1)
    assert moved[precision] @ moved["float32"] > 0.9 * lengths[precision] * lengths["float32"]
    trainer = make_trainer(costly_case, Replicas(precision=precision))
    with Reporter(tmp_path) as reporter:
        trainer.run(reporter, Checkpoints(tmp_path / "checkpoints", trainer.tracked))
    assert all(np.isfinite(variable.numpy()).all() for variable in trainer.problem.variables)
