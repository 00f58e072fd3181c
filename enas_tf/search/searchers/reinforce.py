"""REINFORCE: an LSTM policy that learns from the rewards of its proposals (Pham et al. 2018, section 2.2)."""

import dataclasses
import math

import keras
import numpy as np
import tensorflow as tf

from enas_tf.controller.policy import CONTROLLER, Controller, ControllerConfig, Walk, picks_skips
from enas_tf.errors import InputError, ref
from enas_tf.options import Config, Group, option, require
from enas_tf.search.config import SEARCH
from enas_tf.search.policy_gradients import moved_baseline, ppo_loss, reinforce_loss, scaled_advantage
from enas_tf.search.searchers.searcher import SEARCHERS, Outlook, Searcher, finite_or_zero
from enas_tf.spaces.space import Space

#: Proposals that the outlook is taken from.
_NUM_AHEAD = 64
#: Step sizes that are chosen: the largest one for up to so many updates, the smallest one for the paper's 15,500.
_LARGEST_RATE, _FEW_UPDATES, _SMALLEST_RATE = 0.02, 100, 0.001


REWARD_BASELINES = ("update", "moving_average")
ENTROPY_PLACES = ("loss", "reward")


@dataclasses.dataclass(frozen=True)
class ReinforceConfig:
    """How the policy is trained. The defaults learn within hundreds of proposals on tables of trained networks.

    The step size follows from the length of the search. A policy that has a hundred updates must hurry; with as large
    steps in five hundred it settles by the noise of its first rewards (benchmarks/README.md, "A policy and noise").

    The paper's way is `reward_baseline` moving_average, `entropy_in` reward and `controller_epsilon` 1e-3, with the
    learning rate and the weights of its scripts. That policy hardly moves in thousands of proposals whose rewards
    differ by a hundredth (benchmarks/README.md, "Searchers"); the paper has 310,000. With `ppo_passes` above 1 it is
    trained by PPO (Schulman et al. 2017), as NASNet's was (Zoph et al. 2018).
    """

    controller_learning_rate: float | None = option(
        None,
        "step size of the controller's Adam; 0.02 by default, and 2 / updates in a search of more than 100, but "
        "at least 0.001 (the paper's macro search: 0.001)",
    )
    controller_epsilon: float = option(1e-8, "epsilon of the controller's Adam (the authors' code: 1e-3)")
    reward_baseline: str = option(
        "update",
        "what a reward is compared with: the other proposals of its update, in units of their standard deviation, or a "
        "moving average, in units of the reward (the paper)",
        choices=REWARD_BASELINES,
    )
    baseline_decay: float = option(0.99, "share of the reward's moving average that one sample keeps")
    entropy_in: str = option(
        "loss",
        "where the policy's entropy is a term: in the loss, or in the reward (the paper)",
        choices=ENTROPY_PLACES,
    )
    entropy_weight: float = option(0.03, "weight of the policy's entropy (the paper's macro search: 1e-4)")
    final_entropy_weight: float | None = option(
        None, "weight of the entropy that the last update reaches, in equal steps; the same as at first by default"
    )
    ppo_passes: int = option(
        1, "passes over an update's proposals; with more than one, PPO clips the change", most=1_000
    )
    ppo_clip: float = option(0.2, "by how much PPO lets the probability of a proposal change, as a share")
    ppo_minibatch: int = option(0, "proposals of a step of PPO; 0 = all of the update (NASNet: 20)", most=1_000_000)
    skip_weight: float = option(
        0.8, f"weight of the KL of skip probabilities from {ref('skip_target')} in the loss", needs=picks_skips
    )
    min_entropy: float = option(0.1, "nats of a policy below which it is reported as collapsed", decides=False)

    def __post_init__(self):
        rate = self.controller_learning_rate
        require(rate is None or rate > 0, "controller_learning_rate", rate, "above 0")
        require(self.controller_epsilon > 0, "controller_epsilon", self.controller_epsilon, "above 0")
        require(0 <= self.baseline_decay < 1, "baseline_decay", self.baseline_decay, "a share in [0, 1)")
        require(self.ppo_passes >= 1, "ppo_passes", self.ppo_passes, "at least 1")
        require(self.ppo_clip > 0, "ppo_clip", self.ppo_clip, "above 0")
        require(self.ppo_minibatch >= 0, "ppo_minibatch", self.ppo_minibatch, "0 or more")
        require(self.min_entropy >= 0, "min_entropy", self.min_entropy, "0 or more")

    def rate_for(self, num_updates: int) -> float:
        """Return the step size of a search of so many updates."""
        if self.controller_learning_rate is not None:
            return self.controller_learning_rate
        return min(_LARGEST_RATE, max(_SMALLEST_RATE, _LARGEST_RATE * _FEW_UPDATES / max(1, num_updates)))


REINFORCE = Group(ReinforceConfig(), stages=("search",))


@SEARCHERS.register("reinforce", [CONTROLLER, REINFORCE], help="an LSTM policy, trained by REINFORCE or PPO")
class ReinforceSearcher(Searcher):
    """The paper's searcher: an LSTM policy trained by REINFORCE (section 2.2), or by PPO.

    The advantage of a sample is its reward less the baseline: by default the mean of the update, in units of its
    standard deviation. A moving average is the baseline as it stood before the update. It then takes in the rewards of
    the update in turn, and starts at the mean of the first rewards. Departure: the reference starts it at 0, which
    pushes up whatever is proposed first, and reads it in an undefined order.

    Args:
      num_updates: the length of the search, for the step size and for the schedule of the entropy.
    """

    learns_from_batches = can_grow = True

    def __init__(
        self,
        space: Space,
        controller: ControllerConfig | None = None,
        config: ReinforceConfig | None = None,
        num_updates: int = 1,
    ):
        self.config = config or ReinforceConfig()
        super().__init__(space)
        self.controller = Controller(space, controller)
        self.optimizer = keras.optimizers.Adam(
            self.config.rate_for(num_updates), beta_1=0.0, epsilon=self.config.controller_epsilon
        )
        self.optimizer.build(self.controller.trainable_variables)
        self.baseline = tf.Variable(np.nan, dtype=tf.float32, trainable=False, name="baseline")
        self.num_done = tf.Variable(0, dtype=tf.int64, trainable=False, name="num_done")
        self._num_updates = num_updates

    @classmethod
    def build(cls, space, config: Config):
        return cls(space, config[CONTROLLER], config[REINFORCE], config[SEARCH].num_updates)

    def carried_to(self, space):
        # All stages of a space have the same vocabularies, and so the same weights.
        other = type(self)(space, self.controller.config, self.config, self._num_updates)
        for theirs, mine in zip(other._learned, self._learned, strict=True):
            theirs.assign(mine)
        return other

    @property
    def _learned(self) -> list:
        """All that an update changes."""
        return [*self.controller.variables, *self.optimizer.variables, self.baseline, self.num_done]

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

    def update(self, tokens, rewards):
        advantage, walk = self._judge(tokens, rewards)
        num = int(tokens.shape[0])
        size = min(self.config.ppo_minibatch, num) or num
        said = {"entropy": tf.reduce_mean(walk.entropy)}
        # Without any reward there is nothing to learn: the entropy alone would move the policy.
        is_judged = bool(tf.reduce_any(tf.math.is_finite(rewards)))
        for _ in range(self.config.ppo_passes * is_judged):
            for begin in range(0, num, size):
                part = slice(begin, begin + size)
                said = self._descend(tokens[part], advantage[part], walk.log_prob[part])
        self.num_done.assign_add(1)
        if self.config.reward_baseline == "moving_average":
            said |= {"baseline": self.baseline.read_value(), "advantage": tf.reduce_mean(advantage)}
        return {**self.reward_metrics(rewards), **said, **self.skip_metrics(tokens)}

    @tf.function(autograph=False)
    def _judge(self, tokens: tf.Tensor, rewards: tf.Tensor) -> tuple[tf.Tensor, Walk]:
        """Return the advantage of proposals, float32 [n], and the policy's walk over them; move the average."""
        is_finite = tf.cast(tf.math.is_finite(rewards), tf.float32)
        rewarded, walk = finite_or_zero(rewards), self.controller.score(tokens)
        if self.config.entropy_in == "reward":
            rewarded += self.entropy_weight() * walk.entropy
        if self.config.reward_baseline == "update":
            return scaled_advantage(rewarded, is_finite), walk
        mean = tf.reduce_sum(is_finite * rewarded) / tf.reduce_sum(is_finite)
        baseline = tf.where(tf.math.is_nan(self.baseline), mean, self.baseline)
        self.baseline.assign(moved_baseline(baseline, rewarded, self.config.baseline_decay, is_finite))
        # What has no reward is neither good nor bad. Without any reward there is no baseline yet.
        return is_finite * finite_or_zero(rewarded - baseline), walk

    @tf.function(autograph=False, reduce_retracing=True)
    def _descend(self, tokens: tf.Tensor, advantage: tf.Tensor, log_prob: tf.Tensor) -> dict[str, tf.Tensor]:
        """Take a step of the optimizer; return what it saw, before the step."""
        variables = self.controller.trainable_variables
        with tf.GradientTape() as tape:
            walk = self.controller.score(tokens)
            divergence, entropy = tf.reduce_mean(walk.skip_divergence), tf.reduce_mean(walk.entropy)
            if self.config.ppo_passes > 1:
                loss = ppo_loss(walk.log_prob, log_prob, advantage, self.config.ppo_clip)
            else:
                loss = reinforce_loss(walk.log_prob, advantage)
            loss += self.config.skip_weight * divergence
            if self.config.entropy_in == "loss":
                loss -= self.entropy_weight() * entropy
        gradients = tape.gradient(loss, [v.value for v in variables], unconnected_gradients="zero")
        gradients = [tf.convert_to_tensor(gradient) for gradient in gradients]
        self.optimizer.apply(gradients, variables)
        said = {"entropy": entropy, "loss": loss, "gradient_norm": tf.linalg.global_norm(gradients)}
        return said | ({"skip_divergence": divergence} if self._has_skips else {})

    def entropy_weight(self) -> tf.Tensor:
        """Return the weight of the entropy in the update that is under way, a float32 scalar."""
        first, last = self.config.entropy_weight, self.config.final_entropy_weight
        if last is None:
            return tf.constant(first)
        share = tf.cast(self.num_done, tf.float32) / max(1, self._num_updates - 1)
        return first + (last - first) * tf.minimum(share, 1.0)

    @property
    def metric_names(self):
        average = ["baseline", "advantage"] if self.config.reward_baseline == "moving_average" else []
        skips = ["skip_rate", "skip_divergence"] if self._has_skips else []
        return ["reward", "nonfinite_rewards", *average, "entropy", *skips, "loss", "gradient_norm"]

    @property
    def metric_descriptions(self):
        return super().metric_descriptions | {
            "baseline": "Moving average of the rewards.",
            "advantage": "Mean of the rewards less the baseline: what is left for the policy to learn from.",
            "entropy": "Entropy of the policy in nats, over all decisions. Near its first value the policy has learnt "
            "little; near 0 it proposes one architecture only.",
            "skip_divergence": "KL divergence of the skip probabilities from their prior, in nats.",
            "loss": "Loss of the policy: REINFORCE or PPO, the KL term of the skips, and the entropy.",
            "gradient_norm": "Mean norm of the gradient of the policy's weights.",
        }

    @property
    def tracked(self):
        averages = [self.baseline, self.num_done]
        return super().tracked | {"controller": self.controller, "optimizer": self.optimizer, "baseline": averages}

    @property
    def carried(self):
        # Rewards of the other search, by weights of another time, are no baseline.
        return {"controller": self.controller}

    @property
    def in_words(self):
        size = sum(math.prod(variable.shape) for variable in self.controller.trainable_variables)
        return f"controller of {size:,} parameters"

    def find_problem(self, metrics):
        return policy_problem(metrics["entropy"], self.config.min_entropy)


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
