"""PNAS: levels follow each other, the best cell of a small space is found, and a run that was killed ends the same."""

import json
import math
import re
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from enas_tf.errors import InputError, render
from enas_tf.ops.costs import Cost
from enas_tf.runtime.checkpoints import Checkpoints
from enas_tf.runtime.reporting import Reporter
from enas_tf.runtime.seeds import seed_for
from enas_tf.search.cell_predictors import PREDICTORS
from enas_tf.search.cells import all_blocks, kinds
from enas_tf.search.halving import Halving
from enas_tf.search.ledger import Ledger
from enas_tf.search.searchers.progressive import ProgressiveConfig, ProgressiveSearcher
from enas_tf.search.states import States
from enas_tf.search.trial_loop import TrialPlan, TrialSearch
from enas_tf.search.trials import Failure, Measurement, Result
from tests.search.searchers.growing import GrowingSpace, everything, oracle
from tests.search.searchers.small import SPACE as NO_CELLS

SPACE = GrowingSpace()
#: One member, and few epochs: for what does not depend on the quality of predictions.
QUICK = ProgressiveConfig(beam=8, predictor_members=1, predictor_epochs=2)


def run(searcher, num: int, batch: int, first: int = 0, reward=oracle) -> list[tuple]:
    """Let the searcher propose and learn `num` times; return its proposals and what each update has said."""
    found = []
    for update in range(first, first + num):
        tokens = searcher.propose(tf.constant(batch), seed_for(0, "test", update))
        if not len(tokens):
            break
        said = searcher.update(tokens, tf.constant(reward(tokens.numpy()), tf.float32))
        found.append((tokens.numpy(), {name: float(value) for name, value in said.items()}))
    return found


@pytest.mark.parametrize("predictor", PREDICTORS)
def test_the_best_of_all_is_found(predictor):
    """Law 8: of 735 different cells of two blocks it has 60 judged, after all 21 of one block."""
    searcher = ProgressiveSearcher(SPACE, ProgressiveConfig(beam=60, predictor=predictor))
    found = run(searcher, 10, 100)
    assert [len(tokens) for tokens, _ in found] == [21, 60]
    assert oracle(found[-1][0]).max() == oracle(everything()).max()
    assert found[-1][1]["rank_correlation"] > 0.3, "among the best, of which differences are small"
    assert "rank_correlation" not in found[0][1]


def test_levels_follow_each_other_and_end():
    searcher = ProgressiveSearcher(GrowingSpace(blocks=3), QUICK)
    found = run(searcher, 99, 5)
    assert searcher.level_sizes == [21, 8, 8]
    assert searcher.most_proposals == sum(len(tokens) for tokens, _ in found) == 37
    assert [tokens.shape[1] for tokens, _ in found] == [4] * 5 + [8] * 2 + [12] * 2
    assert [len(tokens) for tokens, _ in found] == [5, 5, 5, 5, 1, 5, 3, 5, 3]
    for size in (4, 8, 12):
        level = np.concatenate([tokens for tokens, _ in found if tokens.shape[1] == size])
        assert len(np.unique(kinds(level))) == len(level)
        for row in level:
            searcher.space.decode(row)
    assert [said["blocks"] for _, said in found] == [1] * 5 + [2] * 2 + [3] * 2
    for _, said in found:
        assert said.keys() <= set(searcher.metric_names) == searcher.means.keys()
    assert searcher.propose(tf.constant(3), tf.constant([1, 2])).shape == (0, 12)


def test_only_the_best_of_a_level_grow():
    searcher = ProgressiveSearcher(SPACE, ProgressiveConfig(beam=3, predictor_members=1, predictor_epochs=2))
    found = run(searcher, 2, 100)
    rows = found[0][0]
    best = {tuple(row) for row in rows[np.argsort(-oracle(rows))[:3]]}
    assert {tuple(row[:4]) for row in found[1][0]} <= best


def test_proposals_are_a_function_of_what_was_learned_and_the_seed():
    searcher = ProgressiveSearcher(SPACE, QUICK)
    for num in (2, 5):
        run(searcher, num, 5)
        once = searcher.propose(tf.constant(4), tf.constant([3, -4])).numpy()
        np.testing.assert_array_equal(searcher.propose(tf.constant(4), tf.constant([3, -4])), once)
    draws = [ProgressiveSearcher(SPACE, QUICK).propose(tf.constant(9), tf.constant([s, 0])).numpy() for s in (1, 2)]
    assert (draws[0] != draws[1]).any()


@pytest.mark.parametrize("done", [3, 6])
def test_a_resumed_searcher_is_the_unbroken_one(done, tmp_path):
    """Law 6: what was judged says all, in the first level and in the second."""
    unbroken, resumed = ProgressiveSearcher(SPACE, QUICK), ProgressiveSearcher(SPACE, QUICK)
    run(unbroken, done, 5)
    Checkpoints(tmp_path, unbroken.tracked).save(0, done)
    assert Checkpoints(tmp_path, resumed.tracked).restore_latest() == (0, done)
    expected, found = (run(searcher, 9, 5, first=done) for searcher in (unbroken, resumed))
    for (tokens, said), (others, its) in zip(found, expected, strict=True):
        np.testing.assert_array_equal(tokens, others)
        assert said == its


def test_a_reward_that_is_no_number_moves_nothing():
    """Law 9: a cell without a reward does not grow, and does not move the predictor."""
    levels = []
    for odd in (math.nan, math.inf, -math.inf):
        searcher = ProgressiveSearcher(SPACE, QUICK)

        def reward(tokens, odd=odd):
            return np.where((tokens[:, 2:4] == 1).any(axis=1), odd, oracle(tokens))

        (first, said), (second, _) = run(searcher, 9, 100, reward=reward)
        assert said["nonfinite_rewards"] == (first[:, 2:4] == 1).any(axis=1).sum() > 0
        levels.append(second)
    assert not (levels[0][:, 2:4] == 1).any()
    np.testing.assert_array_equal(levels[1], levels[0])
    np.testing.assert_array_equal(levels[2], levels[0])


def test_rewards_that_are_all_no_numbers_stop_no_search():
    searcher = ProgressiveSearcher(SPACE, QUICK)
    found = run(searcher, 9, 100, reward=lambda tokens: np.full(len(tokens), math.nan))
    assert [len(tokens) for tokens, _ in found] == [21, 8]


def test_a_space_whose_cells_do_not_grow_is_refused():
    with pytest.raises(InputError) as caught:
        ProgressiveSearcher(NO_CELLS)
    assert "those of the list space do not grow: expected a space such as pnas" in render(str(caught.value))


class Killed(Exception):
    """The end of a process."""


class TableExecutor:
    """Looks the results of trials up, the newest first, and is killed before the result `last`.

    Attributes:
      most: how many trials were under way at once.
    """

    def __init__(self, last: int = 10**9):
        self.waiting, self.num, self.last, self.most = [], 0, last, 0

    def submit(self, job):
        self.waiting.append(job)
        self.most = max(self.most, len(self.waiting))

    def next(self):
        if self.num == self.last:
            raise Killed
        self.num += 1
        job = self.waiting.pop()
        if job.trial.tokens[-1] == 2 and sum(job.trial.tokens) % 5 == 0:
            return Result(job.number, Failure("crashed", "bad luck"))
        value = float(oracle(np.array([job.trial.tokens]))[0])
        return Result(job.number, Measurement(value, 0.5, (value,), 1.0, "CPU"))


def search(directory, executor, parallel: int = 3, num_trials: int = 1000) -> tuple[list, ProgressiveSearcher]:
    """Run a search by trials of three levels; return tokens and values of its ledger, and the searcher."""
    searcher = ProgressiveSearcher(GrowingSpace(blocks=3), QUICK)
    ledger = Ledger(directory / "trials.jsonl", {"space": "growing"})
    plan = TrialPlan(num_trials, "valid_accuracy", 1, parallel, Halving((1,), 0), 9)
    with Reporter(directory) as reporter:
        states = States(directory / "states")
        TrialSearch(searcher, plan, executor, ledger, states, lambda cell: Cost(), float, 0, reporter).run()
    return [(entry.trial.tokens, getattr(entry.outcome, "value", None)) for entry in ledger.entries], searcher


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    """A search by trials, three at once: its trials, and the directory."""
    executor, directory = TableExecutor(), tmp_path_factory.mktemp("unbroken")
    found, _ = search(directory, executor)
    assert executor.most == 3
    return found, directory


def test_a_search_by_trials_has_all_levels(unbroken):
    found, _ = unbroken
    assert [len(tokens) for tokens, _ in found] == [4] * 21 + [8] * 8 + [12] * 8
    assert 0 < sum(value is None for _, value in found) < 15, "failures are part of the test"


def test_the_document_reads_the_rank_correlation_of_each_level(unbroken, tmp_path, monkeypatch, capsys):
    """docs/searchers.md has a program for it."""
    _, directory = unbroken
    text = (Path(__file__).parents[3] / "docs/searchers.md").read_text()
    (block,) = re.findall(r"^python - runs/pnas/metrics.jsonl <<'END'\n(.*?)^END$", text, re.M | re.S)
    (tmp_path / "read.py").write_text(block)
    monkeypatch.setattr(sys, "argv", ["read.py", str(directory / "metrics.jsonl")])
    runpy.run_path(str(tmp_path / "read.py"))
    records = [json.loads(line) for line in (directory / "metrics.jsonl").read_text().splitlines()]
    said = {record["epoch"]: record["rank_correlation"] for record in records if "rank_correlation" in record}
    assert list(said) == [28, 36], "the last trials of the second and the third level"
    assert capsys.readouterr().out == f"2 blocks: {said[28]:.2f}\n3 blocks: {said[36]:.2f}\n"


def test_a_search_does_not_depend_on_how_many_run_at_once(unbroken, tmp_path):
    executor = TableExecutor()
    assert search(tmp_path, executor, parallel=8)[0] == unbroken[0]
    assert executor.most == 8


@pytest.mark.parametrize("last", [7, 21, 25, 36])
def test_a_search_that_is_killed_anywhere_ends_the_same(unbroken, last, tmp_path):
    """Law 6: within a level, at its end, and before the last result. No trial that was finished runs again."""
    with pytest.raises(Killed):
        search(tmp_path, TableExecutor(last))
    executor = TableExecutor()
    assert search(tmp_path, executor)[0] == unbroken[0]
    assert executor.num == 37 - last
    mine, its = ((place / "metrics.jsonl").read_text().splitlines() for place in (tmp_path, unbroken[1]))
    assert len(mine) == len(its)


def test_a_search_of_fewer_trials_is_prolonged(unbroken, tmp_path):
    assert search(tmp_path, TableExecutor(), num_trials=10)[0] == unbroken[0][:10]
    assert search(tmp_path, TableExecutor(), num_trials=24)[0] == unbroken[0][:24]
    assert search(tmp_path, TableExecutor())[0] == unbroken[0]


def test_the_first_level_is_all_cells_of_one_block():
    searcher = ProgressiveSearcher(GrowingSpace(5, tuple("abcdefgh")))
    cells = searcher.propose(tf.constant(1000), tf.constant([1, 2])).numpy()
    assert sorted(map(tuple, cells)) == sorted(map(tuple, all_blocks(2, 8)))
    assert searcher.level_sizes == [136, 256, 256, 256, 256]
    assert searcher.most_proposals == 1160
