"""The interface of evaluators, by one that has no supernet: a table of rewards."""

import types

import numpy as np
import pytest
import tensorflow as tf

from enas_tf.search.evaluators.evaluator import EVALUATORS, Evaluator
from enas_tf.search.searchers.random import RandomSearcher
from enas_tf.spaces.recurrent import RecurrentSpace

SPACE = RecurrentSpace(nodes=2, activations=("tanh", "relu"))


class TableEvaluator(Evaluator):
    """Looks the value of a proposal up: the share of tokens that are 0."""

    metric, is_higher_better = "table_accuracy", True

    def __init__(self, space):
        sequences = np.indices(space.token_ranges).reshape(space.num_tokens, -1).T
        self.table = {tuple(tokens.tolist()): float(np.mean(tokens == 0)) for tokens in sequences}

    @classmethod
    def build(cls, run):
        return cls(run.space)

    def evaluate(self, tokens):
        return tf.constant([self.score(proposal) for proposal in tokens.numpy()], tf.float32)

    def score(self, tokens, num_batches=0):
        return self.table[tuple(np.asarray(tokens).tolist())]


@pytest.fixture
def evaluator():
    EVALUATORS.register("table", help="a table of rewards")(TableEvaluator)
    yield EVALUATORS["table"].build(types.SimpleNamespace(space=SPACE))
    EVALUATORS.remove("table")


def test_nothing_is_prepared(evaluator):
    """The rest of the interface is there, and does nothing."""
    advanced = []
    evaluator.start(3, 5, first_update=7, attempt=1)
    assert evaluator.prepare(RandomSearcher(SPACE), 3, 0, advanced.append) == {}
    assert evaluator.num_steps(3) == 0
    assert advanced == evaluator.weights == []
    assert evaluator.tracked == evaluator.summary() == {}
    assert evaluator.failure is None


def test_proposals_are_rewarded_and_scored(evaluator):
    tokens = RandomSearcher(SPACE).propose(16, tf.constant([1, 2]))
    rewards = evaluator.evaluate(tokens)
    assert rewards.shape == (16,)
    np.testing.assert_allclose(rewards, np.mean(tokens.numpy() == 0, axis=1))
    assert len(set(rewards.numpy().tolist())) > 1
    for proposal, reward in zip(tokens.numpy(), rewards.numpy(), strict=True):
        assert evaluator.score(proposal, num_batches=2) == reward


def test_what_is_rewarded_has_to_be_implemented():
    with pytest.raises(TypeError, match="abstract"):
        Evaluator()
