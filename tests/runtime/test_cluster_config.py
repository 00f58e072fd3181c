"""Processes that TF_CONFIG and SLURM name: what cannot be joined is refused at once, in one paragraph."""

import json

import pytest

from enas_tf.errors import InputError
from enas_tf.runtime.cluster_config import find_cluster, joining_seconds

WORKERS = ["a:1", "[::1]:65535"]
TASK = {"type": "worker", "index": 0}
SLURM = {
    "SLURM_PROCID": "1",
    "SLURM_STEP_NUM_TASKS": "2",
    "SLURM_STEP_NODELIST": "n[1-2]",
    "SLURM_STEP_TASKS_PER_NODE": "1(x2)",
    "CUDA_VISIBLE_DEVICES": "0",
}


@pytest.fixture(autouse=True)
def _alone(monkeypatch):
    for name in ("TF_CONFIG", "ENAS_TF_JOINING_SECONDS", *SLURM):
        monkeypatch.delenv(name, raising=False)


def config(workers=WORKERS, task=TASK, **others):
    return json.dumps({"cluster": {"worker": workers, **others}, "task": task})


@pytest.mark.parametrize("index", [1, "1"])
def test_a_cluster_is_found(monkeypatch, index):
    monkeypatch.setenv("TF_CONFIG", config(task=TASK | {"index": index}))
    resolver = find_cluster()
    assert resolver.task_id == 1
    assert resolver.cluster_spec().as_dict() == {"worker": WORKERS}


@pytest.mark.parametrize("text", ["", "{}", config(["a:1"]), '{"cluster": {"chief": ["a:1"]}}', '{"cluster": {}}'])
def test_one_process_is_no_cluster(monkeypatch, text):
    monkeypatch.setenv("TF_CONFIG", text)
    assert find_cluster() is None


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "null",
        "7",
        "[" * 10_000,
        '{"cluster": 7}',
        '{"cluster": {"worker": "a:1, b:1"}}',
        '{"cluster": {"worker": {"0": "a:1", "1": "b:1"}}}',
        config(["a", "b"]),
        config(["a:1", 2]),
        config(["a:1", None]),
        config(["a:1", "b:0"]),
        config(["a:1", "b:65536"]),
        config(["a:1", "b:-1"]),
        config(["a:1", "b:x"]),
        config(["a:1", "http://b:1"]),
        config(["a:1", "b c:1"]),
        config(["a:1", ":1"]),
        config(["a:1", "a:1"]),
        config(chief=["c:1"]),
        config(task=None),
        config(task={"type": "worker"}),
        config(task=TASK | {"index": True}),
        config(task=TASK | {"index": 0.5}),
        config(task=TASK | {"index": -1}),
        config(task=TASK | {"index": "9" * 5_000}),
    ],
)
def test_a_wrong_tf_config_is_shown(monkeypatch, text):
    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(InputError, match=r"TF_CONFIG=.* is not valid .*: expected") as caught:
        find_cluster()
    assert len(str(caught.value)) < 1_000


def test_a_step_of_slurm_is_found(monkeypatch):
    for name, value in SLURM.items():
        monkeypatch.setenv(name, value)
    resolver = find_cluster()
    assert resolver.cluster_spec().as_dict() == {"worker": ["n1:8888", "n2:8888"]}
    assert resolver.task_id == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SLURM_STEP_NUM_TASKS", "two"),
        ("SLURM_STEP_NUM_TASKS", "3"),
        ("SLURM_PROCID", None),
        ("SLURM_PROCID", "first"),
        ("SLURM_PROCID", "7"),
        ("SLURM_STEP_NODELIST", None),
        ("SLURM_STEP_NODELIST", "n[1-"),
        ("SLURM_STEP_NODELIST", "n 1,n 2"),
        ("SLURM_STEP_TASKS_PER_NODE", "x"),
        ("SLURM_STEP_TASKS_PER_NODE", ""),
    ],
)
def test_wrong_variables_of_slurm_are_shown(monkeypatch, name, value):
    for other, right in SLURM.items():
        monkeypatch.setenv(other, right)
    if value is None:
        monkeypatch.delenv(name)
    else:
        monkeypatch.setenv(name, value)
    with pytest.raises(InputError, match=r"the SLURM step cannot be joined.*SLURM_STEP_NUM_TASKS.*srun"):
        find_cluster()


@pytest.mark.parametrize("text", ["soon", "0", "-1", "nan", "inf", ""])
def test_a_wrong_time_to_join_is_shown(monkeypatch, text):
    monkeypatch.setenv("ENAS_TF_JOINING_SECONDS", text)
    with pytest.raises(InputError, match=r"ENAS_TF_JOINING_SECONDS=.*a number of seconds"):
        joining_seconds(300)


def test_the_time_to_join(monkeypatch):
    assert joining_seconds(300) == 300
    monkeypatch.setenv("ENAS_TF_JOINING_SECONDS", "8.5")
    assert joining_seconds(300) == 8.5
