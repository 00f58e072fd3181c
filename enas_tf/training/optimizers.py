"""SGD with Nesterov momentum under a cosine schedule with warm restarts: what trains shared weights and children."""

import dataclasses

import keras
import tensorflow as tf

from enas_tf.options import option, require


@dataclasses.dataclass(frozen=True)
class SgdConfig:
    """The reference's values for its macro search (scripts/cifar10_macro_search.sh)."""

    learning_rate: float = option(0.05, "largest learning rate, at each restart")
    min_learning_rate: float = option(0.0005, "learning rate at the end of each cycle")
    restart_epochs: int = option(10, "length of the first cosine cycle, in epochs; 0 = the learning rate stays")
    restart_factor: int = option(2, "each cycle is this many times as long as the one before")
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


def build_optimizer(config: SgdConfig, steps_per_epoch: int, variables: list) -> keras.optimizers.SGD:
    """The optimizer, built for `variables`. The rate falls at every step (in the reference: once an epoch)."""
    schedule = float(config.learning_rate)
    if config.restart_epochs:
        schedule = keras.optimizers.schedules.CosineDecayRestarts(
            config.learning_rate,
            first_decay_steps=config.restart_epochs * steps_per_epoch,
            t_mul=float(config.restart_factor),
            alpha=config.min_learning_rate / config.learning_rate,
        )
    optimizer = keras.optimizers.SGD(schedule, momentum=config.momentum, nesterov=config.momentum > 0)
    optimizer.build(variables)
    return optimizer


def apply_clipped(
    optimizer, gradients: list[tf.Tensor], variables: list, clip_norm: float, scale: tf.Tensor | None = None
) -> tf.Tensor:
    """Clips by global norm, multiplies with `scale`, applies; returns the norm before clipping (float32 scalar).

    With several replicas it is called by each, and what is clipped is the mean of their gradients.

    A gradient of a few rows of a bank (`tf.IndexedSlices`, no row twice) stays one where there is no momentum: the
    other rows do not move then, and are not touched.
    """
    context = tf.distribute.get_replica_context()
    if context.num_replicas_in_sync > 1:
        dense = [tf.convert_to_tensor(gradient) for gradient in gradients]
        gradients = context.all_reduce(tf.distribute.ReduceOp.MEAN, dense)
    elif optimizer.momentum:
        gradients = [tf.convert_to_tensor(gradient) for gradient in gradients]
    gradients, norm = tf.clip_by_global_norm(gradients, clip_norm)
    if scale is not None:
        gradients = [tf.math.scalar_mul(scale, gradient) for gradient in gradients]
    if context.num_replicas_in_sync > 1:
        context.merge_call(_update_replicas, args=(gradients,), kwargs={"optimizer": optimizer, "variables": variables})
    else:
        optimizer.apply(gradients, variables)
    return norm


def _update_replicas(strategy, gradients, optimizer, variables) -> None:
    """A step of the optimizer on every replica. Its own `apply` would sum the gradients over the replicas once more."""
    rate = optimizer.learning_rate
    for gradient, variable in zip(gradients, variables, strict=True):
        strategy.extended.update(
            variable.value,
            lambda value, gradient: optimizer.update_step(gradient, value, tf.cast(rate, value.dtype)),
            args=(gradient,),
            group=False,
        )
    optimizer.iterations.assign_add(1)
