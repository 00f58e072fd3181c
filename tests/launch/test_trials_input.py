"""Wrong input of a search by trials: refused with the cure, before anything is written."""

import importlib.util
import json
import os
import shutil
import types

import pytest

from enas_tf.errors import InputError
from enas_tf.experiments.config import read_options
from enas_tf.experiments.recipes import check_executor
from enas_tf.search.ledger import Ledger
from enas_tf.search.trials import Trial

SMALL = ["--workdir=run", "--dataset=digits", "--num_layers=3", "--channels=4", "--limit_train=64", "--batch_size=32"]
SCRATCH = [*SMALL, "--evaluator=scratch", "--searcher=random", "--trials=2", "--trial_epochs=2"]
NUM_CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


@pytest.fixture
def no_ray(monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *args: None if name == "ray" else find(name, *args))


@pytest.mark.usefixtures("no_ray")
@pytest.mark.parametrize("base", [SCRATCH, SMALL], ids=["trials", "finalists"])
def test_ray_that_is_not_installed(refuse, base):
    refuse(
        "search", [*base, "--executor=ray"], ["--executor=ray", "pip install 'enas_tf[ray]'", "--executor=processes"]
    )


@pytest.mark.usefixtures("no_ray")
def test_a_search_without_trials_needs_no_ray():
    run = types.SimpleNamespace(config=read_options({"executor": "ray", "finalists": 0}))
    check_executor(run)
    run.config = read_options({"executor": "ray", "finalists": 1})
    with pytest.raises(InputError, match="which is not installed"):
        check_executor(run)


@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed")
def test_an_address_that_does_not_answer(refuse, unused_ports):
    address = f"127.0.0.1:{unused_ports[0]}"
    flags = [*SCRATCH, "--executor=ray", f"--ray_address={address}"]
    refuse("search", flags, [f"--ray_address={address} does not answer", "ray start --head"])


def test_more_at_once_than_cores(refuse):
    flags = [*SCRATCH, "--executor=processes", f"--parallel={NUM_CORES + 1}"]
    refuse("search", flags, [f"--parallel={NUM_CORES + 1}", f"at most {NUM_CORES}"])


def test_images_that_no_child_can_read(refuse):
    flags = ["--workdir=run", "--dataset=digits", "--space=micro", "--evaluator=scratch", "--searcher=random"]
    refuse("search", [*flags, "--image_size=2"], ["images of 2x2 pixels do not fit", "--image_size=4"])


def test_halving_with_a_searcher_that_compares(refuse):
    flags = [*SCRATCH, "--searcher=reinforce", "--halving=3"]
    refuse("search", flags, ["--halving=3 is not for --searcher=reinforce", "--halving=0"])


@pytest.mark.parametrize(
    ("flag", "words"),
    [
        ("--reward=nonsense", "expected last, or best_of_last:5"),
        ("--reward=best_of_last:3", "at most --trial_epochs=2"),
        ("--reward_power=0", "above 0"),
        ("--halving=1", "0, or 2 or more"),
        ("--trial_epochs=0", "at least 1"),
        ("--trials=0", "at least 1"),
        ("--parallel=0", "at least 1"),
        ("--max_failures=0", "at least 1"),
        ("--ray_address=head:1", "belongs to the ray executor"),
        ("--finalists=3", "belongs to the shared evaluator"),
        ("--derive_samples=3", "is for searches by epochs"),
        ("--epochs=3", "--trials and --trial_epochs say how long"),
    ],
)
def test_values(refuse, flag, words):
    refuse("search", [*SCRATCH, flag], [flag, words])


def test_options_of_trials_are_refused_by_shared_weights(refuse):
    refuse("search", [*SMALL, "--trials=3"], ["--trials=3 belongs to the scratch evaluator", "--evaluator=shared"])


@pytest.fixture(scope="session")
def _searched(tmp_path_factory):
    """A finished search by trials, by the Python face of the stages."""
    from enas_tf.experiments.run import Run
    from enas_tf.experiments.starting import start_search

    given = dict(flag.removeprefix("--").split("=") for flag in SCRATCH[1:])
    workdir = tmp_path_factory.mktemp("scratch") / "run"
    with Run(read_options({k: int(v) if v.isdigit() else v for k, v in given.items()}), workdir) as run:
        stage = start_search(run, is_overwriting=False, is_retraining=False)
        stage.search()
        stage.derive(stage.num_epochs)
    return workdir


@pytest.fixture
def searched(_searched, tmp_path):
    return shutil.copytree(_searched, tmp_path / "run")


def test_shared_weights_of_a_search_by_trials(searched, refuse):
    refuse("evaluate", ["--workdir=run", "--weights=shared"], ["share no weights", "candidates.csv"])


@pytest.mark.parametrize(("flags", "words"), [
    (["--top=9"], "no candidate of rank"),
    (["--top=0"], "--top=0 is not valid: expected at least 1"),
    (["--top=2", "--architecture=enas_macro"], "leave out --architecture"),
])  # fmt: skip
def test_candidates_that_are_not_there(searched, refuse, flags, words):
    refuse("retrain", ["--workdir=run", *flags], [words])


def test_candidates_of_no_search(refuse, tmp_path):
    (tmp_path / "run").mkdir()
    refuse("retrain", [*SMALL[:1], "--top=1"], ["holds no candidates.csv", "enas_tf.launch.search"])


@pytest.mark.parametrize(("damage", "words"), [
    (lambda text: text.replace('"done"', '"dome'), "line 3"),
    (lambda text: text.replace('"space": "macro"', '"space": "micro"'), "trials of another space"),
    (lambda text: text.replace('"dataset": "digits"', '"dataset": "cifar10"'), "trials of another dataset"),
    (lambda text: "\0" + text, "trials.jsonl"),
])  # fmt: skip
def test_a_ledger_that_is_not_of_this_run(searched, refuse, damage, words):
    path = searched / "trials.jsonl"
    path.write_text(damage(path.read_text()))
    refuse("derive", ["--workdir=run"], [str(path), words, "--overwrite"])


def test_a_workdir_without_a_finished_trial(searched, refuse):
    path = searched / "trials.jsonl"
    path.write_text(path.read_text().splitlines()[0] + "\n")
    refuse("derive", ["--workdir=run"], ["holds no finished trial", "enas_tf.launch.search"])


def test_overwrite_removes_trials(searched, launch, content):
    ledger = Ledger(searched / "trials.jsonl", {})
    ledger.add(Trial((0,) * 6, (1,)), "layers: 0 0 0 0 0 0", {"parameters": 1, "flops": 1})
    before = len(ledger.entries)
    assert launch("search", *SCRATCH, "--overwrite", "--trials=1").code == 0
    after = [json.loads(line) for line in (searched / "trials.jsonl").read_text().splitlines()]
    assert sum(line.get("status") == "waiting" for line in after) == 1 < before
