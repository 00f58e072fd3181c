"""Problems and judge of classification: what a reward and a score count, and how a child is measured."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from enas_tf.data.images import Split
from enas_tf.data.pipeline import evaluation_batches, training_batches
from enas_tf.models.macro_config import MacroNetworkConfig
from enas_tf.models.networks import NETWORKS
from enas_tf.runtime.replicas import Replicas
from enas_tf.spaces.macro import MacroSpace
from enas_tf.tasks.classification_problems import AccuracyJudge, compile_measure, mixed_batches
from tests.tasks.small import image_shape, make_dense_child, make_images

SPACE = MacroSpace(num_layers=3)
BATCH, SEED = 8, 5
TOKENS = SPACE.random_tokens(2, np.random.default_rng(3))
DATA = make_images(20, 20, num_classes=3)


@pytest.fixture(scope="module")
def supernet():
    return NETWORKS["macro"].build_supernet(SPACE, MacroNetworkConfig(channels=4, dropout=0.0), image_shape(3))


@pytest.fixture(scope="module")
def judge(supernet):
    return AccuracyJudge(supernet, DATA.valid, BATCH, SEED, Replicas())


def count(supernet, images, labels, tokens):
    """Return how many images the child of `tokens` classifies correctly with this batch's statistics."""
    logits, _ = supernet(tf.constant(images), tf.constant(tokens))
    return int(np.sum(np.argmax(logits, axis=1) == labels))


class TestJudge:
    def test_a_score_is_the_accuracy(self, supernet, judge):
        """On all of the validation part, 20 images in two batches, or on its first batch."""
        batches = mixed_batches(DATA.valid, BATCH)
        for tokens in TOKENS:
            counts = [count(supernet, images, labels, tokens) for images, labels in batches]
            assert judge.score(tokens) == pytest.approx(sum(counts) / 20)
            assert judge.score(tokens, 1) == pytest.approx(counts[0] / len(batches[0][1]))
        assert (judge.metric, judge.is_higher_better) == ("valid_accuracy", True)

    @pytest.mark.parametrize("num_batches", [1, 2])
    def test_the_rewards_of_an_update_are_accuracies_on_the_same_batches(self, supernet, judge, num_batches):
        """They begin where those of the updates before have ended; the next update has the next ones."""
        first = 6
        judge.start(first)
        tokens = SPACE.random_tokens(3, np.random.default_rng(4))
        stream = iter(training_batches(DATA.valid, BATCH, SEED + 1, first_step=first))
        for _ in range(2):
            rewards = judge.reward(tf.constant(tokens), num_batches)
            batches = [next(stream) for _ in range(num_batches)]
            expected = [
                sum(count(supernet, images, labels, proposal) for images, labels in batches) / (BATCH * num_batches)
                for proposal in tokens
            ]
            np.testing.assert_allclose(rewards, expected)


class TestScoringBatches:
    @pytest.mark.parametrize(("num", "sizes"), [(20, {10}), (23, {11, 12}), (8, {8}), (15, {15})])
    def test_they_hold_every_image_once(self, num, sizes):
        """No batch is smaller than asked for, and each image has its own label."""
        split = Split(np.arange(num, dtype=np.uint8).reshape(num, 1, 1, 1), np.arange(num, dtype=np.int32))
        batches = mixed_batches(split, BATCH)
        assert {len(labels) for _, labels in batches} == sizes
        labels = np.concatenate([labels for _, labels in batches])
        np.testing.assert_array_equal(labels, np.concatenate([images[:, 0, 0, 0] for images, _ in batches]))
        assert sorted(labels) == list(range(num))
        np.testing.assert_array_equal(labels, np.concatenate([labels for _, labels in mixed_batches(split, BATCH)]))

    def test_they_are_mixed(self):
        """Batch statistics of one class alone would be of no use where a source is sorted by class."""
        split = Split(np.zeros((800, 1, 1, 1), np.uint8), np.repeat(np.arange(4, dtype=np.int32), 200))
        for _, labels in mixed_batches(split, 100):
            assert np.bincount(labels, minlength=4).min() > 10


def test_a_measure_is_the_mean_over_images_whatever_the_batches():
    data = make_images(32, 8, num_classes=4)
    child = make_dense_child()
    measure = compile_measure(child)
    whole = measure(evaluation_batches(data.train, 32))
    parts = measure(evaluation_batches(data.train, 12))
    logits = child(data.train.images, training=False).numpy()
    assert whole["accuracy"] == parts["accuracy"] == np.mean(logits.argmax(axis=1) == data.train.labels)
    log_probs = keras.ops.log_softmax(logits).numpy()
    expected = -np.mean(log_probs[np.arange(32), data.train.labels])
    assert whole["loss"] == pytest.approx(float(expected), rel=1e-5)
    assert parts["loss"] == pytest.approx(whole["loss"], rel=1e-5)


def test_a_measure_counts_what_each_class_is_taken_for():
    data, child = make_images(32, 8, num_classes=4), make_dense_child()
    found = np.zeros((4, 4), np.int64)
    metrics = compile_measure(child)(evaluation_batches(data.train, 12), found)
    predicted = child(data.train.images, training=False).numpy().argmax(axis=1)
    expected = [[np.sum((data.train.labels == row) & (predicted == column)) for column in range(4)] for row in range(4)]
    np.testing.assert_array_equal(found, expected)
    assert metrics["accuracy"] == np.trace(found) / 32
    assert (found != found.T).any(), "else rows and columns could be the other way round"
