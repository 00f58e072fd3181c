"""A study on numbers whose answers are known: percentiles, costs, luck at equal cost, files that are read back."""

import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest

from enas_tf.errors import InputError
from enas_tf.experiments import study_report
from enas_tf.experiments.config import from_flagfile, read_options, to_flagfile
from enas_tf.experiments.run import Run
from enas_tf.experiments.study import Child, Search, Study, read_truth, search_cost
from enas_tf.experiments.study_report import Summary, children_csv, to_html
from enas_tf.search.ledger import Ledger
from enas_tf.search.trials import Measurement, Trial

OPTIONS = {
    "dataset": "digits",
    "num_layers": 3,
    "channels": 4,
    "epochs": 2,
    "batch_size": 32,
    "updates_per_epoch": 3,
    "samples_per_update": 5,
    "derive_samples": 10,
    "derive_kept": 4,
    "retrain_epochs": 7,
}


@pytest.fixture
def run(tmp_path):
    return Run(read_options(OPTIONS), tmp_path / "study")


def child(number, test, score=None, valid=None):
    tokens = (number % 4, number // 4 % 4, 0, number // 16 % 4, 0, 0)
    scores = {} if score is None else {"random:shared, seed 0": score}
    valid = test if valid is None else valid
    return Child(tokens, f"arc {number}", 100 - number, number, (valid, valid), (test, test), scores)


def summary(found=0.95, is_higher_better=True):
    """Ten random children of 0.0 .. 0.9, and one that was found at the cost of three of them."""
    random = [child(number, number / 10, score=number) for number in range(10)]
    best = child(40, found)
    searches = [Search("random:shared", 0, Path("runs/0"), best.tokens, 3.2)]
    return Summary(searches, [*random, best], len(random), is_higher_better, 7)


def test_a_found_architecture_has_its_place_among_random_ones():
    (row,) = summary().kinds()
    assert row["percentile"] == 100
    assert row["test"] == pytest.approx(0.95)
    # The expected best of three of 0 .. 9 without repetition is 33 / 4 - 1.
    assert row["luck"] == pytest.approx((33 / 4 - 1) / 10, abs=0.02)
    (row,) = summary(found=-1.0).kinds()
    assert row["percentile"] == 0
    (row,) = summary(found=-1.0, is_higher_better=False).kinds()
    assert row["percentile"] == 100
    assert row["luck"] == pytest.approx(1 - (33 / 4 - 1) / 10 - 0.1, abs=0.02)


def test_scores_are_compared_with_the_truth():
    rows = {row["score"]: row for row in summary().baselines()}
    assert rows["shared weights of random:shared, seed 0"]["tau"] == pytest.approx(1)
    assert rows["parameters"]["tau"] == pytest.approx(-1)
    assert rows["a second training"]["tau"] == pytest.approx(1)
    assert rows["flops"]["top_tenth"] == 1
    # The best of five of 0 .. 9 without repetition is 11 * 5 / 6 - 1 on average, of ten places.
    assert rows["flops"]["best_of_half"] == pytest.approx(10 * (11 * 5 / 6 - 1) + 5, abs=1)
    assert rows["parameters"]["best_of_half"] == pytest.approx(100 - 10 * (11 * 5 / 6 - 1) - 5, abs=1)


def test_luck_chooses_by_validation():
    """Where that says nothing of the test, the best of three is worth no more than one."""
    values = np.arange(10) / 10
    random = [child(number, value, valid=(number * 7) % 10) for number, value in enumerate(values)]
    best = child(40, 0.5)
    found = Summary([Search("a", 0, Path("x"), best.tokens, 10.0)], [*random, best], 10, True, 7)
    assert found.by_luck(10, seed=0).mean() == pytest.approx(values[[(n * 7) % 10 for n in range(10)].index(9)])


def test_the_cost_of_shared_weights(run):
    train, valid = len(run.data.train), len(run.data.valid)
    config = read_options(OPTIONS | {"finalists": 0})
    judged = 2 * 3 * 5 * 32 + 10 * 2 * 32 + 4 * valid
    empty = Ledger(run.workdir.path / "trials.jsonl", {})
    assert search_cost(config, run, empty) == pytest.approx(2 * train + judged / 3)


def test_the_cost_of_trials_counts_no_epoch_twice(run, tmp_path):
    ledger = Ledger(tmp_path / "trials.jsonl", {})
    for budgets, outcome in (((1,), 0.5), ((1, 3), 0.6), ((1,), None)):
        entry = ledger.add(Trial((0,) * 6, budgets), "arc", {"parameters": 0, "flops": 0})
        if outcome:
            ledger.finish(entry, Measurement(outcome, 1.0, (outcome,), 1.0, "CPU"))
    config = read_options({"evaluator": "scratch", "dataset": "digits", "num_layers": 3})
    assert search_cost(config, run, ledger) == 3 * len(run.data.train)
    assert Study(run, 5, 1).units_of_training == 7 * len(run.data.train)


def test_a_truth_is_read_back(run, tmp_path):
    children = []
    for tokens in Study(run, 6, 1).random:
        arc = run.space.decode(tokens).to_arc()
        children.append(Child(tokens, arc, 7, 8, (0.25, 0.5), (0.125, 0.75)))
    children = [dataclasses.replace(c, short={1: 0.5, 3: 0.25}) for c in children[:4]] + children[4:]
    path = tmp_path / "children.csv"
    path.write_text(children_csv(children, 4))
    found, num_random = read_truth(path, run)
    assert found[:4] == children[:4]
    assert num_random == 4
    assert [c.test for c in found[4:]] == [c.test for c in children[4:]]
    assert all(map(math.isnan, found[4].short.values()))
    for text in ("", "arc,test_0\nnonsense,1\n"):
        path.write_text(text)
        with pytest.raises(InputError):
            read_truth(path, run)
    with pytest.raises(InputError, match="cannot be read"):
        read_truth(tmp_path / "nothing.csv", run)


def test_the_page_is_one_file_without_network():
    page = to_html(summary(), "macro on <digits>", "accuracy", "10 children")
    assert "macro on &lt;digits&gt;" in page
    assert page.count("<svg") == page.count("</svg>") == 2
    assert "http" not in page
    assert "NaN" not in page
    assert "nan" not in page.partition("<svg")[0]


def test_a_design_that_no_budget_pays_has_no_curve():
    """Half of the cost for whole trainings leaves more short ones than there are children."""
    few = [dataclasses.replace(child, short={1: 0.5}) for child in summary().random[:3]]
    figure = study_report._curve(Summary([], few, 3, True, 8), "accuracy")
    names = [line.get_label() for line in figure.axes[0].get_lines()]
    assert len(names) == len(set(names)) == 2
    assert "random children, 1 epoch each, the best one whole" in names


def test_a_flagfile_is_read_back():
    options = read_options(OPTIONS | {"ops": ["conv_3x3", "avg_pool_3x3"], "deterministic": True, "l2": 1e-7})
    assert from_flagfile(to_flagfile(options)) == options
    assert math.isclose(from_flagfile(to_flagfile(options)).option_values()["l2"], 1e-7)
