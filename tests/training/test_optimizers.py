"""SGD as the reference meant it: a cosine from the largest to the smallest rate, and gradients that are clipped."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from enas_tf.errors import InputError
from enas_tf.runtime.devices import build_strategy
from enas_tf.training.optimizers import (
    ChildSgdConfig,
    CosineCycle,
    LossScale,
    SgdConfig,
    apply_clipped,
    build_optimizer,
    scaled,
)

STEPS = 50


@pytest.mark.parametrize("factor", [1, 2, 3])
def test_the_rate_falls_from_largest_to_smallest_in_each_cycle(factor):
    config = SgdConfig(learning_rate=0.05, min_learning_rate=0.0005, restart_epochs=10, restart_factor=factor)
    optimizer = build_optimizer(config, STEPS, [keras.Variable(0.0)])

    def rate(step):
        optimizer.iterations.assign(step)
        return float(optimizer.learning_rate)

    begin, length = 0, 10 * STEPS
    for _ in range(4):
        assert rate(begin) == pytest.approx(0.05, rel=1e-3)
        assert rate(begin + length // 2) == pytest.approx((0.05 + 0.0005) / 2, rel=1e-3)
        # The last step of a cycle is one step short of the end of the cosine.
        assert rate(begin + length - 1) == pytest.approx(0.0005, rel=2e-3)
        rates = [rate(step) for step in range(begin, begin + length, length // 10)]
        assert rates == sorted(rates, reverse=True)
        begin, length = begin + length, length * factor


@pytest.mark.parametrize("falls", [True, False])
def test_the_rate_of_a_trial_falls_to_zero_or_stays(falls):
    cycle = CosineCycle(0.05, falls)
    for first, num in ((0, 40), (40, 10)):
        cycle.begin(first, num)
        rates = [float(cycle(first + step)) for step in (0, num // 2, num)]
        np.testing.assert_allclose(rates, [0.05, 0.025, 0.0] if falls else [0.05] * 3, atol=1e-7)
    again = CosineCycle.from_config(cycle.get_config())
    assert float(again(0)) == pytest.approx(0.05)


def test_gradients_are_scaled_to_the_global_norm():
    variables = [keras.Variable([0.0, 0.0]), keras.Variable(0.0)]
    optimizer = build_optimizer(SgdConfig(learning_rate=1.0, min_learning_rate=1.0, momentum=0.0), 1, variables)
    norm = apply_clipped(optimizer, [np.float32([3.0, 0.0]), np.float32(4.0)], variables, clip_norm=1.0)
    assert float(norm) == pytest.approx(5.0)
    np.testing.assert_allclose(variables[0].numpy(), [-0.6, 0.0], rtol=1e-6)
    assert float(variables[1].numpy()) == pytest.approx(-0.8)


def test_short_gradients_stay_as_they_are():
    variables = [keras.Variable([0.0, 0.0])]
    optimizer = build_optimizer(SgdConfig(learning_rate=1.0, min_learning_rate=1.0, momentum=0.0), 1, variables)
    assert float(apply_clipped(optimizer, [np.float32([0.3, 0.4])], variables, clip_norm=1.0)) == pytest.approx(0.5)
    np.testing.assert_allclose(variables[0].numpy(), [-0.3, -0.4], rtol=1e-6)


@pytest.mark.parametrize("momentum", [0.0, 0.5])
def test_a_gradient_of_rows_is_the_dense_one(momentum):
    """Clipped, scaled and applied alike, twice; with momentum the rows without a gradient go on."""
    config = SgdConfig(learning_rate=1.0, min_learning_rate=1.0, momentum=momentum)
    dense, sparse = keras.Variable(np.ones([3, 2])), keras.Variable(np.ones([3, 2]))
    optimizers = [build_optimizer(config, 1, [variable]) for variable in (dense, sparse)]
    # With momentum the rows of a bank that is read twice may stand there twice.
    for rows in ([2, 0], [1], [1, 2, 1] if momentum else [2]):
        values = np.arange(1, 1 + 2 * len(rows), dtype=np.float32).reshape(-1, 2)
        gradient = tf.IndexedSlices(tf.constant(values), tf.constant(rows), tf.constant([3, 2]))
        for optimizer, variable, given in zip(
            optimizers, (dense, sparse), (tf.convert_to_tensor(gradient), gradient), strict=True
        ):
            norm = apply_clipped(optimizer, [given], [variable], clip_norm=2.0, scale=tf.constant(0.5))
            assert float(norm) == pytest.approx(float(tf.norm(tf.convert_to_tensor(gradient))))
    assert np.all(sparse.numpy() != 1.0)
    np.testing.assert_allclose(sparse.numpy(), dense.numpy(), rtol=1e-6)


def test_momentum_is_nesterovs():
    """Two steps of gradient 1 at rate 1 move by (1 + m) and then by (1 + m + m^2), Nesterov's look ahead included."""
    variable = keras.Variable(0.0)
    optimizer = build_optimizer(SgdConfig(learning_rate=1.0, min_learning_rate=1.0, momentum=0.5), 1, [variable])
    moves = []
    for _ in range(2):
        before = float(variable.numpy())
        apply_clipped(optimizer, [np.float32(1.0)], [variable], clip_norm=10.0)
        moves.append(before - float(variable.numpy()))
    assert moves == pytest.approx([1.5, 1.75])


def step_of_scaled_loss(optimizer, variable, loss_scale, gradient):
    """A step of the loss `gradient * variable`, whose own gradient is then known."""
    with tf.GradientTape() as tape:
        loss = scaled(gradient * variable.value, loss_scale)
    gradients = tape.gradient(loss, [variable.value])
    return apply_clipped(optimizer, gradients, [variable], clip_norm=2.0, loss_scale=loss_scale)


@pytest.mark.parametrize("num_replicas", [1, 2])
def test_a_scaled_loss_takes_the_same_step_and_one_that_is_too_large_takes_none(num_replicas):
    """Norm, clipping, momentum; the count of steps goes on, since the learning rate goes by it."""
    strategy = build_strategy("mirrored") if num_replicas == 2 else tf.distribute.get_strategy()
    config = SgdConfig(learning_rate=1.0, min_learning_rate=1.0, momentum=0.5)
    with strategy.scope():
        variables = [keras.Variable(0.0) for _ in range(2)]
        optimizers = [build_optimizer(config, 1, [variable]) for variable in variables]
        loss_scale = LossScale()

    @tf.function(autograph=False)
    def step(gradient):
        def take():
            scales = (None, loss_scale)
            return [step_of_scaled_loss(*of, gradient) for of in zip(optimizers, variables, scales, strict=True)]

        return [strategy.experimental_local_results(norm)[0] for norm in strategy.run(take)]

    for gradient, factor in ((0.5, 2.0**15), (3.0, 2.0**15)):
        norms = [float(norm) for norm in step(tf.constant(gradient))]
        assert norms == pytest.approx([gradient, gradient])
        assert loss_scale.factor.numpy() == factor
        assert variables[1].numpy() == pytest.approx(variables[0].numpy()) != 0.0
    before = float(variables[1].numpy())
    _, norm = step(tf.constant(np.inf))
    assert float(norm) == 0.0
    assert float(variables[1].numpy()) == before
    assert [int(optimizer.iterations.numpy()) for optimizer in optimizers] == [3, 3]
    assert loss_scale.factor.numpy() == 2.0**14
    # Infinite even without a factor: this is no matter of precision.
    loss_scale.factor.assign(1.0)
    _, norm = step(tf.constant(np.inf))
    assert float(norm) == np.inf
    assert float(variables[1].numpy()) == before
    assert loss_scale.factor.numpy() == 1.0


def test_the_factor_of_a_loss_grows_after_many_finite_steps():
    loss_scale = LossScale()
    loss_scale.num_finite.assign(LossScale.STEPS_TO_DOUBLE - 1)
    loss_scale.update(tf.constant(True))
    assert (loss_scale.factor.numpy(), loss_scale.num_finite.numpy()) == (2.0**16, 0)
    loss_scale.update(tf.constant(True))
    loss_scale.update(tf.constant(False))
    assert (loss_scale.factor.numpy(), loss_scale.num_finite.numpy()) == (2.0**15, 0)


@pytest.mark.parametrize(
    "options",
    [
        {"learning_rate": 0.0},
        {"min_learning_rate": 0.1},
        {"restart_epochs": -1},
        {"restart_factor": 0},
        {"momentum": 1.0},
        {"l2": -1.0},
        {"clip_norm": 0.0},
    ],
    ids=str,
)
def test_wrong_options_are_named(options):
    with pytest.raises(InputError, match=f"^{next(iter(options))}="):
        SgdConfig(**options)


def test_a_rate_without_restarts_stays():
    optimizer = build_optimizer(SgdConfig(learning_rate=2, restart_epochs=0), 5, [keras.Variable(0.0)])
    for _ in range(12):
        optimizer.apply([tf.zeros([])])
    assert float(optimizer.learning_rate) == 2.0


@pytest.mark.parametrize("num_replicas", [1, 2])
def test_rmsprop_has_its_epsilon_under_the_root_and_plain_momentum(num_replicas):
    """As TensorFlow 1's optimizer, which slim's children were trained by."""
    strategy = build_strategy("mirrored") if num_replicas == 2 else tf.distribute.get_strategy()
    options = {"optimizer": "rmsprop", "rms_decay": 0.9, "rms_epsilon": 1.0, "momentum": 0.5}
    with strategy.scope():
        variable = keras.Variable(0.0)
        config = ChildSgdConfig(learning_rate=0.1, min_learning_rate=0.1, restart_epochs=0, **options)
        optimizer = build_optimizer(config, 1, [variable])

    @tf.function(autograph=False)
    def step(gradient):
        strategy.run(lambda: apply_clipped(optimizer, [tf.identity(gradient)], [variable], clip_norm=10.0))

    value = square = momentum = 0.0
    for gradient in (2.0, -1.0, 0.5):
        step(tf.constant(gradient))
        square = 0.9 * square + 0.1 * gradient**2
        momentum = 0.5 * momentum + 0.1 * gradient / np.sqrt(square + 1.0)
        value -= momentum
        assert float(variable.numpy()) == pytest.approx(value, rel=1e-5)


def test_rmsprop_without_momentum_takes_the_gradient_of_rows():
    config = ChildSgdConfig(learning_rate=0.1, restart_epochs=0, optimizer="rmsprop", momentum=0.0)
    dense, sparse = keras.Variable(np.ones([3, 2])), keras.Variable(np.ones([3, 2]))
    optimizers = [build_optimizer(config, 1, [variable]) for variable in (dense, sparse)]
    for rows in ([2, 0], [1]):
        gradient = tf.IndexedSlices(tf.ones([len(rows), 2]), tf.constant(rows), tf.constant([3, 2]))
        apply_clipped(optimizers[0], [tf.convert_to_tensor(gradient)], [dense], clip_norm=9.0)
        apply_clipped(optimizers[1], [gradient], [sparse], clip_norm=9.0)
    np.testing.assert_allclose(sparse.numpy(), dense.numpy(), rtol=1e-6)


def test_an_exponential_rate_falls_in_steps():
    config = ChildSgdConfig(learning_rate=1.0, decay_epochs=2.4, decay_factor=0.5)
    optimizer = build_optimizer(config, 10, [keras.Variable(0.0)])
    assert not config.has_cycles
    for step, expected in ((0, 1.0), (23, 1.0), (24, 0.5), (47, 0.5), (48, 0.25)):
        optimizer.iterations.assign(step)
        assert float(optimizer.learning_rate) == pytest.approx(expected)


@pytest.mark.parametrize(
    "options",
    [
        {"optimizer": "adam"},
        {"rms_decay": 1.0},
        {"rms_epsilon": 0.0},
        {"decay_epochs": -1.0},
        {"decay_factor": 0.0},
        {"weight_average": 1.0},
    ],
    ids=str,
)
def test_wrong_options_of_a_child_are_named(options):
    with pytest.raises(InputError, match=f"^{next(iter(options))}="):
        ChildSgdConfig(**options)
