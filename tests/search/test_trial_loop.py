"""A search by trials is a function of its options: neither the order of results nor a kill changes what comes of it."""

import dataclasses
import json
import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from enas_tf.errors import InputError
from enas_tf.ops.costs import Cost
from enas_tf.runtime.reporting import Reporter
from enas_tf.runtime.stopping import Budget, StopEarly
from enas_tf.search.halving import Halving, Levels, budgets_of
from enas_tf.search.ledger import Ledger
from enas_tf.search.searchers.searcher import Searcher
from enas_tf.search.states import States
from enas_tf.search.trial_loop import TrialPlan, TrialSearch
from enas_tf.search.trials import Failure, Measurement, Trial
from enas_tf.spaces.decisions import PickOp
from tests.search.fake_trials import FakeExecutor, Killed, kill_at, outcome_of
from tests.search.searchers.small import ListSpace, build


class Tokens(tuple):
    """An architecture of the list space."""

    def to_arc(self):
        return " ".join(map(str, self))


class ArcSpace(ListSpace):
    """The list space, whose architectures have a text."""

    def decode(self, tokens):
        return Tokens(super().decode(tokens))


SPACE = ArcSpace(tuple(PickOp(f"place_{number}", ("a", "b", "c")) for number in range(3)))


class Recorder(Searcher):
    """Wraps a searcher and writes down what it has proposed and learned."""

    def __init__(self, searcher):
        self._searcher, self.learned = searcher, []
        super().__init__(SPACE)
        self.learns_from_batches = searcher.learns_from_batches

    def propose(self, num, seed):
        return self._searcher.propose(num, seed)

    def update(self, tokens, rewards):
        self.learned.append((tokens.numpy().tolist(), rewards.numpy().tolist()))
        return self._searcher.update(tokens, rewards)

    @property
    def metric_names(self):
        return self._searcher.metric_names


#: Trials of a search.
NUM = 14


def plan(num=NUM, ahead=1, per_update=1, factor=3, max_failures=100):
    return TrialPlan(num, "valid_accuracy", per_update, ahead, Halving(budgets_of(9, factor), factor), max_failures)


class Results(Budget):
    """A budget of so many results."""

    def __init__(self, num):
        self.left = num

    def check(self):
        self.left -= 1
        if not self.left:
            raise StopEarly


def search(place, executor, name="evolution", budget=None, **options):
    """Search in the directory `place` by the searcher `name`; return the ledger and what the searcher has learned."""
    keras.utils.set_random_seed(0)
    searcher, ledger = Recorder(build(name, SPACE)), Ledger(place / "trials.jsonl", {"space": "list"})
    with Reporter(place) as reporter:
        TrialSearch(
            searcher,
            plan(**options),
            executor,
            ledger,
            States(place / "states"),
            lambda architecture: Cost(parameters=sum(architecture), flops=7),
            lambda value: value**2,
            3,
            reporter,
            budget,
        ).run()
    assert not list((place / "states").glob("*")), "states are removed at the end"
    return ledger, searcher.learned


def search_killed(place, number, executor, torn=False, **options):
    """Search in `place` until the `number`-th line of the ledger; return whether the search was killed."""
    with pytest.MonkeyPatch.context() as patched:
        kill_at(patched, number, torn)
        try:
            search(place, executor, **options)
        except Killed:
            return True
    return False


def reported(place, phase="trial"):
    """Return what the run in `place` has reported of each trial, without the time."""
    records = [json.loads(line) for line in (place / "metrics.jsonl").read_text().splitlines()]
    return [{k: v for k, v in record.items() if k != "time"} for record in records if record["phase"] == phase]


def same(learned, other):
    """Return whether two searchers have learned the same; NaN is NaN."""
    return repr(learned) == repr(other)


#: The last is what learns from batches is told; a policy itself takes long to trace.
SEARCHES = {
    "random": {"name": "random", "ahead": 1},
    "evolution": {"name": "evolution", "ahead": 3},
    "surrogate": {"name": "surrogate", "ahead": 2, "factor": 0},
    "batches": {"name": "evolution", "per_update": 4, "factor": 0},
}


@pytest.fixture(params=SEARCHES.values(), ids=SEARCHES, scope="module")
def options(request):
    return request.param


@pytest.fixture(scope="module")
def unbroken(options, tmp_path_factory):
    """A search that was never stopped, with results in one order."""
    place = tmp_path_factory.mktemp("unbroken")
    executor = FakeExecutor(0)
    ledger, learned = search(place, executor, **options)
    return place, executor, ledger, learned


def test_all_trials_are_done_and_each_once(options, unbroken):
    _, executor, ledger, learned = unbroken
    assert all(entry.outcome == outcome_of(entry.trial) for entry in ledger.entries)
    assert sum(len(entry.trial.budgets) == 1 for entry in ledger.entries) == NUM
    assert sorted(map(repr, executor.trials)) == sorted({repr(entry.trial) for entry in ledger.entries})
    assert sum(len(tokens) for tokens, _ in learned) == len(ledger.entries)
    num = options.get("per_update", 1)
    assert [len(tokens) for tokens, _ in learned][:-1] == [num] * (len(learned) - 1), "it learns in batches"
    assert executor.most <= options.get("ahead", 1) * num
    if options.get("factor", 3):
        assert any(len(entry.trial.budgets) == 3 for entry in ledger.entries)


def test_a_reward_is_that_of_the_metric_and_a_failed_trial_has_none(unbroken):
    _, _, ledger, learned = unbroken
    rewards = [reward for _, group in learned for reward in group]
    assert any(isinstance(entry.outcome, Failure) for entry in ledger.entries)
    levels, is_shorter = Levels(), True
    for entry, reward in zip(ledger.entries, rewards, strict=True):
        if not isinstance(entry.outcome, Measurement):
            assert math.isnan(reward)
        elif len(entry.trial.budgets) == 1:
            assert reward == pytest.approx(levels.level(entry.trial, entry.outcome.value**2))
            assert reward == pytest.approx(entry.outcome.value**2)
        else:
            # A longer training is worth more whatever was trained: the searcher is not told that.
            assert reward == pytest.approx(levels.level(entry.trial, entry.outcome.value**2))
            is_shorter &= reward < entry.outcome.value**2
    assert is_shorter


@settings(max_examples=4, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(1, 10**6))
def test_the_order_of_results_changes_nothing(options, unbroken, tmp_path_factory, seed):
    place = tmp_path_factory.mktemp("other")
    ledger, learned = search(place, FakeExecutor(seed), **options)
    assert ledger.entries == unbroken[2].entries
    assert same(learned, unbroken[3])
    assert reported(place) == reported(unbroken[0])


@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
@given(number=st.integers(0, 2 * NUM), seed=st.integers(0, 10**6), torn=st.booleans())
def test_a_search_that_is_killed_anywhere_ends_the_same(options, unbroken, tmp_path_factory, number, seed, torn):
    """Law 6; what was finished is not run again."""
    place, known = tmp_path_factory.mktemp("killed"), []
    first, second = FakeExecutor(seed), FakeExecutor(seed + 1)
    if search_killed(place, number, first, torn, **options):
        known = [e.trial for e in Ledger(place / "trials.jsonl", {"space": "list"}).entries if e.outcome]
    ledger, learned = search(place, second, **options)
    assert ledger.entries == unbroken[2].entries
    assert same(learned, unbroken[3])
    assert not set(known) & set(second.trials)
    for phase in ("trial", "controller"):
        assert reported(place, phase) == reported(unbroken[0], phase)


def test_the_order_of_proposals_survives_another_number_at_once(tmp_path):
    """What was begun stays as it was; only what is new is proposed by the new number."""
    search_killed(tmp_path, 19, FakeExecutor(1), ahead=1)
    before = [entry.trial for entry in Ledger(tmp_path / "trials.jsonl", {"space": "list"}).entries]
    ledger, _ = search(tmp_path, FakeExecutor(2), ahead=4)
    trials = [entry.trial for entry in ledger.entries]
    assert trials[: len(before)] == before
    assert any(len(trial.budgets) > 1 for trial in before)
    assert sum(len(trial.budgets) == 1 for trial in trials) == NUM
    assert all(entry.outcome is not None for entry in ledger.entries)


def test_a_longer_search_goes_on_from_a_shorter_one(tmp_path):
    shorter, executor = search(tmp_path, FakeExecutor(1), num=7)[0], FakeExecutor(2)
    ledger, learned = search(tmp_path, executor, num=NUM)
    assert ledger.entries[: len(shorter.entries)] == shorter.entries
    assert not {entry.trial for entry in shorter.entries} & set(executor.trials)
    assert sum(len(entry.trial.budgets) == 1 for entry in ledger.entries) == NUM
    assert sum(len(tokens) for tokens, _ in learned) == len(ledger.entries)
    again = FakeExecutor(3)
    assert search(tmp_path, again, num=7)[0].entries == ledger.entries, "a shorter one has nothing to do"
    assert again.trials == []


def test_a_trial_whose_state_is_lost_is_trained_from_its_beginning(tmp_path, monkeypatch):
    executor = FakeExecutor(0)
    monkeypatch.setattr(States, "load", lambda self, number: None)
    search(tmp_path, executor)
    assert {job.done for job in executor.jobs} == {0}
    assert max(job.trial.epochs for job in executor.jobs) == 9


def test_a_policy_learns_in_batches_and_resumes(tmp_path):
    """Those of an update are compared with each other; a run that is killed in the middle of one goes on with it."""
    options = {"name": "reinforce", "per_update": 4, "factor": 0, "num": 6}
    ledger, learned = search(tmp_path / "unbroken", FakeExecutor(0), **options)
    assert [len(tokens) for tokens, _ in learned] == [4, 2]
    search_killed(tmp_path / "killed", 7, FakeExecutor(1), **options)
    resumed, learned_again = search(tmp_path / "killed", FakeExecutor(2), **options)
    assert resumed.entries == ledger.entries
    assert same(learned_again, learned)


@pytest.mark.parametrize("kind", ["diverged", "memory", "crashed"])
def test_trials_that_fail_alike_end_the_search_with_the_cure(tmp_path, kind, capsys):
    executor = FakeExecutor(0, lambda trial: Failure(kind, "of this reason"))
    with pytest.raises(InputError, match=rf"3 trials in a row .*\({kind}: of this reason\).*max_failures") as error:
        search(tmp_path, executor, max_failures=3, factor=0)
    assert {"diverged": "learning_rate", "memory": "batch_size", "crashed": "Mend"}[kind] in str(error.value)
    assert len(executor.jobs) == 3
    assert capsys.readouterr().out.count(f"{kind}: of this reason; it counts as the worst") == 3
    with pytest.raises(InputError, match="3 trials in a row"):
        search(tmp_path, FakeExecutor(0), max_failures=3, factor=0)
    better = FakeExecutor(0, lambda trial: Measurement(0.5, 0.1, (0.5,), 1.0, "CPU"))
    ledger, _ = search(tmp_path, better, max_failures=4, factor=0)
    assert len(ledger.entries) == NUM, "a larger number lets it go on"


def test_failures_of_several_kinds_do_not_end_the_search(tmp_path):
    kinds = ("diverged", "memory")

    def outcome(trial):
        return Failure(kinds[len(executor.jobs) % 2], "")

    executor = FakeExecutor(0, outcome)
    ledger, learned = search(tmp_path, executor, max_failures=3, factor=0, num=7)
    assert len(ledger.entries) == 7
    assert np.isnan([reward for _, group in learned for reward in group]).all()


def test_a_trial_that_is_proposed_again_is_not_trained_again(tmp_path):
    class Stubborn(Recorder):
        def propose(self, num, seed):
            return tf.constant([[0, 1, 2]] * int(num))

    executor, ledger = FakeExecutor(0), Ledger(tmp_path / "trials.jsonl", {})
    with Reporter(tmp_path) as reporter:
        states, count = States(tmp_path / "states"), lambda architecture: Cost(1, 2)
        TrialSearch(
            Stubborn(build("random", SPACE)), plan(5, 2, factor=0), executor, ledger, states, count, float, 0, reporter
        ).run()
    assert executor.trials == [Trial((0, 1, 2), (9,))], "not even while it is under way"
    assert [dataclasses.replace(entry, number=0) for entry in ledger.entries] == [ledger.entries[0]] * 5


@pytest.mark.parametrize("num", [1, 5, 9])
def test_a_search_whose_budget_is_spent_keeps_its_results_and_goes_on_another_time(tmp_path, num):
    expected = search(tmp_path / "whole", FakeExecutor())[0]
    with pytest.raises(StopEarly):
        search(tmp_path / "parts", FakeExecutor(), budget=Results(num))
    ledger = Ledger(tmp_path / "parts" / "trials.jsonl", {"space": "list"})
    assert sum(entry.outcome is not None for entry in ledger.of("search")) == num
    executor = FakeExecutor()
    ledger = search(tmp_path / "parts", executor)[0]
    assert [(e.trial, e.outcome) for e in ledger.entries] == [(e.trial, e.outcome) for e in expected.entries]
    assert reported(tmp_path / "parts") == reported(tmp_path / "whole")
