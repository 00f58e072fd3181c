"""Numbers of the policies against those of the reference's controllers, and the options that each space reads."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from enas_tf.controller.policy import CONTROLLER, Controller, ControllerConfig
from enas_tf.controller.walk import Steps
from enas_tf.errors import InputError
from enas_tf.spaces.decisions import PickNode
from enas_tf.spaces.macro import MACRO_OPS, MacroSpace
from enas_tf.spaces.micro import MicroSpace
from enas_tf.spaces.recurrent import RecurrentSpace


@pytest.fixture(scope="module")
def controller():
    return Controller(MacroSpace(num_layers=4))


def scaled(controller, factor):
    """Return a copy of a policy whose weights are multiplied by `factor`."""
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
    """A single Keras initializer would give all weights the same numbers, since it keeps its seed."""
    starts = [variable.numpy().ravel()[:64] for variable in controller.trainable_variables]
    assert len({values.tobytes() for values in starts}) == len(starts)


def test_probabilities_stay_within_the_bounds_of_the_tanh(controller):
    """With c = 1.5 they are at most 0.80 for one of six operations, and in [0.047, 0.953] for a skip."""
    walk = scaled(controller, 1000.0).sample(200, tf.constant([0, 1]))
    largest = max(float(tf.reduce_max(probs)) for probs in walk.op_probabilities.values())
    bound = np.exp(1.5) / (np.exp(1.5) + 5 * np.exp(-1.5))
    assert 0.5 < largest <= bound + 1e-6
    # A walk is 4 operations and 6 skips, and the bound limits the probability of each from below.
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
    """With zero attention every skip has probability 1/2, and layer k has k - 1 skips."""
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


@pytest.fixture(scope="module")
def micro_controller():
    """Return a controller with the constants of scripts/cifar10_micro_search.sh."""
    return Controller(
        MicroSpace(), ControllerConfig(tanh_constant=1.1, op_tanh_reduce=2.5, learned_bias=10.0, fixed_bias=0.25)
    )


def test_number_of_weights_of_the_micro_policy_is_the_references(micro_controller):
    assert sum(int(np.prod(v.shape)) for v in micro_controller.trainable_variables) == 41_733


def test_favoured_operations_begin_as_likely_as_in_the_reference(micro_controller):
    """Probabilities of a separable convolution are 0.315 in the normal cell and 0.254 in the reduction cell."""
    probabilities = micro_controller.sample(2, tf.constant([0, 1])).op_probabilities
    np.testing.assert_allclose(probabilities["normal/block_1/op_1"][0], [0.315] * 2 + [0.123] * 3, atol=2e-3)
    np.testing.assert_allclose(probabilities["reduction/block_5/op_2"][1], [0.254] * 2 + [0.164] * 3, atol=2e-3)


def test_a_reduction_cell_depends_on_the_normal_one():
    """The LSTM state is carried over, so the probability of a reduction cell depends on the normal cell."""
    space = MicroSpace(blocks=1)
    controller = scaled(Controller(space), 20.0)
    tokens = np.array([[0, 0, 0, 0, 1, 0, 2, 2], [1, 1, 4, 3, 1, 0, 2, 2]])
    probabilities = controller.score(tokens).op_probabilities["reduction/block_1/op_1"]
    assert float(tf.reduce_max(tf.abs(probabilities[0] - probabilities[1]))) > 1e-3


def test_inputs_are_told_apart_by_attention_alone():
    """The anchors of both inputs are zero, so the next decision does not depend on which one was picked."""
    space = MicroSpace(blocks=1)
    controller = scaled(Controller(space), 5.0)
    walks = controller.score(np.array([[0, 0, 1, 1, 0, 0, 0, 0], [1, 0, 1, 1, 0, 0, 0, 0]]))
    assert isinstance(space.decisions[3], PickNode)
    for probabilities in walks.op_probabilities.values():
        np.testing.assert_allclose(probabilities[0], probabilities[1], atol=1e-6)
    assert abs(float(walks.log_prob[0] - walks.log_prob[1])) > 1e-4


@pytest.mark.parametrize(
    ("space", "special"),
    [
        (MacroSpace(num_layers=4), {"skip_target"}),
        (MicroSpace(), {"learned_bias", "fixed_bias"}),
        (RecurrentSpace(), {"distance_penalty"}),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_a_space_reads_the_options_of_its_decisions(space, special):
    general = {"hidden_size", "tanh_constant", "op_tanh_reduce", "temperature", "controller_layers", "controller_init"}
    assert {option.name for option in CONTROLLER.options if option.is_read(space)} == general | special
    assert {option.stages for option in CONTROLLER.options} == {("search",)}


def test_layers_of_the_lstm_are_above_each_other():
    """Two layers of the cell, each with states of its own: the first two steps."""
    config = ControllerConfig(hidden_size=5, controller_layers=2, controller_init=0.8, tanh_constant=0.0)
    controller = Controller(MicroSpace(blocks=1), config)
    assert [cell.kernel.shape for cell in controller.cells] == [(5, 20)] * 2
    weights = {variable.path for variable in controller.trainable_variables}
    assert len(weights) == len(Controller(MicroSpace(blocks=1)).trainable_variables) + 2
    matrices = [v for v in controller.trainable_variables if len(v.shape) == 2]
    assert all(0.1 < float(tf.reduce_max(tf.abs(v))) <= 0.8 for v in matrices)

    steps = Steps(controller, 3, tf.zeros([3, 8]), None)
    first = steps._advance()
    states = [[tf.zeros([3, 5])] * 2] * 2
    below, states[0] = controller.cells[0](steps.begin, states[0])
    expected, states[1] = controller.cells[1](below, states[1])
    np.testing.assert_allclose(first, expected, atol=1e-6)
    steps.input = steps.begin
    below, _ = controller.cells[0](steps.begin, states[0])
    np.testing.assert_allclose(steps._advance(), controller.cells[1](below, states[1])[0], atol=1e-6)


def test_several_layers_make_a_distribution():
    space = MacroSpace(num_layers=2, ops=MACRO_OPS[:2])
    controller = scaled(Controller(space, ControllerConfig(hidden_size=8, controller_layers=2)), 20.0)
    everything = np.array(list(itertools.product(*(range(num) for num in space.token_ranges))), np.int32)
    assert np.exp(controller.log_prob(everything)).sum() == pytest.approx(1.0, abs=1e-5)
    walk = controller.sample(5, tf.constant([1, 2]))
    np.testing.assert_allclose(controller.log_prob(walk.tokens), walk.log_prob, atol=1e-5)


@pytest.mark.parametrize("options", [{"controller_layers": 0}, {"controller_init": 0.0}])
def test_wrong_sizes_are_named(options):
    with pytest.raises(InputError, match=next(iter(options))):
        ControllerConfig(**options)
