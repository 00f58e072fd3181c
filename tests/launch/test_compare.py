"""The table of several runs: sorted by the test metric, what all agree in once, and wrong input in one paragraph."""

import csv
import json

import pytest

from tests.experiments.written_run import write_run


@pytest.fixture
def runs(tmp_path):
    """Three runs, of which the second was tested best and the third was not tested."""
    for number, accuracy in enumerate((0.25, 0.875, None)):
        path = write_run(tmp_path / f"run_{number}")
        flags = (path / "run.flags").read_text() + f"--seed={number}\n"
        (path / "run.flags").write_text(flags)
        metrics = path / "child/metrics.json"
        if accuracy is None:
            metrics.unlink()
        else:
            metrics.write_text(json.dumps(json.loads(metrics.read_text()) | {"test_accuracy": accuracy}))
    return ["run_0", "run_1", "run_2"]


def test_runs_are_sorted_and_what_they_agree_in_is_said_once(launch, runs):
    outcome = launch("compare", *runs)
    assert (outcome.code, outcome.err) == (0, "")
    common, table = outcome.out.split("\n\n")
    rows = dict(line.strip().split("  ", 1) for line in common.splitlines()[1:])
    assert {name: value.strip() for name, value in rows.items()} == {
        "space": "macro", "data": "mine", "searcher": "reinforce", "evaluator": "shared", "epochs": "3",
        "best reward": "0.625", "tau": "0.3125", "minutes": "2.0",
    }  # fmt: skip
    lines = [line.split() for line in table.splitlines()]
    assert lines == [
        ["run", "child's", "epochs", "seed", "test", "accuracy", "parameters", "FLOPs"],
        ["run_1", "16", "1", "0.875", "48,213", "1,297,373"],
        ["run_0", "16", "0", "0.25", "48,213", "1,297,373"],
        ["run_2", "-", "2", "-", "-", "-"],
    ]
    assert len({len(line) for line in table.splitlines()}) == 1, "columns are aligned"


def test_a_perplexity_is_better_when_it_is_lower(launch, tmp_path):
    for number, perplexity in enumerate((99.0, 7.5, 50.0)):
        path = write_run(tmp_path / str(number), "language_modelling")
        metrics = path / "child/metrics.json"
        metrics.write_text(json.dumps(json.loads(metrics.read_text()) | {"test_perplexity": perplexity}))
    write_run(tmp_path / "trials", "trials")
    outcome = launch("compare", "0", "1", "2", "trials", "--csv=all.csv")
    assert outcome.code == 0, outcome.err
    with (tmp_path / "all.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["run"] for row in rows] == ["trials", "1", "2", "0"], "each task for itself"
    assert [row["test perplexity"] for row in rows] == ["", "7.5", "50.0", "99.0"]
    assert [(row["epochs"], row["trials"]) for row in rows[:2]] == [("", "4"), ("3", "")]


def test_runs_that_are_judged_by_another_metric_are_sorted_by_it(launch, runs, tmp_path):
    for name, value in (("run_0", 0.75), ("run_1", 0.5)):
        for flags in ("run.flags", "child/run.flags"):
            with (tmp_path / name / flags).open("a") as file:
                file.write("--class_weights=balanced\n")
        metrics = tmp_path / name / "child/metrics.json"
        metrics.write_text(json.dumps(json.loads(metrics.read_text()) | {"test_balanced_accuracy": value}))
    outcome = launch("compare", *runs[:2])
    assert outcome.code == 0, outcome.err
    head, *rows = (line.split() for line in outcome.out.split("\n\n")[1].splitlines())
    assert head == ["run", "seed", "test", "accuracy", "test", "balanced", "accuracy"]
    assert rows == [["run_0", "0", "0.25", "0.75"], ["run_1", "1", "0.875", "0.5"]]


def test_one_run_is_told_about(launch, runs):
    outcome = launch("compare", "run_0")
    assert outcome.code == 0, outcome.err
    assert outcome.out.startswith("run_0\n  space ")
    assert "test accuracy   0.25" in outcome.out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], ["nothing to compare", "expected the directories"]),
        (["run_0", "run_7"], ["run_7 is not a directory", "expected the directory of a run"]),
        (["run_0/child/saved_model"], ["holds no run.flags"]),
        (["run_0", "--csv=no/where.csv"], ["--csv=no/where.csv", "is not a directory"]),
        (["run_0", "--csv=run_1"], ["run_1 is a directory"]),
    ],
)
@pytest.mark.usefixtures("runs")
def test_wrong_input(launch, arguments, words):
    outcome = launch("compare", *arguments)
    assert outcome.code == 2
    assert len(outcome.err.splitlines()) == 1
    for word in words:
        assert word in outcome.err


@pytest.mark.parametrize("name", ["run.flags", "environment.json", "metrics.jsonl", "child/metrics.json"])
@pytest.mark.parametrize("content", [b"[7]\n[]\n", b"\xff", b'{"phase": "trial", "data": 7}\n{"phase": 7}\n'])
def test_a_damaged_file_is_named(launch, runs, tmp_path, name, content):
    (tmp_path / "run_0" / name).write_bytes(content)
    outcome = launch("compare", *runs)
    assert "Traceback" not in outcome.err
    if outcome.code:
        assert outcome.code == 2
        assert str(tmp_path / "run_0") in outcome.err


def test_the_help_shows_no_options_of_runs(launch):
    outcome = launch("compare", "--help")
    assert outcome.code == 0
    assert "--csv" in outcome.out
    assert "--epochs" not in outcome.out
