"""The benchmark of searchers: tables are read, and regret and percentile are what they are called."""

import csv
import itertools

import numpy as np
import pytest
import tensorflow as tf

from benchmarks.searchers import curve, in_words, parse, plot, run_searcher, summarize
from benchmarks.tables import (
    NAS_BENCH_201_OPS,
    Table,
    TableEvaluator,
    TableSpace,
    build_table,
    read_nas_bench_201,
    read_nas_bench_macro,
)
from enas_tf.errors import InputError
from enas_tf.search.searchers.searcher import SEARCHERS

SPACE = TableSpace(("left", "right"), ("a", "b", "c"))
TABLE = Table(SPACE, np.array([5.0, 1, 2, 9, 4, 3, 6, 7, 8]), np.array([50.0, 10, 20, 80, 40, 30, 60, 70, 90]))


def test_regret_is_that_of_the_best_reward_so_far():
    """The best reward, 9, is of the second-best truth; the best truth has the reward 8."""
    regret, percentile = curve(TABLE, np.array([1, 0, 8, 3, 2]), look_ups=(1, 2, 3, 5))
    np.testing.assert_allclose(regret, [80, 40, 0, 10])
    np.testing.assert_allclose(percentile, [0, 400 / 9, 800 / 9, 700 / 9])


def test_summaries_are_means_and_standard_errors():
    curves = np.array([[[1.0], [90.0]], [[2.0], [94.0]], [[3.0], [98.0]]])
    found = summarize(curves, (50,))["50"]
    assert found["regret"] == pytest.approx(2.0)
    assert found["regret_se"] == pytest.approx(1 / np.sqrt(3))
    assert found["percentile"] == pytest.approx(94.0)
    assert "2.000 +- 0.577" in in_words("table", {"one": summarize(curves, (50,))})


def test_rewards_are_looked_up():
    rewards = TableEvaluator(TABLE).evaluate(tf.constant([[0, 0], [1, 0], [2, 2]]))
    np.testing.assert_array_equal(rewards, [5, 9, 8])
    assert TableEvaluator(TABLE).score(np.array([2, 1])) == 7


@pytest.mark.parametrize("name", [name for name in SEARCHERS if not SEARCHERS[name].proposes_levels])
def test_every_searcher_runs_on_a_table(name):
    places = run_searcher(TABLE, name, {}, 25, seed=0)
    assert places.shape == (25,)
    assert 0 <= places.min() <= places.max() < 9
    np.testing.assert_array_equal(run_searcher(TABLE, name, {}, 25, seed=0), places)


def test_texts_name_searchers_and_options():
    found = parse(["random", "reinforce:ppo_passes=5;entropy_weight=0.1;reward_baseline=update"])
    assert found["random"] == ("random", {})
    options = {"ppo_passes": 5, "entropy_weight": 0.1, "reward_baseline": "update"}
    assert list(found.values())[1] == ("reinforce", options)


def test_a_picture_has_a_panel_for_each_table(tmp_path):
    numbers = {"one": summarize(np.ones((2, 2, 2)), (50, 100))}
    plot({"first": numbers, "second": numbers}, str(tmp_path / "regret.svg"))
    assert "</svg>" in (tmp_path / "regret.svg").read_text()


def write(path, header, rows):
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])


def test_nas_bench_201_is_read(tmp_path):
    rows = []
    for number, ops in enumerate(itertools.product(NAS_BENCH_201_OPS, repeat=6)):
        a, b, c, d, e, f = ops
        rows.append([f"|{a}~0|+|{b}~0|{c}~1|+|{d}~0|{e}~1|{f}~2|", number / 1000, number / 2000])
    write(tmp_path / "nas_bench_201_12epochs.csv", ["cell", "cifar10_test", "cifar10_valid"], rows[::-1])
    table = read_nas_bench_201(tmp_path)
    assert table.space.size == 15625
    np.testing.assert_allclose(table.truths, np.arange(15625) / 1000)
    np.testing.assert_allclose(table.rewards, np.arange(15625) / 2000)


def test_nas_bench_macro_is_read(tmp_path):
    digits = ["".join(row) for row in itertools.product("012", repeat=8)]
    rows = [[text, number, number + 1, number + 3] for number, text in enumerate(digits)]
    write(tmp_path / "nas_bench_macro.csv", ["arch", *(f"test_accuracy_{n}" for n in (1, 2, 3))], rows)
    table = read_nas_bench_macro(tmp_path)
    np.testing.assert_allclose(table.rewards, np.arange(6561))
    np.testing.assert_allclose(table.truths, np.arange(6561) + 2)


def test_a_table_that_is_not_there_or_not_whole_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"nas_bench_macro\.csv is not there"):
        read_nas_bench_macro(tmp_path)
    with pytest.raises(InputError, match="1 rows: expected one for each of 9"):
        build_table(SPACE, [([0, 0], 1.0, 2.0)], "small")
