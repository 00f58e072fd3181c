"""A study by its launcher: searches as processes, children with two seeds, and the same again from what is there."""

import pytest
from absl import flags

ARGUMENTS = (
    "--workdir=study",
    "--dataset=digits",
    "--evaluator=scratch",
    "--runs=random:scratch",
    "--run_seeds=1",
    "--num_layers=3",
    "--channels=2",
    "--batch_size=64",
    "--trials=2",
    "--trial_epochs=1",
    "--retrain_epochs=1",
    "--children=3",
)


def test_a_study_is_finished_and_again(launch, tmp_path):
    first = launch("study", *ARGUMENTS)
    assert first.code == 0, first.err
    rows = (tmp_path / "study/study.csv").read_text().splitlines()
    assert rows[0].startswith("search,seed,test,percentile,cost,luck")
    assert rows[1].startswith("random:scratch,0,")
    assert len((tmp_path / "study/children.csv").read_text().splitlines()) in (5, 6)
    assert (tmp_path / "study/study.html").read_text().startswith("<!doctype html>")
    ledger = (tmp_path / "study/trials_0.jsonl").read_bytes()
    for flag in list(flags.FLAGS):
        if str(flags.FLAGS.find_module_defining_flag(flag)).startswith("enas_tf"):
            delattr(flags.FLAGS, flag)
    again = launch("study", *ARGUMENTS)
    assert again.code == 0, again.err
    assert (tmp_path / "study/trials_0.jsonl").read_bytes() == ledger
    assert (tmp_path / "study/study.csv").read_text().splitlines() == rows


def test_a_kind_that_is_none_is_refused(launch):
    outcome = launch("study", *ARGUMENTS, "--runs=nobody:shared")
    assert outcome.code == 2
    assert outcome.err.startswith("--runs=nobody:shared is neither a flagfile nor SEARCHER:EVALUATOR")


@pytest.mark.slow
def test_without_searches_it_is_a_ground_truth(launch, tmp_path):
    outcome = launch("study", *ARGUMENTS, "--runs=", "--training_seeds=2", "--retrain_epochs=2", "--short_epochs=1")
    assert outcome.code == 0, outcome.err
    rows = (tmp_path / "study/children.csv").read_text().splitlines()
    assert rows[0] == "arc,origin,parameters,flops,valid_0,valid_1,test_0,test_1,short_1"
    assert len(rows) == 4
    assert "a second training: tau" in outcome.out
    assert "1 epoch from scratch: tau" in outcome.out
    assert "1 epoch each, the best one whole: percentile" in outcome.out


def test_short_trainings_are_shorter(launch):
    outcome = launch("study", *ARGUMENTS, "--short_epochs=1,x")
    assert outcome.code == 2
    assert outcome.err.startswith("--short_epochs=1,x: expected numbers of epochs from 1 to 0, below --retrain_epochs")
