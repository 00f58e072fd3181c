"""One small search from Python with arrays, which tests of this folder look at."""

import contextlib
import io

import numpy as np
import pytest
import tensorflow as tf
from sklearn.datasets import load_digits

import enas_tf
from enas_tf.search.evaluators.evaluator import EVALUATORS, Evaluator

OPTIONS = {
    "num_layers": 3,
    "channels": 4,
    "retrain_channels": 4,
    "limit_train": 64,
    "batch_size": 32,
    "epochs": 2,
    "updates_per_epoch": 1,
    "samples_per_update": 2,
    "derive_samples": 3,
    "finalists": 0,
    "retrain_batch_size": 32,
}


class Recorder(enas_tf.Callback):
    """Keeps what it is told."""

    def __init__(self):
        self.epochs, self.trials = [], []

    def on_epoch_end(self, epoch, metrics):
        self.epochs.append((epoch, metrics))

    def on_trial_end(self, trial, metrics):
        self.trials.append((trial, metrics))


@pytest.fixture(scope="session")
def images():
    """Digits as floats in 0..1, with their labels."""
    digits = load_digits()
    return (digits.images[:400] / 16).astype("float32"), digits.target[:400]


class OnesEvaluator(Evaluator):
    """Trains nothing: its searches take no time."""

    metric, is_higher_better = "num_ones", True

    @classmethod
    def build(cls, run):
        return cls()

    def evaluate(self, tokens):
        return tf.reduce_sum(tf.cast(tokens == 1, tf.float32), axis=1)

    def score(self, tokens, num_batches=0):
        return float(np.sum(np.asarray(tokens) == 1))


@pytest.fixture
def make_fast(make):
    """`make_fast(epochs=1)`: as `make`, by an evaluator that trains nothing."""
    EVALUATORS.register("ones")(OnesEvaluator)
    yield lambda **options: make(evaluator="ones", batch_size=None, finalists=None, **options)
    EVALUATORS.remove("ones")


@pytest.fixture
def make(tmp_path):
    """`make(epochs=1)`: a small search in a directory of its own."""
    return lambda **options: enas_tf.ImageSearch(workdir=tmp_path / "run", **{**OPTIONS, **options})


@pytest.fixture(scope="session")
def finished(tmp_path_factory, images):
    """A search that has searched and retrained, what callbacks heard of it, and the model; to be left as it is."""
    search = enas_tf.ImageSearch(workdir=tmp_path_factory.mktemp("api") / "run", **OPTIONS)
    recorder = Recorder()
    np.random.seed(5)
    before = np.random.get_state()[1].copy()
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        assert search.search(*images, callbacks=[recorder]) is search
        model = search.retrain(epochs=1, callbacks=[recorder])
    assert printed.getvalue() == ""
    np.testing.assert_array_equal(np.random.get_state()[1], before, "the caller's random numbers go on")
    return search, recorder, model
