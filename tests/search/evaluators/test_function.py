"""A function of a Keras model judges proposals: each once, always from the same weights."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from enas_tf.experiments.config import read_options
from enas_tf.experiments.run import Run
from enas_tf.search.evaluators.evaluator import EVALUATORS
from enas_tf.search.evaluators.function import register_judge

PLACES = np.array([[0, 1, 0, 2, 1, 1], [3, 5, 1, 4, 0, 0], [0, 1, 0, 2, 1, 1]], np.int32)


@pytest.fixture
def build(tmp_path):
    """`build(judge, is_higher_better)`: the evaluator of a function, on a few digits."""

    def make(judge, is_higher_better=True):
        register_judge("mine", "my_metric", is_higher_better)(judge)
        options = {"evaluator": "mine", "num_layers": 3, "channels": 4, "limit_train": 64}
        return EVALUATORS["mine"].build(Run(read_options(options), tmp_path))

    yield make
    EVALUATORS.remove("mine")


def test_a_function_is_called_once_for_each_proposal_with_its_child_and_the_data(build):
    models = []

    def judge(model, data):
        models.append(model)
        assert model.predict(data.train.images[:4], verbose=0).shape == (4, data.num_classes)
        return model.count_params()

    evaluator = build(judge)
    rewards = evaluator.evaluate(tf.constant(PLACES)).numpy()
    assert len(models) == 2
    assert rewards.dtype == np.float32
    first, second = (model.count_params() for model in models)
    np.testing.assert_array_equal(rewards, [first, second, first])
    assert evaluator.score(PLACES[1]) == models[1].count_params()
    assert len(models) == 2, "what was judged is known"
    assert evaluator.metric == "my_metric"


def test_fewer_is_better_where_the_function_says_so(build):
    evaluator = build(lambda model, data: model.count_params(), is_higher_better=False)
    assert not evaluator.is_higher_better
    rewards = evaluator.evaluate(tf.constant(PLACES[:2])).numpy()
    np.testing.assert_array_equal(rewards, [-evaluator.score(row) for row in PLACES[:2]])


def test_a_child_begins_with_the_same_weights_whatever_was_judged_before(build):
    def judge(model, data):
        keras.random.uniform([1])
        return float(sum(np.abs(weight).sum() for weight in model.get_weights()))

    first = build(judge)
    together = [first.score(row) for row in PLACES[:2]]
    assert build(judge).score(PLACES[1]) == together[1]
    assert together[0] != together[1]


def test_a_number_that_is_none_is_passed_on(build):
    """A searcher leaves it out."""
    rewards = build(lambda model, data: float("nan")).evaluate(tf.constant(PLACES[:1])).numpy()
    assert np.isnan(rewards).all()
