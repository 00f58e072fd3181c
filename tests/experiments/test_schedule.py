"""The length of a stage in words; and schedules of the learning rate that do not end with the stage."""

import re
from pathlib import Path

import keras
import numpy as np
import pytest

from enas_tf.errors import render
from enas_tf.experiments.config import read_options
from enas_tf.experiments.run import size_in_words
from enas_tf.experiments.schedule import epochs_in_words, last_rate, times_in_words, unended_schedule
from enas_tf.search.config import SearchConfig
from enas_tf.search.estimate import Estimate
from enas_tf.training.optimizers import SgdConfig, build_optimizer

PRESETS = sorted((Path(__file__).parents[2] / "flags").glob("*.flags"))


@pytest.mark.parametrize(
    ("num_steps", "updates", "proposals", "words"),
    [
        (35, 8, 8, "60 of 35 steps and 8 updates of 8 proposals"),
        (1, 1, 1, "60 of 1 step and 1 update of 1 proposal"),
        (0, 8, 8, "60 of 8 updates of 8 proposals"),
        (35, 0, 8, "60 of 35 steps"),
        (0, 0, 8, "60 in which nothing is trained"),
    ],
)
def test_epochs_in_words(num_steps, updates, proposals, words):
    """An evaluator that trains nothing has no steps."""
    config = SearchConfig(epochs=60, updates_per_epoch=updates, samples_per_update=proposals)
    assert epochs_in_words(config, num_steps) == words


@pytest.mark.parametrize(
    ("size", "words"), [(1, "1 architecture"), (4096, "4,096 architectures"), (16**24, "7.92e+28 architectures")]
)
def test_the_size_of_a_space_in_words(size, words):
    assert size_in_words(size) == words


@pytest.mark.parametrize("num_steps", [0, 10])
def test_times_in_words(num_steps):
    config = SearchConfig(epochs=3, updates_per_epoch=2, samples_per_update=5)
    rows = times_in_words(Estimate(1.5, 0.1, 0.02, 0.4), num_steps, config)
    assert rows["a reward"] == "0.020 s"
    if num_steps:
        assert (rows["first step"], rows["a step"]) == ("1.5 s", "0.100 s")
        assert rows["an epoch"] == "2.0 s: 1.0 s of steps, the rest updates"
        assert rows["the search"] == "6.0 s, without derive"
    else:
        assert list(rows) == ["a reward", "an epoch", "the search"]
        assert rows["an epoch"] == "1.0 s"


@pytest.mark.parametrize("factor", [1, 2, 3])
@pytest.mark.parametrize("num_epochs", [1, 3, 4, 5, 12, 13, 30])
def test_the_last_rate_is_the_one_of_the_optimizer(num_epochs, factor):
    config, steps = SgdConfig(learning_rate=0.5, restart_epochs=4, restart_factor=factor), 1000
    optimizer = build_optimizer(config, steps, [keras.Variable(0.0)])
    optimizer.iterations.assign(num_epochs * steps - 1)
    np.testing.assert_allclose(last_rate(config, num_epochs), float(optimizer.learning_rate), atol=5e-4)


def test_a_rate_without_a_schedule_stays():
    assert last_rate(SgdConfig(learning_rate=2.0, restart_epochs=0), 7) == 2.0


@pytest.mark.parametrize(
    ("given", "stage", "words"),
    [
        (
            {"epochs": 3, "restart_epochs": 60},
            "search",
            "warning: it ends at 0.0497 instead of 0.0005, since no cosine cycle, the first of restart_epochs=60, ends "
            "with epochs=3; restart_epochs=3 lets one end there",
        ),
        (
            {"retrain_epochs": 3, "retrain_restart_epochs": 60},
            "retrain",
            "warning: it ends at 0.0497 instead of 0.001, since no cosine cycle, the first of "
            "retrain_restart_epochs=60, ends with retrain_epochs=3; retrain_restart_epochs=3 lets one end there",
        ),
        ({"epochs": 40}, "search", "warning: it ends at 0.0428 instead of 0.0005, since no cosine cycle, the first of "
         "restart_epochs=10, ends with epochs=40; restart_epochs=40 lets one end there"),
    ],
)  # fmt: skip
def test_a_schedule_that_does_not_end(given, stage, words):
    (found,) = unended_schedule(read_options(given), stage).values()
    assert render(found) == words
    for name, value in re.findall(r"(\w+)=(\d+) lets", words):
        assert unended_schedule(read_options(given | {name: int(value)}), stage) == {}


@pytest.mark.parametrize(
    ("given", "stage"),
    [
        ({"epochs": 30}, "search"),
        ({"epochs": 29}, "search"),
        ({"epochs": 3, "restart_epochs": 0}, "search"),
        ({"space": "recurrent", "epochs": 3}, "search"),
        ({"space": "recurrent", "retrain_epochs": 3}, "retrain"),
        ({}, "search"),
        ({}, "retrain"),
    ],
)
def test_schedules_that_end_or_stay(given, stage):
    assert unended_schedule(read_options(given), stage) == {}


@pytest.mark.parametrize("path", PRESETS, ids=lambda path: path.stem)
def test_no_preset_is_warned_of(path):
    lines = (line.strip() for line in path.read_text().splitlines() if line.startswith("--"))
    given = dict(line.removeprefix("--").split("=", 1) for line in lines if "=" in line)
    numbers = {name: int(value) for name, value in given.items() if value.isdigit() and name.endswith("epochs")}
    names = ("learning_rate", "retrain_learning_rate")
    rates = {name: float(given[name]) for name in (*names, "retrain_decay_epochs") if name in given}
    chosen = {name: given[name] for name in ("space", "searcher", "evaluator") if name in given}
    options = read_options(chosen | numbers | rates)
    stages = ["search"] * ("final" not in path.stem) + ["retrain"]
    for stage in stages:
        assert unended_schedule(options, stage) == {}, stage
