"""What a policy learns from rewards with noise, by the size of its steps: a benchmark without any network.

    python -m benchmarks.noise --flagfile=flags/digits_macro.flags --noise=0,1,inf --rates=0.02,0.01,0.005,0.002

Space, length of the search and all other options are those of the flagfile. The merit of an architecture is the sum of
a number for each of its decisions, in standard deviations of uniform proposals. A reward is the merit, and noise of
`--noise` standard deviations; `inf` is noise alone. Prints the entropy of the policy after a thirtieth, a sixth, a half
and all of the updates, and the mean merit of its proposals in the last tenth: 0 is that of uniform proposals.
"""

import math
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf
from absl import app, flags

from enas_tf.experiments.config import Config
from enas_tf.launch.flags import define_options, read_config
from enas_tf.runtime.seeds import seed_for
from enas_tf.search.config import SEARCH
from enas_tf.search.searchers.reinforce import REINFORCE, ReinforceSearcher
from enas_tf.spaces.space import Space


class Merit:
    """The merit of architectures: for each decision a number by its token, with mean 0 and equal deviations."""

    def __init__(self, space: Space, seed: int):
        random, self._values = np.random.default_rng(seed), []
        for num in space.token_ranges:
            values = random.normal(size=num)
            self._values.append((values - values.mean()) / (values.std() or 1.0))
        self._deviation = math.sqrt(sum(num > 1 for num in space.token_ranges))

    def __call__(self, tokens: np.ndarray) -> np.ndarray:
        """Return the merit of tokens int [n, num_tokens], float64 [n]."""
        columns = zip(self._values, tokens.T, strict=True)
        return sum(values[column] for values, column in columns) / self._deviation


class Learned(NamedTuple):
    """What a search has seen.

    Attributes:
      entropy: of the policy in nats, of each update.
      merit: the mean of the proposals of each update.
    """

    entropy: list[float]
    merit: list[float]


def learn(config: Config, noise: float, seed: int) -> Learned:
    """Run all updates of a search whose rewards are merits with noise."""
    keras.utils.set_random_seed(seed)
    space, search = config.space, config[SEARCH]
    searcher, merit, random = ReinforceSearcher.build(space, config), Merit(space, seed), np.random.default_rng(seed)
    found = Learned([], [])
    for update in range(search.num_updates):
        tokens = searcher.propose(
            tf.constant(search.samples_per_update), seed_for(seed, "rewarded_proposals", 0, update)
        )
        worth, luck = merit(tokens.numpy()), random.normal(size=search.samples_per_update)
        rewards = luck if math.isinf(noise) else worth + noise * luck
        found.entropy.append(float(searcher.update(tokens, tf.constant(rewards, tf.float32))["entropy"]))
        found.merit.append(float(worth.mean()))
    return found


def main(_):
    """Print a row for each noise and each size of steps."""
    config, given = read_config(), flags.FLAGS
    for noise in map(float, given.noise):
        for rate in given.rates:
            tried = config.with_values({"controller_learning_rate": float(rate)}) if rate else config
            runs = [learn(tried, noise, seed) for seed in range(given.seeds)]
            entropy = np.mean([run.entropy for run in runs], axis=0)
            merit = np.mean([run.merit for run in runs], axis=0)
            num = len(entropy)
            places = [max(1, num // part) for part in (30, 6, 2, 1)]
            entropies = ", ".join(f"{entropy[place - 1]:.1f}" for place in places)
            print(
                f"noise {noise:g}, steps of {tried[REINFORCE].rate_for(num):.4g}: entropy {entropy[0]:.1f}, then "
                f"{entropies}; merit {merit[-max(1, num // 10) :].mean():.2f}",
                flush=True,
            )


if __name__ == "__main__":
    flags.DEFINE_list("noise", ["0", "1", "inf"], "standard deviations of the noise, in those of the merit")
    flags.DEFINE_list("rates", [""], "step sizes of the policy; empty for what the search would take")
    flags.DEFINE_integer("seeds", 2, "runs of each")
    define_options()
    app.run(main)
