"""Random search: the baseline that every other searcher has to beat."""

import tensorflow as tf

from enas_tf.search.searchers.searcher import SEARCHERS, Searcher


@SEARCHERS.register("random", help="every token uniform; learns nothing")
class RandomSearcher(Searcher):
    """Draws every token from a uniform distribution and learns nothing."""

    can_grow = True

    def carried_to(self, space):
        return type(self)(space)

    def propose(self, num, seed):
        uniforms = tf.random.stateless_uniform([num, self.space.num_tokens], seed=seed)
        ranges = tf.constant(self.space.token_ranges)
        return tf.minimum(tf.cast(uniforms * tf.cast(ranges, tf.float32), tf.int32), ranges - 1)

    def update(self, tokens, rewards):
        return {**self.reward_metrics(rewards), **self.skip_metrics(tokens)}

    @property
    def metric_names(self):
        return ["reward", "nonfinite_rewards", *(["skip_rate"] if self._has_skips else [])]
