"""Limits and objectives of whole searches: nothing beyond a limit is trained or kept, and the Pareto set is marked."""

import csv
import json

import pytest

from enas_tf.errors import InputError
from enas_tf.experiments.config import read_options
from enas_tf.experiments.run import Run, derived_architecture
from enas_tf.experiments.starting import build_stage, retrain, search_and_derive

SMALL = {
    "num_layers": 3,
    "channels": 4,
    "retrain_channels": 4,
    "limit_train": 64,
    "batch_size": 32,
    "retrain_epochs": 1,
    "retrain_batch_size": 32,
}
SHARED = SMALL | {"epochs": 1, "updates_per_epoch": 1, "samples_per_update": 4, "derive_samples": 20, "finalists": 0}
TRIALS = SMALL | {"evaluator": "scratch", "searcher": "random", "trials": 4, "trial_epochs": 1}
MOST = 2_500


def search(workdir, options):
    with Run(read_options(options), workdir, is_quiet=True) as run:
        search_and_derive(run, is_overwriting=False, is_retraining=False)


def candidates(workdir):
    with (workdir / "candidates.csv").open() as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("options", [SHARED, pytest.param(TRIALS, marks=pytest.mark.slow)], ids=["shared", "trials"])
def test_a_search_keeps_its_limits_and_marks_the_pareto_set(tmp_path, options):
    given = options | {"max_parameters": MOST, "objective": ("accuracy:max", "flops:min")}
    search(tmp_path, given)
    rows = candidates(tmp_path)
    assert all(float(row["child_parameters"]) <= MOST for row in rows)
    if options is TRIALS:
        lines = [json.loads(line) for line in (tmp_path / "trials.jsonl").read_text().splitlines()]
        parameters = [line["parameters"] for line in lines if "parameters" in line]
        assert len(parameters) == 4
        assert max(parameters) <= MOST, "child and searched network have one size here"
    marked = [row for row in rows if row["pareto"] == "yes"]
    assert marked
    assert len({row["child_flops"] for row in marked}) == len(marked), "of equal FLOPs one is better"
    # Another size of the child would be another limit.
    with pytest.raises(InputError, match=r"retrain_channels was 4, is 8"):
        search(tmp_path, given | {"retrain_channels": 8})


def test_latencies_are_measured_once_and_kept(tmp_path):
    given = TRIALS | {"max_latency_ms": 1000.0, "trials": 1}
    search(tmp_path, given)
    record = (tmp_path / "latency.json").read_bytes()
    assert json.loads(record)["scale"] > 0
    assert 0 < float(candidates(tmp_path)[0]["child_latency_ms"]) < 1000
    search(tmp_path, given)
    assert (tmp_path / "latency.json").read_bytes() == record, "a run that resumes has the numbers that it began with"
    with Run(read_options(given), tmp_path, is_quiet=True) as run:
        assert retrain(run, derived_architecture(run.workdir), is_overwriting=False)["latency_ms"] > 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"max_parameters": 10}, r"max_parameters=10.*smallest children.*parameters. Raise the limit"),
        ({"objective": ("perplexity:min", "flops:min")}, r"objective=perplexity:min,flops:min.*accuracy:max first"),
        ({"space": "recurrent", "dataset": "pydoc", "max_latency_ms": 5.0}, r"latency.*images.*FLOPs instead"),
    ],
)
def test_limits_that_cannot_be_are_refused(tmp_path, options, words):
    given = options if "space" in options else TRIALS | options
    with Run(read_options(given), tmp_path / "run", is_quiet=True) as run, pytest.raises(InputError, match=words):
        build_stage(run)
    assert not (tmp_path / "run").exists()
