"""The page about a run, as the commands leave it: when it is written, where it is, and that nothing fails by it."""

import contextlib
import io

import pytest

from enas_tf.experiments.report import to_report
from enas_tf.experiments.report_child import to_program
from enas_tf.experiments.run_record import RunRecord
from enas_tf.tasks.classification import Classification

COMMANDS = [["search", "--flagfile=run/run.flags"], ["derive"], ["retrain"], ["export"]]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_a_command_writes_it_and_says_where(run_directory, launch, monkeypatch, command):
    monkeypatch.setattr("enas_tf.experiments.report.to_report", lambda path: f"about {path}")
    monkeypatch.setattr("enas_tf.experiments.search_stage.SearchStage.derive", lambda self, num_epochs: None)
    monkeypatch.setattr(Classification, "export", lambda self, child, directory, data: 0.0)
    (run_directory / "report.html").unlink(missing_ok=True)
    metrics = run_directory / "child/metrics.json"
    metrics.write_text(metrics.read_text().replace('"export_max_difference": 0.0', '"export_max_difference": null'))
    outcome = launch(command[0], "--workdir=run", *command[1:])
    assert outcome.code == 0, outcome.err
    assert outcome.out.splitlines().count("report: run/report.html") == 1
    assert (run_directory / "report.html").read_text() == "about run"


def test_a_page_that_cannot_be_made_fails_no_run(run_directory, launch, monkeypatch):
    def fail(path):
        raise ZeroDivisionError("of a drawing")

    monkeypatch.setattr("enas_tf.experiments.report.to_report", fail)
    (run_directory / "report.html").unlink(missing_ok=True)
    outcome = launch("retrain", "--workdir=run")
    assert outcome.code == 0, outcome.err
    assert "report: run/report.html could not be written (ZeroDivisionError: of a drawing)" in outcome.out
    assert "report: run/report.html" not in outcome.out.splitlines()


def test_overwrite_removes_it_with_what_it_is_about(run_directory, launch, monkeypatch):
    (run_directory / "report.html").write_text("of the child before")
    monkeypatch.setattr("enas_tf.experiments.retrain_stage.RetrainStage.retrain", lambda self: {})
    monkeypatch.setattr("enas_tf.experiments.starting.write_report", lambda run: None)
    assert launch("retrain", "--workdir=run", "--overwrite").code == 0
    assert not (run_directory / "report.html").exists()


def test_the_page_of_a_real_run_is_whole(run_directory):
    text = to_report(run_directory)
    assert "left out" not in text
    for heading in ("The result", "What was done", "Candidates", "The training of the child", "The test"):
        assert f"{heading}</h2>" in text
    assert 'class="matrix"' in text


def test_the_program_of_the_page_runs_as_it_stands(run_directory, monkeypatch):
    monkeypatch.chdir(run_directory)
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(compile(to_program(RunRecord(run_directory)), "report", "exec"), {})
    assert printed.getvalue().strip() in (run_directory / "child/labels.txt").read_text().split()
