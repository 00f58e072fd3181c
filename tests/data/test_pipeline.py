"""Laws of batches: what comes when, and that it depends on (seed, step) alone."""

import dataclasses
import itertools

import numpy as np
import pytest
import tensorflow as tf

from enas_tf.data.augmentation import AugmentationConfig
from enas_tf.data.images import Split
from enas_tf.data.pipeline import evaluation_batches, shuffled_positions, steps_per_epoch, training_batches
from enas_tf.errors import InputError


def numbered_split(count):
    """Image k is filled with the number k, and so is its label."""
    numbers = np.arange(count, dtype=np.int32)
    return Split(np.tile(numbers.astype(np.uint8)[:, None, None, None], (1, 4, 4, 1)), numbers)


def take(dataset, count):
    return [(images.numpy(), labels.numpy()) for images, labels in itertools.islice(dataset, count)]


def order(split, batch_size, seed, steps, **options):
    return np.concatenate([labels for _, labels in take(training_batches(split, batch_size, seed, **options), steps)])


def test_every_image_comes_once_per_epoch_in_a_new_order():
    epochs = order(numbered_split(60), 12, seed=0, steps=4 * 5).reshape(4, 60)
    for epoch in epochs:
        np.testing.assert_array_equal(np.sort(epoch), np.arange(60))
    assert len({epoch.tobytes() for epoch in epochs}) == 4


def test_images_left_over_are_others_in_each_epoch():
    epochs = order(numbered_split(10), 4, seed=0, steps=20 * 2).reshape(20, 8)
    assert all(len(set(epoch)) == 8 for epoch in epochs.tolist())
    assert set(epochs.ravel().tolist()) == set(range(10))


def test_images_stay_with_their_labels():
    for images, labels in take(training_batches(numbered_split(20), 5, seed=1), 4):
        np.testing.assert_array_equal(images[:, 0, 0, 0], labels)


@pytest.mark.parametrize("first_step", [1, 7, 12])
def test_a_resumed_run_sees_the_same_batches(first_step):
    options = {"augmentation": AugmentationConfig(crop_padding=2, cutout_size=2), "fill_color": np.array([7.0])}
    unbroken = take(training_batches(numbered_split(30), 8, seed=5, **options), 14)
    resumed = take(training_batches(numbered_split(30), 8, seed=5, first_step=first_step, **options), 14 - first_step)
    for (images, labels), (images_again, labels_again) in zip(unbroken[first_step:], resumed, strict=True):
        np.testing.assert_array_equal(images, images_again)
        np.testing.assert_array_equal(labels, labels_again)


def test_the_seed_decides_the_order_and_the_augmentation():
    split = numbered_split(40)
    assert order(split, 40, seed=1, steps=1).tolist() != order(split, 40, seed=2, steps=1).tolist()
    options = {"augmentation": AugmentationConfig(crop_padding=2), "fill_color": np.array([255.0])}
    one_image = Split(np.arange(16, dtype=np.uint8).reshape(1, 4, 4, 1), np.zeros(1, np.int32))
    crops = {
        seed: [i.tobytes() for i, _ in take(training_batches(one_image, 1, seed, **options), 8)] for seed in (1, 2)
    }
    assert crops[1] != crops[2]
    assert len(set(crops[1])) > 3  # and each step has its own


def test_seeds_beyond_32_bits_are_told_apart():
    split = numbered_split(40)
    assert order(split, 40, 1, 1).tolist() != order(split, 40, 1 + 2**32, 1).tolist()


def test_fill_is_black_unless_given():
    split = Split(np.full((8, 4, 4, 1), 9, np.uint8), np.zeros(8, np.int32))
    ((images, _),) = take(training_batches(split, 8, 0, augmentation=AugmentationConfig("none", cutout_size=2)), 1)
    assert set(images.ravel().tolist()) == {0, 9}


def test_orders_do_not_repeat_after_256_epochs():
    positions = tf.range(20, dtype=tf.int64)
    epochs = tf.data.Dataset.range(600).map(lambda epoch: shuffled_positions(positions, 3, epoch, 20))
    assert len({order.tobytes() for order in epochs.as_numpy_iterator()}) == 600


def test_neighbours_are_spread_like_chance():
    size, batch_size = 45_000, 50
    positions = tf.range(size, dtype=tf.int64)
    drawn = [shuffled_positions(positions, 3, tf.constant(k, tf.int64), size).numpy() for k in range(5)]
    tenths = (np.concatenate(drawn) * 10 // size).reshape(-1, batch_size)
    counts = np.stack([(tenths == tenth).sum(axis=1) for tenth in range(10)])
    # A tenth of the images, consecutive as a class is in sorted files, has variance 50 * 0.1 * 0.9 in a batch of 50.
    assert counts.var() == pytest.approx(4.5, rel=0.05)


def test_batches_have_static_shapes():
    images, labels = training_batches(numbered_split(9), 3, 0, augmentation=AugmentationConfig()).element_spec
    assert (images.shape, images.dtype) == ((3, 4, 4, 1), tf.uint8)
    assert (labels.shape, labels.dtype) == ((3,), tf.int32)


def test_evaluation_takes_everything_in_order():
    split = numbered_split(10)
    batches = take(evaluation_batches(split, 4), 5)
    assert [len(labels) for _, labels in batches] == [4, 4, 2]
    np.testing.assert_array_equal(np.concatenate([images for images, _ in batches]), split.images)
    np.testing.assert_array_equal(np.concatenate([labels for _, labels in batches]), split.labels)
    assert evaluation_batches(split, 4).element_spec[0].shape.as_list() == [None, 4, 4, 1]
    assert [len(labels) for _, labels in take(evaluation_batches(split, 100), 5)] == [10]


def test_steps_per_epoch_counts_whole_batches():
    assert [steps_per_epoch(numbered_split(10), size) for size in (1, 3, 5, 10)] == [10, 3, 2, 1]


@pytest.mark.parametrize("call", [steps_per_epoch, lambda split, size: training_batches(split, size, 0)])
def test_too_few_images_are_refused(call):
    with pytest.raises(InputError, match=r"validation part.* 3 images.*--batch_size=4.*--batch_size=3 or less"):
        call(dataclasses.replace(numbered_split(3), name="validation"), 4)


@pytest.mark.parametrize("call", [steps_per_epoch, evaluation_batches])
def test_a_batch_needs_an_image(call):
    with pytest.raises(InputError, match="--batch_size=0"):
        call(numbered_split(3), 0)
