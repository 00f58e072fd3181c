"""The shared-weights evaluator: what a training step does to the weights, and what a reward counts."""

import numpy as np
import pytest
import tensorflow as tf

from enas_tf.data.augmentation import AugmentationConfig
from enas_tf.data.images import ImageData, Split
from enas_tf.data.pipeline import training_batches
from enas_tf.errors import InputError
from enas_tf.models.families import FAMILIES
from enas_tf.models.images import ImageConfig, NetworkConfig
from enas_tf.search.evaluators.shared import SharedTrainingConfig, SharedWeightsEvaluator, mixed_batches
from enas_tf.search.searchers.reinforce import RandomSearcher
from enas_tf.spaces.macro import MacroSpace
from enas_tf.training.optimizers import SgdConfig

SPACE = MacroSpace(num_layers=3)
BATCH, SEED = 8, 5
# Without momentum, decay of the rate and clipping, a step at rate 1 subtracts just the gradient.
PLAIN = SgdConfig(learning_rate=1.0, min_learning_rate=1.0, momentum=0.0, clip_norm=1e9)
TOKENS = SPACE.random_tokens(2, np.random.default_rng(3))


def make_split(num, seed):
    random = np.random.default_rng(seed)
    images = random.integers(0, 256, (num, 8, 8, 1), dtype=np.uint8)
    return Split(images, random.integers(0, 3, num).astype(np.int32))


DATA = ImageData("random", ("a", "b", "c"), make_split(20, 0), make_split(20, 1), make_split(8, 2))


@pytest.fixture(scope="module")
def supernet():
    image = ImageConfig(8, 8, 1, 3, (128.0,), (5000.0,))
    return FAMILIES["macro"].supernet(SPACE, NetworkConfig(channels=4, dropout=0.0), image)


def make_evaluator(supernet, children):
    config = SharedTrainingConfig(batch_size=BATCH, children_per_step=children)
    return SharedWeightsEvaluator(supernet, DATA, config, PLAIN, AugmentationConfig(augment="none"), SEED)


@pytest.fixture(scope="module")
def evaluator(supernet):
    return make_evaluator(supernet, children=1)


def count(supernet, images, labels, tokens):
    """How many images the child of `tokens` tells right with this batch's statistics."""
    logits, _ = supernet(tf.constant(images), tf.constant(tokens))
    return int(np.sum(np.argmax(logits, axis=1) == labels))


@pytest.mark.parametrize(("batch_size", "children"), [(8, 3), (1, 2), (100, 64)])
def test_a_batch_has_to_split_over_the_children(batch_size, children):
    with pytest.raises(InputError, match=f"--batch_size={batch_size} .*--children_per_step={children} "):
        SharedTrainingConfig(batch_size=batch_size, children_per_step=children)


def test_children_share_a_step_evenly(supernet, evaluator):
    """A step of two children moves the weights by the mean of what each does on its half of the batch."""
    images, labels = tf.constant(DATA.train.images[:BATCH]), tf.constant(DATA.train.labels[:BATCH])
    gradients = []
    for tokens, half in zip(TOKENS, (slice(0, 4), slice(4, 8)), strict=True):
        mine, _, _ = evaluator._differentiate(images[half], labels[half], tf.constant(tokens), tf.constant([0, 0]))
        gradients.append(mine)
    expected = [(first + second) / 2 for first, second in zip(*gradients, strict=True)]
    before = [variable.numpy() for variable in supernet.trainable_variables]
    both = make_evaluator(supernet, children=2)
    both._train_step(images, labels, tf.constant(TOKENS), tf.constant([0, 0]))
    for variable, old, gradient in zip(supernet.trainable_variables, before, expected, strict=True):
        np.testing.assert_allclose(old - variable.numpy(), gradient, atol=2e-4, err_msg=variable.path)
    differences = [float(tf.reduce_max(tf.abs(a - b))) for a, b in zip(*gradients, strict=True)]
    assert max(differences) > 1e-2, "the two children should have different gradients"


def test_a_score_is_the_share_of_images_told_right(supernet, evaluator):
    """On all of the validation part, 20 images in two batches, or on its first batch."""
    batches = mixed_batches(DATA.valid, BATCH)
    for tokens in TOKENS:
        counts = [count(supernet, images, labels, tokens) for images, labels in batches]
        assert evaluator.score(tokens) == pytest.approx(sum(counts) / 20)
        assert evaluator.score(tokens, 1) == pytest.approx(counts[0] / len(batches[0][1]))


@pytest.mark.parametrize(("num", "sizes"), [(20, {10}), (23, {11, 12}), (8, {8}), (15, {15})])
def test_scoring_batches_hold_every_image_once(num, sizes):
    """In no batch smaller than asked for, and each with its own label."""
    split = Split(np.arange(num, dtype=np.uint8).reshape(num, 1, 1, 1), np.arange(num, dtype=np.int32))
    batches = mixed_batches(split, BATCH)
    assert {len(labels) for _, labels in batches} == sizes
    labels = np.concatenate([labels for _, labels in batches])
    np.testing.assert_array_equal(labels, np.concatenate([images[:, 0, 0, 0] for images, _ in batches]))
    assert sorted(labels) == list(range(num))
    np.testing.assert_array_equal(labels, np.concatenate([labels for _, labels in mixed_batches(split, BATCH)]))


def test_scoring_batches_are_mixed():
    """Batch statistics of one class alone would be of no use where a source is sorted by class."""
    split = Split(np.zeros((800, 1, 1, 1), np.uint8), np.repeat(np.arange(4, dtype=np.int32), 200))
    for _, labels in mixed_batches(split, 100):
        assert np.bincount(labels, minlength=4).min() > 10


def test_each_reward_is_the_accuracy_on_a_batch_of_its_own(supernet, evaluator):
    """The batches of an epoch begin where those of the epochs before have ended."""
    epoch, per_epoch = 2, 3
    evaluator.start(epoch, first_reward=epoch * per_epoch)
    tokens = SPACE.random_tokens(per_epoch, np.random.default_rng(4))
    rewards = evaluator.evaluate(tf.constant(tokens))
    stream = training_batches(DATA.valid, BATCH, SEED + 1, first_step=epoch * per_epoch)
    expected = [
        count(supernet, images, labels, proposal) / BATCH
        for proposal, (images, labels) in zip(tokens, stream.take(per_epoch), strict=True)
    ]
    np.testing.assert_allclose(rewards, expected)


def test_an_epoch_is_one_pass_with_a_child_per_step(supernet, evaluator, monkeypatch):
    """Every step sees another child; the means that are reported are finite; no image comes twice."""
    seen = []
    monkeypatch.setattr(evaluator, "_train_step", lambda *step: seen.append([tensor.numpy() for tensor in step]))
    evaluator.start(0)
    evaluator.prepare(RandomSearcher(SPACE), 0)
    assert len(seen) == evaluator.steps_per_epoch == 2
    assert not np.array_equal(seen[0][2], seen[1][2])
    assert not np.array_equal(seen[0][3], seen[1][3]), "dropout should differ between steps"
    images = np.concatenate([step[0] for step in seen])
    assert len(np.unique(images.reshape(16, -1), axis=0)) == 16


def test_too_few_images_for_a_batch(supernet):
    config = SharedTrainingConfig(batch_size=21)
    with pytest.raises(InputError, match="--batch_size=21"):
        SharedWeightsEvaluator(supernet, DATA, config, PLAIN, AugmentationConfig(), SEED)
