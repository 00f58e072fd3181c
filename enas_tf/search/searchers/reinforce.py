"""Searchers: who proposes and how proposals are improved. `propose`, `update`; nothing about networks or data."""

import abc
import dataclasses

import keras
import numpy as np
import tensorflow as tf

from enas_tf.controller.policy import Controller, ControllerConfig
from enas_tf.options import option, require
from enas_tf.spaces.decisions import PickSkips, Space


@dataclasses.dataclass(frozen=True)
class ReinforceConfig:
    """How the policy is trained; the reference's macro values (scripts/cifar10_macro_search.sh)."""

    controller_learning_rate: float = option(1e-3, "step size of the controller's Adam (beta_1 0, epsilon 1e-3)")
    entropy_weight: float = option(1e-4, "weight of the policy's entropy in the reward")
    baseline_decay: float = option(0.99, "share of the reward's moving average that one sample keeps")
    skip_weight: float = option(0.8, "weight of the KL of skip probabilities from --skip_target in the loss")

    def __post_init__(self):
        require(self.controller_learning_rate > 0, "controller_learning_rate", self.controller_learning_rate, "above 0")
        require(0 <= self.baseline_decay < 1, "baseline_decay", self.baseline_decay, "a share in [0, 1)")


class Searcher(tf.Module, abc.ABC):
    """Proposes token sequences and learns from their rewards."""

    def __init__(self, space: Space):
        super().__init__(name="searcher")
        self.space = space
        bits = [isinstance(d, PickSkips) for d in space.decisions for _ in range(d.num_tokens)]
        self._skip_columns = np.flatnonzero(bits).astype(np.int32)
        self.means = {name: keras.metrics.Mean(name) for name in self.metric_names}

    @abc.abstractmethod
    def propose(self, num: int, seed: tf.Tensor) -> tf.Tensor:
        """`num` proposals, int32 [num, num_tokens]; a pure function of what was learnt and `seed` (int32 [2])."""

    @abc.abstractmethod
    def update(self, tokens: tf.Tensor, rewards: tf.Tensor) -> dict[str, tf.Tensor]:
        """Learns from `rewards` (float32 [n]) of `tokens` (int32 [n, num_tokens]); what happened, as scalars."""

    @property
    @abc.abstractmethod
    def metric_names(self) -> list[str]:
        """The names of what `update` returns."""

    @property
    def tracked(self) -> dict[str, object]:
        """What a checkpoint holds of the searcher: also the means of an epoch that is under way."""
        return {"searcher_means": list(self.means.values())}

    def op_probabilities(self, seed: tf.Tensor) -> dict[str, tf.Tensor]:
        """Decision name -> mean probabilities [choices] over some proposals; empty where there is no policy."""
        return {}

    @property
    def _has_skips(self) -> bool:
        return bool(self._skip_columns.size)

    def skip_metrics(self, tokens: tf.Tensor) -> dict[str, tf.Tensor]:
        """Share of skip bits that are 1; nothing for a space without skips."""
        if not self._has_skips:
            return {}
        return {"skip_rate": tf.reduce_mean(tf.cast(tf.gather(tokens, self._skip_columns, axis=1), tf.float32))}


class RandomSearcher(Searcher):
    """Every token uniform; learns nothing. The baseline that a search has to beat."""

    def propose(self, num, seed):
        uniforms = tf.random.stateless_uniform([num, self.space.num_tokens], seed=seed)
        ranges = tf.constant(self.space.token_ranges)
        return tf.minimum(tf.cast(uniforms * tf.cast(ranges, tf.float32), tf.int32), ranges - 1)

    def update(self, tokens, rewards):
        return {"reward": tf.reduce_mean(rewards), **self.skip_metrics(tokens)}

    @property
    def metric_names(self):
        return ["reward", *(["skip_rate"] if self._has_skips else [])]


class ReinforceSearcher(Searcher):
    """The paper's searcher: an LSTM policy trained by REINFORCE with a moving-average baseline (section 2.2).

    The advantage of a sample is its reward (entropy bonus included) less the baseline as it stood before this update's
    samples; the baseline then takes them in, one after another. It starts at the mean of the first rewards. (The
    reference starts at 0, which pushes up whatever is proposed first, and reads the baseline in an undefined order.)
    """

    def __init__(self, space: Space, controller: ControllerConfig | None = None, config: ReinforceConfig | None = None):
        super().__init__(space)
        self.config = config or ReinforceConfig()
        self.controller = Controller(space, controller)
        self.optimizer = keras.optimizers.Adam(self.config.controller_learning_rate, beta_1=0.0, epsilon=1e-3)
        self.optimizer.build(self.controller.trainable_variables)
        self.baseline = tf.Variable(np.nan, dtype=tf.float32, trainable=False, name="baseline")

    @tf.function(autograph=False, reduce_retracing=True)
    def propose(self, num, seed):
        return self.controller.sample(num, seed).tokens

    @tf.function(autograph=False)
    def op_probabilities(self, seed):
        walk = self.controller.sample(64, seed)
        return {name: tf.reduce_mean(probs, axis=0) for name, probs in walk.op_probabilities.items()}

    @tf.function(autograph=False)
    def update(self, tokens, rewards):
        variables = self.controller.trainable_variables
        with tf.GradientTape() as tape:
            walk = self.controller.score(tokens)
            rewarded = rewards + self.config.entropy_weight * tf.stop_gradient(walk.entropy)
            baseline = tf.where(tf.math.is_nan(self.baseline), tf.reduce_mean(rewarded), self.baseline)
            advantage = rewarded - baseline
            divergence = tf.reduce_mean(walk.skip_divergence)
            loss = reinforce_loss(walk.log_prob, advantage) + self.config.skip_weight * divergence
        gradients = tape.gradient(loss, [v.value for v in variables], unconnected_gradients="zero")
        gradients = [tf.convert_to_tensor(gradient) for gradient in gradients]
        self.optimizer.apply(gradients, variables)
        skips = self.skip_metrics(tokens)
        if self._has_skips:
            skips["skip_divergence"] = divergence
        self.baseline.assign(moved_baseline(baseline, rewarded, self.config.baseline_decay))
        return {
            "reward": tf.reduce_mean(rewards),
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
        return ["reward", "baseline", "advantage", "entropy", *skips, "loss", "gradient_norm"]

    @property
    def tracked(self):
        own = {"controller": self.controller, "optimizer": self.optimizer, "baseline": self.baseline}
        return super().tracked | own


def reinforce_loss(log_prob: tf.Tensor, advantage: tf.Tensor) -> tf.Tensor:
    """The mean of -log_prob * advantage ([n] each); its gradient is the REINFORCE estimate, sign for descent."""
    return -tf.reduce_mean(log_prob * tf.stop_gradient(advantage))


def moved_baseline(baseline: tf.Tensor, rewards: tf.Tensor, decay: float) -> tf.Tensor:
    """The moving average after taking in `rewards` [n] in turn: b <- decay b + (1 - decay) r."""
    num = tf.shape(rewards)[0]
    weights = (1.0 - decay) * tf.pow(decay, tf.cast(tf.range(num - 1, -1, -1), tf.float32))
    return tf.pow(decay, tf.cast(num, tf.float32)) * baseline + tf.reduce_sum(weights * rewards)


SEARCHERS = ("reinforce", "random")


def build_searcher(name: str, space: Space, controller: ControllerConfig, config: ReinforceConfig) -> Searcher:
    """The searcher called `name`, one of `SEARCHERS`."""
    return RandomSearcher(space) if name == "random" else ReinforceSearcher(space, controller, config)
