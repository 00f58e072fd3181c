"""The devices and processes that a run finds. Stories test that processes join."""

import json

import pytest
import tensorflow as tf

from enas_tf.errors import InputError
from enas_tf.runtime.devices import build_strategy, device_names

WORKERS = ["a:1", "b:1"]
ONE = json.dumps({"cluster": {"worker": WORKERS[:1]}, "task": {"type": "worker", "index": 0}})


@pytest.fixture(autouse=True)
def _alone(monkeypatch):
    for name in ("TF_CONFIG", "SLURM_STEP_NUM_TASKS"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("name", ["auto", "one_device"])
def test_a_cpu_is_one_device(name):
    assert build_strategy(name) is None


def test_mirrored_takes_the_logical_devices_once():
    strategy = build_strategy("mirrored")
    assert isinstance(strategy, tf.distribute.MirroredStrategy)
    assert strategy.num_replicas_in_sync == len(tf.config.list_logical_devices("CPU")) == 2
    assert build_strategy("mirrored") is strategy
    assert device_names(2).startswith("2 replicas: CPU")


@pytest.mark.parametrize(
    "text", ["", "{}", json.dumps({"cluster": {"worker": WORKERS[:1]}, "task": {"type": "worker", "index": 0}})]
)
def test_a_process_alone_is_no_cluster(monkeypatch, text):
    monkeypatch.setenv("TF_CONFIG", text)
    assert build_strategy("auto") is None
    with pytest.raises(InputError, match="multi_worker finds no other process: expected TF_CONFIG"):
        build_strategy("multi_worker")


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        json.dumps({"cluster": {"worker": WORKERS}}),
        json.dumps({"cluster": {"worker": WORKERS}, "task": {"type": "worker", "index": 2}}),
        json.dumps({"cluster": {"worker": WORKERS}, "task": {"type": "ps", "index": 0}}),
        json.dumps({"cluster": {"worker": WORKERS}, "task": {"type": "worker", "index": "x"}}),
    ],
)
def test_a_wrong_tf_config_is_shown(monkeypatch, text):
    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(InputError, match=r"TF_CONFIG=.* is not valid"):
        build_strategy("auto")


def test_one_device_does_not_look_at_the_cluster(monkeypatch):
    monkeypatch.setenv("TF_CONFIG", "{")
    assert build_strategy("one_device") is None
