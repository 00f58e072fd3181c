"""Laws 3 and 4: supernet and child are one function; only what was chosen computes and learns; one trace for all."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from enas_tf.spaces.architectures import SPACES


@pytest.fixture(scope="module")
def compiled():
    """Case name -> supernet with weights moved off their initial values, and its traced functions; one per case."""
    return {}


def build(case, compiled):
    if case.name not in compiled:
        keras.utils.set_random_seed(1)
        supernet = case.build_supernet()
        for variable in supernet.trainable_variables:
            variable.assign(variable + 0.1 * keras.random.normal(variable.shape))
        compiled[case.name] = supernet, _differentiate(case, supernet)
    return compiled[case.name]


def _differentiate(case, network):
    @tf.function(autograph=False)
    def differentiate(inputs, tokens):
        with tf.GradientTape() as tape:
            logits, squares = case.run_supernet(network, inputs, tokens)
            loss = tf.reduce_mean(tf.nn.log_softmax(logits)[..., 0])
        variables = [variable.value for variable in network.trainable_variables]
        gradients = tape.gradient(loss, variables, unconnected_gradients="zero")
        return logits, squares, [tf.convert_to_tensor(gradient) for gradient in gradients]

    return differentiate


def assign(network, values):
    for variable, value in zip(network.trainable_variables, values, strict=True):
        variable.assign(value)


def proposals(case, num):
    return case.space.random_tokens(num, np.random.default_rng(5))


def test_supernet_equals_child(case, compiled):
    """The forward pass, the L2 term and every gradient, with the chosen weights copied to the child."""
    supernet, differentiate = build(case, compiled)
    inputs = case.inputs(8)
    for tokens in proposals(case, 2):
        architecture = case.space.decode(tokens)
        child = case.build_child(architecture)
        case.family.inherit_weights(child, supernet, architecture)
        logits, squares, gradients = differentiate(inputs, tokens)
        with tf.GradientTape() as tape:
            expected = case.run_child(child, inputs)
            loss = tf.reduce_mean(tf.nn.log_softmax(expected)[..., 0])
        np.testing.assert_allclose(logits, expected, atol=2e-4)
        weights = [variable.numpy() for variable in child.trainable_variables]
        assert float(squares) == pytest.approx(sum(float(np.sum(w**2)) for w in weights), rel=1e-4)
        child_gradients = tape.gradient(loss, [variable.value for variable in child.trainable_variables])
        # With its gradients in place of its weights, what the child inherits are its own gradients.
        kept = [variable.numpy() for variable in supernet.trainable_variables]
        assign(supernet, gradients)
        case.family.inherit_weights(child, supernet, architecture)
        assign(supernet, kept)
        for variable, gradient in zip(child.trainable_variables, child_gradients, strict=True):
            largest = float(tf.reduce_max(tf.abs(gradient)))
            np.testing.assert_allclose(variable, gradient, rtol=1e-2, atol=1e-3 * largest + 1e-6, err_msg=variable.path)
        # Of equal length: no other weight has any.
        assert float(tf.linalg.global_norm(gradients)) == pytest.approx(
            float(tf.linalg.global_norm(child_gradients)), rel=1e-3
        )
        moved = sum(int(np.count_nonzero(gradient)) for gradient in gradients)
        assert 0 < moved <= sum(w.size for w in weights)


def test_one_trace_serves_every_architecture(case, compiled):
    _, differentiate = build(case, compiled)
    inputs = [tf.constant(part) for part in case.inputs(8)]
    for tokens in proposals(case, 6):
        logits, _, _ = differentiate(inputs, tf.constant(tokens))
        assert np.isfinite(logits).all()
    # NumPy arguments of the test above are tensors to a tf.function: the trace is the same one.
    assert differentiate.experimental_get_tracing_count() == 1


def test_architectures_differ(case, compiled):
    """No decision is without effect: changing any one token changes the logits (in the reference the op was)."""
    _, differentiate = build(case, compiled)
    inputs = [tf.constant(part) for part in case.inputs(8)]
    base = case.space.random_tokens(1, np.random.default_rng(2))[0]
    expected, _, _ = differentiate(inputs, base)
    for index, num in enumerate(case.space.token_ranges):
        if num == 1:
            continue  # The second node of a recurrent cell has one node to read.
        tokens = base.copy()
        tokens[index] = (tokens[index] + 1) % num
        logits, _, _ = differentiate(inputs, tokens)
        assert float(tf.reduce_max(tf.abs(logits - expected))) > 1e-3, f"token {index} has no effect"


def test_weights_start_different(case):
    """No two weights of a supernet or a child begin with the same numbers, but for those that begin constant."""
    tokens = proposals(case, 1)[0]
    for network in (case.build_supernet(), case.build_child(case.space.decode(tokens))):
        starts = [variable.numpy().ravel()[:6] for variable in network.trainable_variables]
        starts = [values.tobytes() for values in starts if np.ptp(values)]
        assert len(set(starts)) == len(starts) > 1


def test_child_costs_what_is_counted(case):
    for tokens in proposals(case, 3):
        architecture = case.space.decode(tokens)
        child = case.build_child(architecture)
        cost = case.family.count(architecture, case.child, case.shape)
        assert cost.parameters == sum(int(np.prod(v.shape)) for v in child.trainable_variables)
        assert cost.flops == traced_flops(child)


def traced_flops(model) -> int:
    """FLOPs of one image or token, from the shapes of every convolution and matrix product in the traced graph."""
    specs = [tf.TensorSpec([1 if side is None else side for side in x.shape], x.dtype) for x in model.inputs]
    call = tf.function(lambda *x: model(x if len(x) > 1 else x[0], training=False), autograph=False)
    total = 0
    for op in _computed_ops(call.get_concrete_function(*specs).graph):
        if op.type in ("Conv2D", "DepthwiseConv2dNative", "MatMul", "BatchMatMulV2"):
            positions = np.prod(op.outputs[0].shape[:-1])
            total += int(2 * positions * np.prod(op.inputs[1].shape))
    return total


def _computed_ops(graph) -> list:
    """The operations that the outputs depend on, a loop's body once; what is traced for nothing is left out."""
    found, waiting = {}, [tensor.op for tensor in graph.outputs]
    while waiting:
        op = waiting.pop()
        if op.name not in found:
            found[op.name] = op
            waiting += [tensor.op for tensor in op.inputs]
    bodies = [graph._get_function(op.get_attr("body").name).graph for op in found.values() if "While" in op.type]
    return [*found.values(), *(op for body in bodies for op in _computed_ops(body))]


def test_every_family_belongs_to_a_space(case_list):
    from enas_tf.models.families import FAMILIES

    assert set(FAMILIES) == set(SPACES)
