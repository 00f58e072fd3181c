"""REINFORCE: an LSTM policy that learns from the rewards of its proposals (Pham et al. 2018, section 2.2)."""

import dataclasses
import math

import keras
import numpy as np
import tensorflow as tf

from enas_tf.controller.policy import CONTROLLER, Controller, ControllerConfig, picks_skips
from enas_tf.errors import InputError, ref
from enas_tf.options import Config, Group, option, require
from enas_tf.search.searchers.searcher import SEARCHERS, Outlook, Searcher, finite_or_zero
from enas_tf.spaces.space import Space

#: Proposals that the outlook is taken from.
_NUM_AHEAD = 64


@dataclasses.dataclass(frozen=True)
class ReinforceConfig:
    """How the policy is trained; the reference's macro values (scripts/cifar10_macro_search.sh)."""

    controller_learning_rate: float = option(1e-3, "step size of the controller's Adam (beta_1 0, epsilon 1e-3)")
    entropy_weight: float = option(1e-4, "weight of the policy's entropy in the reward")
    baseline_decay: float = option(0.99, "share of the reward's moving average that one sample keeps")
    skip_weight: float = option(
        0.8, f"weight of the KL of skip probabilities from {ref('skip_target')} in the loss", needs=picks_skips
    )
    min_entropy: float = option(0.1, "nats of a policy below which it is reported as collapsed", decides=False)

    def __post_init__(self):
        require(self.controller_learning_rate > 0, "controller_learning_rate", self.controller_learning_rate, "above 0")
        require(0 <= self.baseline_decay < 1, "baseline_decay", self.baseline_decay, "a share in [0, 1)")
        require(self.min_entropy >= 0, "min_entropy", self.min_entropy, "0 or more")


REINFORCE = Group(ReinforceConfig(), stages=("search",))


@SEARCHERS.register("reinforce", [CONTROLLER, REINFORCE], help="the paper's policy, an LSTM trained by REINFORCE")
class ReinforceSearcher(Searcher):
    """The paper's searcher: an LSTM policy trained by REINFORCE with a moving-average baseline (section 2.2).

    The advantage of a sample is its reward, the entropy bonus included, less the baseline as it stood before the
    update. The baseline then takes in the rewards of the update in turn. It starts at the mean of the first rewards.
    Departure: the reference starts it at 0, which pushes up whatever is proposed first, and reads it in an undefined
    order.
    """

    def __init__(self, space: Space, controller: ControllerConfig | None = None, config: ReinforceConfig | None = None):
        super().__init__(space)
        self.config = config or ReinforceConfig()
        self.controller = Controller(space, controller)
        self.optimizer = keras.optimizers.Adam(self.config.controller_learning_rate, beta_1=0.0, epsilon=1e-3)
        self.optimizer.build(self.controller.trainable_variables)
        self.baseline = tf.Variable(np.nan, dtype=tf.float32, trainable=False, name="baseline")

    @classmethod
    def build(cls, space, config: Config):
        return cls(space, config[CONTROLLER], config[REINFORCE])

    @tf.function(autograph=False, reduce_retracing=True)
    def propose(self, num, seed):
        return self.controller.sample(num, seed).tokens

    def outlook(self, seed):
        tokens, means = self._look_ahead(seed)
        return Outlook(_NUM_AHEAD, tokens.numpy(), {name: mean.numpy() for name, mean in means.items()})

    @tf.function(autograph=False)
    def _look_ahead(self, seed: tf.Tensor) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """Return the most probable one of some proposals, and the mean probabilities of each decision's operations."""
        walk = self.controller.sample(_NUM_AHEAD, seed)
        means = {name: tf.reduce_mean(probs, axis=0) for name, probs in walk.op_probabilities.items()}
        return walk.tokens[tf.argmax(walk.log_prob)], means

    @tf.function(autograph=False)
    def update(self, tokens, rewards):
        variables = self.controller.trainable_variables
        is_finite = tf.cast(tf.math.is_finite(rewards), tf.float32)
        with tf.GradientTape() as tape:
            walk = self.controller.score(tokens)
            rewarded = finite_or_zero(rewards) + self.config.entropy_weight * tf.stop_gradient(walk.entropy)
            mean = tf.reduce_sum(is_finite * rewarded) / tf.reduce_sum(is_finite)
            baseline = tf.where(tf.math.is_nan(self.baseline), mean, self.baseline)
            # What has no reward is neither good nor bad. Without any reward there is no baseline yet.
            advantage = is_finite * finite_or_zero(rewarded - baseline)
            divergence = tf.reduce_mean(walk.skip_divergence)
            loss = reinforce_loss(walk.log_prob, advantage) + self.config.skip_weight * divergence
        gradients = tape.gradient(loss, [v.value for v in variables], unconnected_gradients="zero")
        gradients = [tf.convert_to_tensor(gradient) for gradient in gradients]
        self.optimizer.apply(gradients, variables)
        skips = self.skip_metrics(tokens)
        if self._has_skips:
            skips["skip_divergence"] = divergence
        self.baseline.assign(moved_baseline(baseline, rewarded, self.config.baseline_decay, is_finite))
        return {
            **self.reward_metrics(rewards),
            "baseline": self.baseline.read_value(),
            "advantage": tf.reduce_mean(advantage),
            "entropy": tf.reduce_mean(walk.entropy),
            **skips,
            "loss": loss,
            "gradient_norm": tf.linalg.global_norm(gradients),
        }

    @property
    def metric_names(self):
        skips = ["skip_rate", "skip_divergence"] if self._has_skips else []
        return ["reward", "nonfinite_rewards", "baseline", "advantage", "entropy", *skips, "loss", "gradient_norm"]

    @property
    def metric_descriptions(self):
        return super().metric_descriptions | {
            "baseline": "Moving average of the rewards, the entropy bonus included.",
            "advantage": "Mean of the rewards less the baseline: what is left for the policy to learn from.",
            "entropy": "Entropy of the policy in nats, over all decisions. Near its first value the policy has learnt "
            "little; near 0 it proposes one architecture only.",
            "skip_divergence": "KL divergence of the skip probabilities from their prior, in nats.",
            "loss": "Loss of the policy: REINFORCE and the KL term of the skips.",
            "gradient_norm": "Mean norm of the gradient of the policy's weights.",
        }

    @property
    def tracked(self):
        own = {"controller": self.controller, "optimizer": self.optimizer, "baseline": self.baseline}
        return super().tracked | own

    @property
    def in_words(self):
        size = sum(math.prod(variable.shape) for variable in self.controller.trainable_variables)
        return f"controller of {size:,} parameters"

    def find_problem(self, metrics):
        return policy_problem(metrics["entropy"], self.config.min_entropy)


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


def policy_problem(entropy: float, floor: float) -> str | None:
    """Say what is wrong with a policy of `entropy` nats; None while it is at or above `floor`.

    Raises:
      InputError: the entropy is not a number: the policy has diverged, and proposes nothing of use.
    """
    if not math.isfinite(entropy):
        raise InputError(
            f"the policy has diverged: its entropy is {entropy}. Expected a smaller {ref('controller_learning_rate')}; "
            "what was saved before is whole."
        )
    if entropy >= floor:
        return None
    return (
        f"the policy has collapsed: its entropy is {entropy:.3g} nats, below {ref('min_entropy')}={floor:g}, and it "
        f"proposes nearly always the same. A larger {ref('entropy_weight')} or a smaller "
        f"{ref('controller_learning_rate')} keeps it open."
    )
