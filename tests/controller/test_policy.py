"""Numbers of the macro policy against the reference's (facts 2.1, 2.2)."""

import numpy as np
import pytest
import tensorflow as tf

from enas_tf.controller.policy import Controller, ControllerConfig
from enas_tf.spaces.macro import MacroSpace


@pytest.fixture(scope="module")
def controller():
    return Controller(MacroSpace(num_layers=4))


def scaled(controller, factor):
    """A policy with larger weights than its initial ones."""
    copy = Controller(controller.space, controller.config)
    for mine, its in zip(copy.trainable_variables, controller.trainable_variables, strict=True):
        mine.assign(factor * its)
    return copy


def test_number_of_weights_is_the_references(controller):
    assert sum(int(np.prod(v.shape)) for v in controller.trainable_variables) == 41_856


def test_weights_start_in_a_tenth(controller):
    for variable in controller.trainable_variables:
        values = np.abs(variable.numpy())
        assert values.max() <= 0.1
        assert values.max() > 0.05


def test_weights_start_different(controller):
    """A Keras initializer keeps its seed: one for all weights would give them all the same numbers."""
    starts = [variable.numpy().ravel()[:64] for variable in controller.trainable_variables]
    assert len({values.tobytes() for values in starts}) == len(starts)


def test_probabilities_stay_within_the_bounds_of_the_tanh(controller):
    """With c = 1.5: at most 0.80 for one of six operations, and within [0.047, 0.953] for a skip."""
    walk = scaled(controller, 1000.0).sample(200, tf.constant([0, 1]))
    largest = max(float(tf.reduce_max(probs)) for probs in walk.op_probabilities.values())
    bound = np.exp(1.5) / (np.exp(1.5) + 5 * np.exp(-1.5))
    assert 0.5 < largest <= bound + 1e-6
    # A walk is 4 operations and 6 skips; none can be less likely than the bound says.
    least = 4 * np.log(np.exp(-1.5) / (np.exp(-1.5) + 5 * np.exp(1.5))) + 6 * np.log(1 / (1 + np.exp(3.0)))
    assert float(tf.reduce_min(walk.log_prob)) >= least - 1e-4


def test_temperature_flattens():
    space = MacroSpace(num_layers=3)
    cold = scaled(Controller(space, ControllerConfig(tanh_constant=0.0)), 5.0)
    warm = Controller(space, ControllerConfig(tanh_constant=0.0, temperature=5.0))
    for mine, its in zip(warm.trainable_variables, cold.trainable_variables, strict=True):
        mine.assign(its)
    tokens = cold.sample(50, tf.constant([0, 1])).tokens
    assert float(tf.reduce_mean(warm.score(tokens).entropy)) > float(tf.reduce_mean(cold.score(tokens).entropy))


def test_skip_divergence_is_the_kl_of_what_is_sampled():
    """With zero attention every skip has probability 1/2, and one layer k has k - 1 of them."""
    space = MacroSpace(num_layers=3)
    controller = Controller(space, ControllerConfig(skip_target=0.4))
    controller.attention.assign(tf.zeros_like(controller.attention))
    per_skip = 0.5 * np.log(0.5 / 0.4) + 0.5 * np.log(0.5 / 0.6)
    divergence = controller.sample(3, tf.constant([0, 1])).skip_divergence
    np.testing.assert_allclose(divergence, per_skip * (1 + 2) / 2, rtol=1e-5)


def test_log_prob_is_differentiable(controller):
    tokens = controller.sample(4, tf.constant([0, 1])).tokens
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(controller.log_prob(tokens))
    gradients = tape.gradient(loss, [v.value for v in controller.trainable_variables])
    assert all(float(tf.norm(tf.convert_to_tensor(gradient))) > 0 for gradient in gradients)
