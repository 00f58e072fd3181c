"""The evaluator that trains proposals from scratch, alone with a run."""

import numpy as np
import tensorflow as tf

from enas_tf.experiments.config import read_options
from enas_tf.experiments.run import Run
from enas_tf.search.evaluators.scratch import ScratchEvaluator


def test_a_reward_is_a_power_of_the_score(tmp_path):
    given = {"dataset": "digits", "num_layers": 3, "channels": 2, "trial_epochs": 1, "reward_power": 3.0}
    run = Run(read_options({"evaluator": "scratch", "limit_train": 256, **given}), tmp_path)
    evaluator = ScratchEvaluator.build(run)
    tokens = run.space.random_tokens(1, np.random.default_rng(0))
    score = evaluator.score(tokens[0])
    assert 0 < score < 1
    np.testing.assert_allclose(evaluator.evaluate(tf.constant(tokens)).numpy(), [score**3], rtol=1e-6)
