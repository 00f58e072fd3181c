"""Laws of batches: their order, and that they depend on (seed, step) only."""

import dataclasses
import itertools

import numpy as np
import pytest
import tensorflow as tf

from enas_tf.data import pipeline
from enas_tf.data.augmentation import AugmentationConfig
from enas_tf.data.images import Split
from enas_tf.data.pipeline import ImageStream, evaluation_batches, shuffled_positions, steps_per_epoch, training_batches
from enas_tf.errors import InputError


def numbered_split(count):
    """Return images of which image k is filled with the number k and has the label k."""
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
    assert len(set(crops[1])) > 3  # each step has a crop of its own


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
    # A tenth of the images, consecutive like a class in sorted files, has the variance 50 * 0.1 * 0.9 in batches of 50.
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
    with pytest.raises(InputError, match=r"validation part.* 3 images.*batch_size=4.*batch_size=3 or less"):
        call(dataclasses.replace(numbered_split(3), name="validation"), 4)


@pytest.mark.parametrize("call", [steps_per_epoch, evaluation_batches])
def test_a_batch_needs_an_image(call):
    with pytest.raises(InputError, match="batch_size=0"):
        call(numbered_split(3), 0)


VARIED = {"augmentation": AugmentationConfig(crop_padding=2), "fill_color": np.array([7.0])}


class TestStream:
    """Streams of 30 images in batches of 8, which are 3 steps per epoch."""

    @pytest.fixture
    def stream(self):
        return ImageStream(numbered_split(30), 8, **VARIED)

    @pytest.fixture
    def starts(self, monkeypatch):
        """Return a list that collects the first step of every pipeline that is started."""
        first_steps = []

        def start(split, batch_size, seed, first_step, *options):
            first_steps.append(first_step)
            return training_batches(split, batch_size, seed, first_step, *options)

        monkeypatch.setattr(pipeline, "training_batches", start)
        return first_steps

    def expect(self, batches, first_step, count, seed=5):
        """Check that `batches` are those of an unbroken dataset from `first_step` on."""
        expected = take(training_batches(numbered_split(30), 8, seed, first_step, **VARIED), count)
        for (images, labels), (its_images, its_labels) in zip(batches, expected, strict=True):
            np.testing.assert_array_equal(images, its_images)
            np.testing.assert_array_equal(labels, its_labels)

    def test_it_counts_steps_and_images(self, stream):
        assert (stream.unit, stream.steps_per_epoch) == ("images", 3)
        assert [stream.num_steps(epoch, seed) for epoch, seed in ((0, 5), (7, 6))] == [3, 3]
        assert [stream.count_units(2, first_step, 5) for first_step in range(4)] == [24, 16, 8, 0]

    def test_epochs_follow_each_other_in_one_pipeline(self, stream, starts):
        for epoch in range(3):
            self.expect(list(stream.batches(epoch, 0, 5)), 3 * epoch, 3)
        assert starts == [0]

    def test_an_epoch_is_resumed_in_its_middle(self, stream, starts):
        self.expect(list(stream.batches(2, 1, 5)), 7, 2)
        self.expect(list(stream.batches(3, 0, 5)), 9, 3)
        assert starts == [7]

    @pytest.mark.parametrize("taken", [1, 2, 3])
    def test_a_consumer_may_stop_at_any_step(self, stream, starts, taken):
        """The pipeline continues at the next step, and starts again for a step that it has passed."""
        for _ in itertools.islice(stream.batches(1, 0, 5), taken):
            pass
        self.expect(list(stream.batches(1, taken, 5)), 3 + taken, 3 - taken)
        assert starts == [3]
        self.expect(list(stream.batches(1, 1, 5)), 4, 2)
        assert starts == [3, 4]

    def test_two_consumers_do_not_disturb_each_other(self, stream):
        first, second = stream.batches(0, 0, 5), stream.batches(1, 1, 5)
        self.expect([next(first)], 0, 1)
        self.expect([next(second)], 4, 1)
        self.expect(list(first), 1, 2)
        self.expect(list(second), 5, 1)

    def test_another_seed_has_other_batches(self, stream, starts):
        self.expect(list(stream.batches(0, 0, 5)), 0, 3)
        self.expect(list(stream.batches(1, 0, 6)), 3, 3, seed=6)
        assert starts == [0, 3]

    def test_an_epoch_without_steps_left_is_empty(self, stream, starts):
        assert list(stream.batches(0, 3, 5)) == starts == []

    def test_a_split_has_to_fill_a_batch(self):
        with pytest.raises(InputError, match="3 images, but batch_size=4"):
            ImageStream(numbered_split(3), 4)
