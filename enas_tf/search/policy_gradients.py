"""Losses and advantages of policies: pure functions of log probabilities and rewards."""

import tensorflow as tf


def scaled_advantage(rewards: tf.Tensor, is_taken: tf.Tensor) -> tf.Tensor:
    """Return how many standard deviations each reward [n] is above the mean; 0 where `is_taken` (float32 [n]) is 0.

    Where all are equal, or there is only one, nothing can be learned: all advantages are 0.
    """
    num = tf.maximum(tf.reduce_sum(is_taken), 1.0)
    centred = is_taken * (rewards - tf.reduce_sum(is_taken * rewards) / num)
    deviation = tf.sqrt(tf.reduce_sum(tf.square(centred)) / num)
    # Rounding alone leaves equal rewards a deviation of about 1e-7 of their size.
    is_spread = deviation > 1e-6 * tf.reduce_max(tf.abs(is_taken * rewards))
    return tf.where(is_spread, centred / tf.where(is_spread, deviation, 1.0), 0.0)


def ppo_loss(log_prob: tf.Tensor, old_log_prob: tf.Tensor, advantage: tf.Tensor, clip: float) -> tf.Tensor:
    """Return the clipped objective of PPO with its sign changed (Schulman et al. 2017, equation 7).

    Args:
      log_prob: float32 [n], of the proposals by the policy as it is.
      old_log_prob: float32 [n], by the policy that proposed them.
      advantage: float32 [n].
      clip: by how much the ratio of both probabilities may differ from 1 before it gains nothing more.
    """
    ratio = tf.exp(log_prob - tf.stop_gradient(old_log_prob))
    clipped = tf.clip_by_value(ratio, 1.0 - clip, 1.0 + clip)
    return -tf.reduce_mean(tf.minimum(ratio * advantage, clipped * advantage))


def reinforce_loss(log_prob: tf.Tensor, advantage: tf.Tensor) -> tf.Tensor:
    """Return the mean of -log_prob * advantage ([n] each), whose gradient is the REINFORCE estimate for descent."""
    return -tf.reduce_mean(log_prob * tf.stop_gradient(advantage))


def moved_baseline(baseline: tf.Tensor, rewards: tf.Tensor, decay: float, is_taken: tf.Tensor) -> tf.Tensor:
    """Return the moving average after taking in `rewards` [n] in turn: b <- decay b + (1 - decay) r.

    Those where `is_taken` (float32 [n]) is 0 are left out.
    """
    later = tf.cumsum(is_taken, exclusive=True, reverse=True)
    weights = is_taken * ((1.0 - decay) * tf.pow(decay, later))
    return tf.pow(decay, tf.reduce_sum(is_taken)) * baseline + tf.reduce_sum(weights * rewards)
