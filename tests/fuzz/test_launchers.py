"""Whatever a user types or a disk has damaged: an exit code of four, no traceback, a short message, nothing half done.

300 examples in each run of the suite; `pytest -m slow tests/fuzz` tries 2,101 more.
"""

import json
import random
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from enas_tf.experiments import starting
from enas_tf.experiments.config import every_option
from tests.fuzz.conftest import content, run

OPTIONS = every_option()
SETTINGS = {
    "deadline": None,
    "database": None,
    "derandomize": True,
    "suppress_health_check": [HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
}
SMALL = (
    "--num_layers=3",
    "--channels=4",
    "--retrain_channels=4",
    "--epochs=1",
    "--updates_per_epoch=0",
    "--derive_samples=1",
    "--finalists=0",
    "--limit_train=64",
    "--batch_size=32",
    "--retrain_batch_size=32",
    "--retrain_epochs=1",
)

VALUES = st.one_of(
    st.text(max_size=40),
    st.integers().map(str),
    st.floats().map(str),
    st.sampled_from(["nan", "inf", "-inf", "1e400", "0", "-1", "", " ", "true", "None", "10" * 50, "9" * 5000]),
    st.sampled_from(
        ["folder:.", "npz:nothing", "npz:.", "text:.", "tfds:", "digits:x", "pydoc", "a,b,c", "\x00", "ä\nö"]
    ),
)
ARCS = st.one_of(
    st.lists(st.integers(-2, 12), max_size=60).map(lambda numbers: " ".join(map(str, numbers))),
    st.text(alphabet="0123456789 -:#.abcnors_", max_size=200),
    st.sampled_from(
        ["lstm", "lstm:", "lstm:x", "lstm:99999999999999999999", "enas_lm: ", "layers: 0 " * 200, "0 " * 20_000]
    ),
    st.text(max_size=30),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=10), inner, max_size=5),
    max_leaves=20,
)


@pytest.fixture
def only_checks(monkeypatch):
    """Let a search end where its options and data have been read: what follows is no matter of input."""

    def stop(run, is_overwriting, is_retraining):
        _ = run.data
        raise SystemExit(0)

    monkeypatch.setattr(starting, "start_search", stop)


def check_flags(name, value, place):
    before = content(place)
    run("search", *SMALL, "--workdir=run", f"--{name}={value}").check()
    assert content(place) == before


@settings(max_examples=110, **SETTINGS)
@given(st.sampled_from(sorted(OPTIONS)), VALUES)
def test_any_value_of_any_flag(only_checks, place, name, value):
    check_flags(name, value, place)


@pytest.mark.slow
@settings(max_examples=1_100, **SETTINGS)
@given(st.sampled_from(sorted(OPTIONS)), VALUES)
def test_any_value_of_any_flag_at_length(only_checks, place, name, value):
    check_flags(name, value, place)


@settings(max_examples=60, **SETTINGS)
@given(st.sampled_from(["macro", "micro", "recurrent"]), ARCS)
def test_any_arc(place, space, arc):
    before = content(place)
    run("describe", f"--space={space}", f"--architecture={arc}").check()
    assert content(place) == before


def check_json(data, place):
    (place / "mine.json").write_text(json.dumps(data))
    run("describe", "--architecture=mine.json").check()


@settings(max_examples=60, **SETTINGS)
@given(
    JSON,
    st.sampled_from(["macro", "micro", "recurrent"]),
    st.sampled_from(["enas_macro", "enas_micro", "enas_lm"]),
    st.data(),
)
def test_any_architecture_file(place, value, space, name, data):
    """A valid file with one value replaced by another, at any depth; or anything."""
    from enas_tf.spaces.architectures import read_architecture

    valid = read_architecture(name).to_json()
    _replace_one(valid, value, data)
    check_json(
        data.draw(st.sampled_from([valid, value, {"space": space} | (value if isinstance(value, dict) else {})])), place
    )


def _replace_one(tree, value, data) -> None:
    keys = list(tree) if isinstance(tree, dict) else list(range(len(tree)))
    if not keys:
        return
    key = data.draw(st.sampled_from(keys))
    if isinstance(tree[key], dict | list) and data.draw(st.booleans()):
        _replace_one(tree[key], value, data)
    else:
        tree[key] = value


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A workdir in which everything was done."""
    workdir = tmp_path_factory.mktemp("finished") / "run"
    ended = run("search", *SMALL, f"--workdir={workdir}", "--then=retrain,export")
    assert ended.code == 0, ended.err
    return workdir


FILES = (
    "run.flags",
    "environment.json",
    "metrics.jsonl",
    "candidates.csv",
    "architecture.json",
    "child/child.keras",
    "child/metrics.json",
    "child/run.flags",
    "child/labels.txt",
    "child/architecture.json",
    "checkpoints/search/checkpoint",
    "checkpoints/search/flags.json",
    "checkpoints/retrain/flags.json",
)
COMMANDS = (
    ("describe",),
    ("describe", "--architecture=run/candidates.csv#1"),
    ("evaluate",),
    ("export",),
    ("derive",),
    ("retrain",),
    ("evaluate", "--weights=shared"),
)


def damage(path: Path, how: str, rng: random.Random) -> None:
    """Damage a file, or put something else in its place."""
    old = path.read_bytes()
    if how == "directory":
        path.unlink()
        path.mkdir()
    elif how == "gone":
        path.unlink()
    else:
        byte = rng.randrange(len(old))
        path.write_bytes(
            {
                "empty": b"",
                "truncated": old[: len(old) // 2],
                "binary": rng.randbytes(200),
                "byte": old[:byte] + bytes([old[byte] ^ 0xFF]) + old[byte + 1 :],
                "list": b"[]",
                "text": b"nothing of the kind\n",
                "deep": b"[" * 100_000,
                "number": b'{"epoch": ' + b"9" * 5_000 + b"}",
                "latin1": "näive".encode("latin1"),
            }[how]
        )


HOWS = ("directory", "gone", "empty", "truncated", "binary", "byte", "list", "text", "deep", "number", "latin1")
CASES = [(command, file, how) for command in COMMANDS for file in FILES for how in HOWS]


def check_damage(finished, place, command, file, how) -> None:
    shutil.copytree(finished, place / "run", symlinks=True)
    damage(place / "run" / file, how, random.Random(f"{file} {how}"))
    name, *arguments = command
    run(name, "--workdir=run", *arguments).check()


@pytest.mark.parametrize(
    ("command", "file", "how"),
    random.Random(0).sample(CASES, 70),
    ids=lambda v: v if isinstance(v, str) else " ".join(v),
)
def test_any_damage_of_a_workdir(finished, place, command, file, how):
    check_damage(finished, place, command, file, how)


@pytest.mark.slow
@pytest.mark.parametrize(("command", "file", "how"), CASES, ids=lambda v: v if isinstance(v, str) else " ".join(v))
def test_every_damage_of_a_workdir(finished, place, command, file, how):
    check_damage(finished, place, command, file, how)
