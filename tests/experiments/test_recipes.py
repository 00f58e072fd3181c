"""Trials in other processes know what the user's own files register."""

import importlib.util
import json
import os
from pathlib import Path

import pytest

from enas_tf import registry
from enas_tf.ops.op import CELL_OPS, LAYER_OPS
from enas_tf.search.objective import REWARDS
from enas_tf.spaces import vocabulary

OP = Path(__file__).parents[1] / "ops/own_op.py"
REWARD = """
from enas_tf.search.objective import REWARDS


@REWARDS.register("doubled", help="twice the metric, and one")
def double(reward, costs):
    return 2 * reward + 1
"""
FLAGS = (
    "--evaluator=scratch",
    "--searcher=random",
    "--dataset=digits",
    "--limit_train=64",
    "--batch_size=32",
    "--num_layers=3",
    "--channels=2",
    "--ops=squeeze_excite",
    "--trials=1",
    "--trial_epochs=1",
    "--reward_function=doubled",
)
needs_ray = pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed")


@pytest.fixture
def forgotten(monkeypatch):
    """Forget what the files register when the test is over."""
    monkeypatch.setattr(registry, "_imported", [])
    yield
    REWARDS.remove("doubled")
    for operations, names in ((LAYER_OPS, vocabulary.LAYER_OPS), (CELL_OPS, vocabulary.CELL_OPS)):
        operations.remove("squeeze_excite")
        names.remove("squeeze_excite")


@pytest.mark.parametrize("executor", ["processes", pytest.param("ray", marks=[needs_ray, pytest.mark.slow])])
def test_a_trial_elsewhere_has_the_user_s_operation_and_reward(launch, forgotten, tmp_path, executor):
    (tmp_path / "mine.py").write_text(REWARD)
    files = (f"--import={os.path.relpath(OP, tmp_path)}", "--import=mine.py")
    outcome = launch("search", "--workdir=run", *files, *FLAGS, f"--executor={executor}")
    assert outcome.code == 0, outcome.err
    begun, done = [json.loads(line) for line in (tmp_path / "run/trials.jsonl").read_text().splitlines()[1:]]
    assert done["status"] == "done", done
    assert begun["arc"].split()[1] == "squeeze_excite"
    metrics = [json.loads(line) for line in (tmp_path / "run/metrics.jsonl").read_text().splitlines()]
    (trial,) = [record for record in metrics if record["phase"] == "trial"]
    assert trial["reward"] == pytest.approx(2 * done["value"] + 1, rel=1e-5)
