"""Law 3 as a function: supernet and child are one function of the same weights."""

import keras
import numpy as np
import pytest
import tensorflow as tf


def build_moved(case):
    """Return a supernet with weights moved off their initial values, and its traced outputs and gradients."""
    keras.utils.set_random_seed(1)
    supernet = case.build_supernet()
    for variable in supernet.trainable_variables:
        variable.assign(variable + 0.1 * keras.random.normal(variable.shape))
    return supernet, _differentiate(case, supernet)


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


def assert_supernet_equals_child(case, supernet, differentiate, tokens):
    """Compare the forward pass, the L2 term and every gradient, with the chosen weights copied to the child."""
    inputs, architecture = case.inputs(8), case.space.decode(tokens)
    child = case.build_child(architecture)
    case.networks.inherit_weights(child, supernet, architecture)
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
    _assign(supernet, gradients)
    case.networks.inherit_weights(child, supernet, architecture)
    _assign(supernet, kept)
    for variable, gradient in zip(child.trainable_variables, child_gradients, strict=True):
        largest = float(tf.reduce_max(tf.abs(gradient)))
        np.testing.assert_allclose(variable, gradient, rtol=1e-2, atol=1e-3 * largest + 5e-6, err_msg=variable.path)
    # Of equal length: no other weight has any.
    norms = [float(tf.linalg.global_norm(all_of_one)) for all_of_one in (gradients, child_gradients)]
    assert norms[0] == pytest.approx(norms[1], rel=1e-3)
    moved = sum(int(np.count_nonzero(gradient)) for gradient in gradients)
    assert 0 < moved <= sum(w.size for w in weights)


def _assign(network, values):
    for variable, value in zip(network.trainable_variables, values, strict=True):
        variable.assign(value)


def assert_child_costs_what_is_counted(case, architecture):
    """Compare the formulas with the weights of the child and the operations of its traced graph."""
    child = case.build_child(architecture)
    cost = case.networks.count(architecture, case.child, case.shape)
    assert cost.parameters == sum(int(np.prod(v.shape)) for v in child.trainable_variables)
    statistics = [v for v in child.non_trainable_variables if v.name.startswith("moving_")]
    assert cost.statistics == sum(int(np.prod(v.shape)) for v in statistics)
    assert cost.flops == _traced_flops(child)


def _traced_flops(model) -> int:
    """Return the FLOPs of one image or token, from the shapes of every convolution and matrix product in the graph."""
    specs = [tf.TensorSpec([1 if side is None else side for side in x.shape], x.dtype) for x in model.inputs]
    call = tf.function(lambda *x: model(x if len(x) > 1 else x[0], training=False), autograph=False)
    total = 0
    for op in _computed_ops(call.get_concrete_function(*specs).graph):
        if op.type in ("Conv2D", "DepthwiseConv2dNative", "MatMul", "BatchMatMulV2"):
            positions = np.prod(op.outputs[0].shape[:-1])
            total += int(2 * positions * np.prod(op.inputs[1].shape))
    return total


def _computed_ops(graph) -> list:
    """Return the operations that the outputs depend on, a loop's body once; what is traced for nothing is left out."""
    found, waiting = {}, [tensor.op for tensor in graph.outputs]
    while waiting:
        op = waiting.pop()
        if op.name not in found:
            found[op.name] = op
            waiting += [tensor.op for tensor in op.inputs]
    bodies = [graph._get_function(op.get_attr("body").name).graph for op in found.values() if "While" in op.type]
    return [*found.values(), *(op for body in bodies for op in _computed_ops(body))]
