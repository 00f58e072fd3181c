"""The recurrent space in small: one command from search to SavedModel, then all that can be asked of what it leaves."""

import csv
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from enas_tf.data.text import Vocabulary
from enas_tf.data.text_sources import load_pydoc

FLAGS = (
    "--space=recurrent",
    "--dataset=pydoc",
    "--limit_train=3000",
    "--cell_nodes=3",
    "--units=8",
    "--batch_size=8",
    "--epochs=1",
    "--updates_per_epoch=1",
    "--samples_per_update=2",
    "--derive_samples=2",
    "--finalists=0",
    "--retrain_units=8",
    "--retrain_epochs=1",
    "--retrain_batch_size=8",
)


DOCUMENT = Path(__file__).parents[2] / "docs/export.md"


def read_json(path):
    return json.loads(path.read_text())


@pytest.fixture(scope="module")
def workdir(command, tmp_path_factory):
    """A run that the stories read and leave as it is."""
    workdir = tmp_path_factory.mktemp("language") / "run"
    command("search", *FLAGS, f"--workdir={workdir}", "--then=retrain,export")
    return workdir


def test_every_file_is_there(workdir):
    expected = """
        run.flags environment.json metrics.jsonl candidates.csv architecture.json architecture.svg
        tensorboard/search tensorboard/controller tensorboard/retrain checkpoints/search checkpoints/retrain
        child/child.keras child/vocabulary.json child/metrics.json child/saved_model/saved_model.pb
    """
    assert [name for name in expected.split() if not (workdir / name).exists()] == []
    records = [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]
    assert [record["phase"] for record in records] == ["search", "controller", "derive", "retrain", "test"]
    assert (workdir / "candidates.csv").read_text().startswith("rank,arc,valid_perplexity,parameters,flops\n")
    assert read_json(workdir / "environment.json")["data"]["num_tokens"]["training"] == 3000


def test_the_metrics_of_the_child_are_those_of_its_files(workdir):
    """Its perplexity can be measured again from the SavedModel and the vocabulary alone."""
    metrics, saved = read_json(workdir / "child/metrics.json"), read_json(workdir / "child/vocabulary.json")
    ids = Vocabulary(tuple(saved["entries"]), saved["tokens"]).encode(load_pydoc("", None, "word").test)
    score = tf.saved_model.load(str(workdir / "child/saved_model")).signatures["serving_default"]
    loss = -score(tf.constant(ids[None]))["log_probs"].numpy().astype(np.float64).mean()
    assert metrics["test_loss"] == pytest.approx(loss, rel=1e-5)
    assert metrics["test_perplexity"] == pytest.approx(np.exp(loss), rel=1e-4)
    assert metrics["test_perplexity"] < len(saved["entries"])
    assert metrics["parameters"] == 8 * 2 * 8 * (2 + 2) + 8 * len(saved["entries"])
    assert metrics["flops"] > 0
    assert 0 <= metrics["export_max_difference"] < 1e-4
    assert metrics["arc"] == read_json(workdir / "architecture.json")["arc"]


def test_the_child_goes_on_from_a_prompt(workdir, command):
    arguments = (f"--workdir={workdir}", "--sample=20", "--prompt=the value")
    text = command("evaluate", *arguments)
    assert re.match(r"the value \S", text), "it goes on in the line of the prompt"
    words = text.replace("\n", " <eos> ").split()[:-1]
    assert set(words) <= set(read_json(workdir / "child/vocabulary.json")["entries"]) - {"<unk>"}
    assert len(words) == 22


def test_words_of_a_prompt_that_the_text_lacks_are_named(workdir, launch):
    outcome = launch("evaluate", f"--workdir={workdir}", "--sample=2", "--prompt=the zyzzyva value zyzzyva")
    assert outcome.out.startswith("the <unk> value <unk> ")
    (line,) = outcome.err.splitlines()
    assert line.startswith("warning: the model reads 'zyzzyva' of the prompt as <unk>")


def test_a_damaged_vocabulary(workdir, launch, tmp_path):
    shutil.copytree(workdir, tmp_path / "run")
    (tmp_path / "run/child/vocabulary.json").write_text('{"entries": [')
    outcome = launch("evaluate", "--workdir=run")
    assert outcome.code == 2
    assert outcome.err.startswith(f"{tmp_path / 'run/child/vocabulary.json'} is not JSON")
    assert "--overwrite" in outcome.err


@pytest.mark.slow
def test_the_document_s_way_to_litert(workdir, command, tmp_path):
    """The child on a device says the most probable words, as the SavedModel does."""
    _, section = DOCUMENT.read_text().split("### On a device: LiteRT\n")
    block = re.findall(r"^```python\n(.*?)^```$", section, re.M | re.S)[0]
    shutil.copytree(workdir, tmp_path / "runs/prose")
    command("export", f"--workdir={tmp_path / 'runs/prose'}", "--export=litert")
    done = subprocess.run([sys.executable, "-c", block], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    entries = read_json(workdir / "child/vocabulary.json")["entries"]
    step = tf.saved_model.load(str(workdir / "child/saved_model")).signatures["step"]
    state, last, words = tf.zeros([1, 8]), entries.index("<eos>"), []
    for _ in range(10):
        found = step(ids=tf.constant([last]), state=state)
        state, last = found["state"], int(np.argmax(found["log_probs"][0]))
        words.append(entries[last])
    assert done.stdout.split() == words


@pytest.mark.parametrize("flags", [(), ("--sample_temperature=0.5",)])
def test_a_text_without_a_prompt_begins_a_line(workdir, launch, flags):
    outcome = launch("evaluate", f"--workdir={workdir}", "--sample=3", *flags)
    assert len(outcome.out.replace("\n", " <eos> ").split()) == 3 + 1


def test_evaluate_measures_what_retraining_measured(workdir, launch):
    measured = json.loads(launch("evaluate", f"--workdir={workdir}").out)
    metrics = read_json(workdir / "child/metrics.json")
    for name in ("test_loss", "test_perplexity"):
        assert measured[name] == pytest.approx(metrics[name], rel=1e-5)


def test_shared_weights_judge_as_derive_did(workdir, launch):
    measured = json.loads(launch("evaluate", f"--workdir={workdir}", "--weights=shared").out)
    derived = read_json(workdir / "architecture.json")["valid_perplexity"]
    assert measured == {"shared_weights_valid_perplexity": pytest.approx(derived, rel=1e-5)}


def test_describe_for_programs(workdir, launch):
    described = json.loads(launch("describe", f"--workdir={workdir}", "--json").out)
    metrics = read_json(workdir / "child/metrics.json")
    assert {name: described[name] for name in ("arc", "parameters", "flops")} == {
        name: metrics[name] for name in ("arc", "parameters", "flops")
    }
    assert described["space_size"] == 4**3 * 2


def write_texts(directory):
    """A text of other words than pydoc's, but with a vocabulary of the same size, for the run's flags."""
    directory.mkdir()
    lines = " ".join(f"word{number}" for number in range(503)) + "\n"
    for part in ("train", "valid", "test"):
        (directory / f"{part}.txt").write_text(lines)


def test_a_child_is_not_measured_on_a_text_of_another_vocabulary(workdir, launch, tmp_path):
    write_texts(tmp_path / "texts")
    outcome = launch("evaluate", f"--workdir={workdir}", "--dataset=text:texts", "--limit_train=504")
    assert outcome.code == 2
    for word in ("vocabulary.json", "--dataset=text:texts", "leave out the options of data"):
        assert word in outcome.err


def test_its_architecture_is_trained_on_another_text(workdir, launch, tmp_path):
    write_texts(tmp_path / "texts")
    size = ("--units=4", "--epochs=1", "--batch_size=2")
    found = ("--dataset=text:texts", f"--architecture={workdir / 'architecture.json'}", "--workdir=other")
    outcome = launch("retrain", *found, *size, "--then=export")
    assert outcome.code == 0, outcome.err
    metrics = read_json(tmp_path / "other/child/metrics.json")
    assert metrics["arc"] == read_json(workdir / "architecture.json")["arc"]
    assert metrics["trained_on"] == "504 tokens"
    assert "word7" in read_json(tmp_path / "other/child/vocabulary.json")["entries"]
    lines = (tmp_path / "other/run.flags").read_text().splitlines()
    assert {"--space=recurrent", f"--dataset=text:{tmp_path / 'texts'}", "--retrain_units=4"} <= set(lines)


def test_cells_that_are_trained_from_scratch(command, tmp_path):
    """Trials of text go through the supernet, the best third of them on; the lowest perplexity wins."""
    workdir = tmp_path / "run"
    command(
        "search",
        *("--space=recurrent", "--dataset=pydoc", "--limit_train=3000", "--cell_nodes=2", "--units=8"),
        *("--searcher=random", "--evaluator=scratch", "--trials=3", "--trial_epochs=3", "--halving=3"),
        *("--batch_size=8", "--learning_rate=5", "--reward_scale=80", "--reward_power=2"),
        *("--retrain_units=8", "--retrain_epochs=1", "--retrain_batch_size=8"),
        f"--workdir={workdir}",
        "--then=retrain",
    )
    lines = [json.loads(line) for line in (workdir / "trials.jsonl").read_text().splitlines()]
    budgets = {line["id"]: line["budgets"] for line in lines if line.get("status") == "waiting"}
    done = [line for line in lines if line.get("status") == "done"]
    assert sorted(budgets.values()) == [[1], [1], [1], [1, 3]]
    short = [line["value"] for line in done if budgets[line["id"]] == [1]]
    (long,) = (line["value"] for line in done if budgets[line["id"]] == [1, 3])
    assert long < min(short), "it goes on from where it was"
    records = [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]
    for record in (record for record in records if record["phase"] == "trial" and record["epochs"] == 1):
        assert record["reward"] == pytest.approx((80 / record["valid_perplexity"]) ** 2, rel=1e-5)
    rows = list(csv.DictReader((workdir / "candidates.csv").open()))
    assert [row["epochs"] for row in rows] == ["3", "1", "1"]
    others = [float(row["valid_perplexity"]) for row in rows[1:]]
    assert others == sorted(others)
    metrics = read_json(workdir / "child/metrics.json")
    assert metrics["arc"] == rows[0]["arc"]
    (retrained,) = (record for record in records if record["phase"] == "retrain")
    assert metrics["valid_perplexity"] == pytest.approx(retrained["valid_perplexity"], rel=1e-5)
