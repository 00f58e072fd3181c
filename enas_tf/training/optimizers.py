"""Optimizers and their learning rates: SGD under a cosine with warm restarts, and for children RMSProp as well."""

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from enas_tf.options import Group, option, require
from enas_tf.training.row_sgd import RowSgd, sum_of_each_row


@dataclasses.dataclass(frozen=True)
class SgdConfig:
    """Options of SGD; the reference's values for its macro search (scripts/cifar10_macro_search.sh)."""

    learning_rate: float = option(0.05, "largest learning rate, at each restart")
    min_learning_rate: float = option(0.0005, "learning rate at the end of each cycle")
    restart_epochs: int = option(
        10, "length of the first cosine cycle, in epochs; 0 = the learning rate stays", most=1_000_000
    )
    restart_factor: int = option(2, "each cycle is this many times as long as the one before", most=1_000)
    momentum: float = option(0.9, "Nesterov momentum")
    l2: float = option(2.5e-4, "coefficient of the sum of squared weights in the loss")
    clip_norm: float = option(
        5.0, "gradients are scaled down to this global norm (the reference's clipping is a no-op)"
    )

    def __post_init__(self):
        require(self.learning_rate > 0, "learning_rate", self.learning_rate, "above 0")
        is_below = 0 <= self.min_learning_rate <= self.learning_rate
        require(is_below, "min_learning_rate", self.min_learning_rate, "0 or more and at most the learning rate")
        require(self.restart_epochs >= 0, "restart_epochs", self.restart_epochs, "0 or more")
        require(self.restart_factor >= 1, "restart_factor", self.restart_factor, "at least 1")
        require(0 <= self.momentum < 1, "momentum", self.momentum, "in [0, 1)")
        require(self.l2 >= 0, "l2", self.l2, "0 or more")
        require(self.clip_norm > 0, "clip_norm", self.clip_norm, "above 0")

    @property
    def has_cycles(self) -> bool:
        """Whether the learning rate follows cosine cycles."""
        return self.restart_epochs > 0

    def schedule(self, steps_per_epoch: int) -> Any:
        """Return the learning rate, or what gives it for each step (in the reference: for each epoch)."""
        if not self.has_cycles:
            return float(self.learning_rate)
        return keras.optimizers.schedules.CosineDecayRestarts(
            self.learning_rate,
            first_decay_steps=self.restart_epochs * steps_per_epoch,
            t_mul=float(self.restart_factor),
            alpha=self.min_learning_rate / self.learning_rate,
        )

    def build(self, schedule: Any) -> keras.optimizers.Optimizer:
        """Return an optimizer whose learning rate follows `schedule`."""
        return RowSgd(schedule, momentum=self.momentum, nesterov=self.momentum > 0)


#: Optimizers of children.
OPTIMIZERS = ("sgd", "rmsprop")


@dataclasses.dataclass(frozen=True)
class ChildSgdConfig(SgdConfig):
    """Options of a child's optimizer: those of SGD, and what slim trains its ImageNet children with."""

    optimizer: str = option(
        "sgd",
        "sgd = SGD with Nesterov momentum, rmsprop = RMSProp with plain momentum (slim's NASNet on ImageNet)",
        choices=OPTIMIZERS,
    )
    rms_decay: float = option(0.9, "decay of RMSProp's mean of squared gradients")
    rms_epsilon: float = option(1.0, "what RMSProp adds to that mean before its root is taken")
    decay_epochs: float = option(
        0.0,
        "in place of the cosine, multiply the learning rate by decay_factor every so many epochs; 0 = the cosine "
        "(slim's NASNet on ImageNet: 2.4)",
    )
    decay_factor: float = option(0.97, "what the learning rate is multiplied by, where decay_epochs is not 0")
    weight_average: float = option(
        0.0,
        "decay of a moving average of the weights, which is validated, tested and kept; 0 = none (slim's NASNet on "
        "ImageNet: 0.9999)",
    )

    def __post_init__(self):
        super().__post_init__()
        require(self.optimizer in OPTIMIZERS, "optimizer", self.optimizer, f"one of {', '.join(OPTIMIZERS)}")
        require(0 <= self.rms_decay < 1, "rms_decay", self.rms_decay, "in [0, 1)")
        require(self.rms_epsilon > 0, "rms_epsilon", self.rms_epsilon, "above 0")
        require(self.decay_epochs >= 0, "decay_epochs", self.decay_epochs, "0 or more")
        require(0 < self.decay_factor <= 1, "decay_factor", self.decay_factor, "in (0, 1]")
        require(0 <= self.weight_average < 1, "weight_average", self.weight_average, "in [0, 1)")

    @property
    def has_cycles(self):
        return super().has_cycles and not self.decay_epochs

    def schedule(self, steps_per_epoch):
        if not self.decay_epochs:
            return super().schedule(steps_per_epoch)
        steps = max(1, round(self.decay_epochs * steps_per_epoch))
        return keras.optimizers.schedules.ExponentialDecay(self.learning_rate, steps, self.decay_factor, staircase=True)

    def build(self, schedule):
        if self.optimizer == "sgd":
            return super().build(schedule)
        options = {"rho": self.rms_decay, "epsilon": self.rms_epsilon, "momentum": self.momentum}
        return keras.optimizers.RMSprop(schedule, **options)


SGD = Group(SgdConfig(), stages=("search",))
#: The reference's values for a child where they differ from the search's (scripts/cifar10_macro_final.sh).
RETRAIN_SGD = Group(ChildSgdConfig(min_learning_rate=0.001, l2=2e-4), prefix="retrain_", stages=("retrain",))


class CosineCycle(keras.optimizers.schedules.LearningRateSchedule):
    """A cosine from `rate` at the step `first` to 0 after `num` steps. Both can be set anew without another trace.

    Args:
      rate: the learning rate at first.
      falls: whether it falls; it stays at `rate` if not.
    """

    def __init__(self, rate: float, falls: bool = True):
        self.rate, self.falls = rate, falls
        self.first = tf.Variable(0.0, trainable=False, name="first")
        self.num = tf.Variable(1.0, trainable=False, name="num")

    def begin(self, first: int, num: int) -> None:
        """Let a cycle of `num` steps begin at the step `first`."""
        self.first.assign(float(first))
        self.num.assign(float(num))

    def __call__(self, step):
        """Return the rate of `step`, float32 scalar."""
        if not self.falls:
            return tf.constant(self.rate)
        progress = tf.clip_by_value((tf.cast(step, tf.float32) - self.first) / self.num, 0.0, 1.0)
        return self.rate * 0.5 * (1.0 + tf.cos(math.pi * progress))

    def get_config(self):
        """Return the arguments of the constructor."""
        return {"rate": self.rate, "falls": self.falls}


def build_optimizer(
    config: SgdConfig, steps_per_epoch: int, variables: list, schedule: Any = None
) -> keras.optimizers.Optimizer:
    """Return an optimizer, built for `variables`.

    The learning rate follows `schedule`; by default that of `config`.
    """
    optimizer = config.build(config.schedule(steps_per_epoch) if schedule is None else schedule)
    optimizer.build(variables)
    return optimizer


class LossScale(tf.Module):
    """A factor of the loss that keeps the gradients of float16 above its smallest numbers (Micikevicius et al. 2018).

    The factor is halved when a gradient is not finite, and that step is left out. It is doubled after 2,000 steps
    without such a gradient. Those are the values of Keras' LossScaleOptimizer. That class cannot be used: here
    gradients are clipped after they were divided by the factor and before they are applied.
    """

    INITIAL, STEPS_TO_DOUBLE = 2.0**15, 2_000

    def __init__(self):
        super().__init__(name="loss_scale")
        only_first = tf.VariableAggregation.ONLY_FIRST_REPLICA
        self.factor = tf.Variable(self.INITIAL, trainable=False, aggregation=only_first, name="factor")
        self.num_finite = tf.Variable(0, trainable=False, aggregation=only_first, name="num_finite")

    def reset(self) -> None:
        """Begin anew."""
        self.factor.assign(self.INITIAL)
        self.num_finite.assign(0)

    def update(self, is_finite: tf.Tensor) -> None:
        """Adapt the factor after a step whose gradients were finite, or were not."""
        num = tf.where(is_finite, self.num_finite + 1, 0)
        is_long = num >= self.STEPS_TO_DOUBLE
        factor = tf.where(is_finite, tf.where(is_long, 2.0, 1.0), 0.5) * self.factor
        self.factor.assign(tf.maximum(factor, 1.0))
        self.num_finite.assign(tf.where(is_long, 0, num))


def scaled(loss: tf.Tensor, loss_scale: LossScale | None) -> tf.Tensor:
    """Return the scaled loss, whose gradients the optimizer gets."""
    return loss if loss_scale is None else loss * loss_scale.factor


def tracked_scale(loss_scale: LossScale | None) -> dict[str, object]:
    """Return what a checkpoint holds of the loss scale."""
    return {} if loss_scale is None else {"loss_scale": list(loss_scale.variables)}


def apply_clipped(
    optimizer,
    gradients: list[tf.Tensor],
    variables: list,
    clip_norm: float,
    scale: tf.Tensor | None = None,
    loss_scale: LossScale | None = None,
) -> tf.Tensor:
    """Clip gradients by their global norm, multiply them by `scale` and apply them.

    Each of several replicas calls it; then the mean of their gradients is clipped. With a `loss_scale` the gradients
    are those of the loss times its factor. Where they are not finite, only the number of steps changes.

    A gradient of some rows of a bank (`tf.IndexedSlices`) stays one where there is one replica and the optimizer is
    `RowSgd`. Without momentum no row may stand in it twice.

    Returns:
      The norm before clipping, float32 scalar; 0 for a step that was left out, unless the factor of the loss cannot
      become smaller.
    """
    context = tf.distribute.get_replica_context()
    gradients = _average(context, gradients, optimizer)
    factor = None if loss_scale is None else tf.identity(loss_scale.factor)
    gradients, norm = tf.clip_by_global_norm(gradients, clip_norm if factor is None else clip_norm * factor)
    if factor is not None:
        norm, scale = norm / factor, (1.0 if scale is None else scale) / factor
    if scale is not None:
        gradients = [tf.math.scalar_mul(scale, gradient) for gradient in gradients]
    is_finite = None if factor is None else tf.math.is_finite(norm)
    if context.num_replicas_in_sync > 1:
        shared = {"optimizer": optimizer, "variables": variables}
        context.merge_call(_update_replicas, args=(gradients, is_finite), kwargs=shared)
    else:
        _only_if(is_finite, lambda: optimizer.apply(gradients, variables), optimizer)
    if factor is None:
        return norm
    loss_scale.update(is_finite)
    return tf.where(is_finite | (factor <= 1.0), norm, 0.0)


def _average(context, gradients: list, optimizer) -> list:
    """Return the mean of the gradients over replicas.

    Those of a single replica may be of some rows, where the optimizer takes such. No row stands twice in one of these.
    """
    if context.num_replicas_in_sync > 1:
        dense = [tf.convert_to_tensor(gradient) for gradient in gradients]
        return context.all_reduce(tf.distribute.ReduceOp.MEAN, dense)
    if not isinstance(optimizer, RowSgd):
        return [tf.convert_to_tensor(gradient) for gradient in gradients]
    return [sum_of_each_row(gradient) for gradient in gradients] if optimizer.momentum else gradients


def _update_replicas(strategy, gradients, is_finite, optimizer, variables) -> None:
    """Update the weights of every replica. The optimizer's own `apply` would sum the gradients over replicas again."""

    def update():
        rate = optimizer.learning_rate
        for gradient, variable in zip(gradients, variables, strict=True):
            strategy.extended.update(
                variable.value,
                lambda value, gradient: optimizer.update_step(gradient, value, tf.cast(rate, value.dtype)),
                args=(gradient,),
                group=False,
            )
        optimizer.iterations.assign_add(1)

    # All replicas have the same gradients by now: where those of the first are finite, all are.
    first = None if is_finite is None else strategy.experimental_local_results(is_finite)[0]
    _only_if(first, update, optimizer)


def _only_if(condition: tf.Tensor | None, update: Callable, optimizer) -> None:
    """Call `update`; where the condition does not hold, only count the step, which decides the learning rate."""
    if condition is None:
        update()
        return

    def count():
        optimizer.iterations.assign_add(1)

    tf.cond(condition, lambda: _nothing(update), lambda: _nothing(count))


def _nothing(function: Callable) -> tf.Tensor:
    """Call `function` and return a tensor, as a branch has to."""
    function()
    return tf.constant(0)
