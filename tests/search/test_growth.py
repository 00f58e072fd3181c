"""Searches by trials in a space that grows: what is proposed when, and what the searcher keeps."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from enas_tf.controller.policy import ControllerConfig
from enas_tf.ops.costs import Cost
from enas_tf.runtime.reporting import Reporter
from enas_tf.search.executors.executor import Executor
from enas_tf.search.halving import Halving
from enas_tf.search.ledger import Ledger
from enas_tf.search.searchers.random import RandomSearcher
from enas_tf.search.searchers.reinforce import ReinforceSearcher
from enas_tf.search.states import States
from enas_tf.search.trial_loop import TrialPlan, TrialSearch
from enas_tf.search.trials import Measurement, Result
from enas_tf.spaces.nas_conv import NasConvSpace

SPACE = NasConvSpace(num_layers=4, filters=("2", "3"), grow_every=6, grow_from=1, grow_by=2)


class Rule(Executor):
    """Trains nothing: a trial is worth the share of its skips; it finishes one at a time, the last one first."""

    def __init__(self):
        self.waiting, self.trained = [], []

    def submit(self, job):
        self.waiting.append(job)

    def next(self):
        job = self.waiting.pop()
        self.trained.append(job.number)
        return Result(job.number, Measurement(float(np.mean(job.trial.tokens)), 1.0, (0.5,), 0.0, "CPU"))


def search(searcher, workdir, num_trials=20, ahead=1) -> tuple[TrialSearch, Rule]:
    """Run a search by trials in `workdir`, four to an update."""
    executor, ledger = Rule(), Ledger(workdir / "trials.jsonl", {"space": "nas_conv"})
    plan = TrialPlan(num_trials, "accuracy", 4, ahead, Halving((1,), 0), 5)
    with Reporter(workdir) as reporter:
        found = TrialSearch(
            searcher,
            plan,
            executor,
            ledger,
            States(workdir / "states"),
            lambda architecture: Cost(architecture.num_layers),
            lambda value: value,
            3,
            reporter,
        )
        found.run()
    return found, executor


def make_searcher():
    keras.utils.set_random_seed(0)
    return ReinforceSearcher(SPACE, ControllerConfig(hidden_size=6, controller_layers=2))


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("searched")
    return search(make_searcher(), workdir)[0], workdir


def test_stages():
    """An update that begins within a stage is all of that stage."""
    depths = [SPACE.stage(num).num_layers for num in (0, 5, 6, 11, 12, 10_000)]
    assert depths == [1, 1, 3, 3, 4, 4]
    assert NasConvSpace().stage(10_000) == NasConvSpace()
    assert SPACE.stage(12) is SPACE


def test_a_stage_is_the_beginning_of_the_next():
    deep = NasConvSpace(num_layers=9, pool_after=("2", "5"), grow_every=1, grow_from=5)
    for num, space in ((0, deep.stage(0)), (1, deep.stage(1))):
        assert space.num_layers == 5 + 2 * num
        assert space.decisions == deep.decisions[: len(space.decisions)]
        tokens = space.random_tokens(1, np.random.default_rng(0))[0]
        architecture = deep.decode(tokens)
        assert architecture.pools == ((2,), (2, 5))[num]
        np.testing.assert_array_equal(deep.encode(architecture), tokens)


def test_the_ledger_holds_the_trials_of_all_depths(searched):
    found, _ = searched
    depths = [sum("x" in word for word in entry.arc.split()) for entry in found.ledger.entries]
    assert depths == [1] * 8 + [3] * 4 + [4] * 8
    assert [entry.cost["parameters"] for entry in found.ledger.entries] == depths


def test_what_was_learned_is_carried_to_the_next_depth():
    searcher = make_searcher().carried_to(SPACE.stage(0))
    tokens = SPACE.stage(0).random_tokens(4, np.random.default_rng(0))
    searcher.update(tf.constant(tokens), tf.constant([0.1, 0.5, 0.2, 0.9]))
    grown = searcher.carried_to(SPACE.stage(6))
    assert grown.space.num_layers == 3
    assert int(grown.num_done) == int(searcher.num_done) == 1
    for mine, its in zip(grown.optimizer.variables, searcher.optimizer.variables, strict=True):
        np.testing.assert_array_equal(mine, its)
    # The first layer of a deeper network is as probable as before.
    deep = SPACE.stage(6).random_tokens(4, np.random.default_rng(1))
    deep[:, : tokens.shape[1]] = tokens
    before, after = searcher.controller.score(tokens), grown.controller.score(deep)
    for name, probabilities in before.op_probabilities.items():
        np.testing.assert_allclose(after.op_probabilities[name], probabilities, atol=1e-6)


def test_a_search_that_resumes_proposes_the_same(searched, tmp_path):
    found, _ = searched
    search(make_searcher(), tmp_path, num_trials=8)
    again, executor = search(make_searcher(), tmp_path)
    assert [entry.trial for entry in again.ledger.entries] == [entry.trial for entry in found.ledger.entries]
    assert min(executor.trained) == 8, "what was trained is not trained again"
    for mine, its in zip(again.searcher.controller.weights, found.searcher.controller.weights, strict=True):
        np.testing.assert_array_equal(mine, its)


def test_updates_under_way_are_learned_before_the_depth_grows(tmp_path):
    found, _ = search(RandomSearcher(SPACE), tmp_path, ahead=3)
    assert [entry.cost["parameters"] for entry in found.ledger.entries] == [1] * 8 + [3] * 4 + [4] * 8
