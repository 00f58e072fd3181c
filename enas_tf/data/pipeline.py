"""Batches of images. A training batch is a pure function of (seed, step), so a resumed run sees the same batches."""

from collections.abc import Callable, Iterator

import numpy as np
import tensorflow as tf

from enas_tf.data.augmentation import AugmentationConfig, augment_batch
from enas_tf.data.images import Split
from enas_tf.errors import InputError, ref
from enas_tf.options import require

# Rounds of the cipher that shuffles. With TensorFlow's default of 4, neighbours stay related: over 45,000 images that
# are sorted by class, counts of a class per batch vary 12 % less than by chance. With 8 rounds or more they do not.
_SHUFFLE_ROUNDS = 16

# Batches that are made ahead.
_NUM_PREFETCHED = 4

Batch = tuple[tf.Tensor, tf.Tensor]


class ImageStream:
    """The training batches of a split, epoch by epoch.

    One pipeline of tf.data serves all epochs, since its start costs time. Only a call for other steps or another seed
    than those that come next starts a new one.

    Args:
        split: the images, which are kept in memory on the CPU.
        batch_size: images per batch.
        augmentation: the variation of images; None leaves them as they are.
        fill_color: [c] in units of 0..255, for `augment_batch`; None is black.

    Attributes:
        unit: what `count_units` counts.
        steps_per_epoch: whole batches of an epoch.

    Raises:
        InputError: the batch size is not positive, or `split` cannot fill one batch.
    """

    unit = "images"

    def __init__(
        self,
        split: Split,
        batch_size: int,
        augmentation: AugmentationConfig | None = None,
        fill_color: np.ndarray | None = None,
    ):
        self.steps_per_epoch = steps_per_epoch(split, batch_size)
        self._split, self._batch_size = split, batch_size
        self._augmentation, self._fill_color = augmentation, fill_color
        self._pipeline: Iterator[Batch] = iter(())
        self._next: tuple[int, int] | None = None

    def num_steps(self, epoch: int, seed: int) -> int:
        """Return the number of steps of `epoch`, which is the same for all epochs and seeds."""
        return self.steps_per_epoch

    def batches(self, epoch: int, first_step: int, seed: int) -> Iterator[Batch]:
        """Yield the batches of `epoch` from its step `first_step` to its end, as `training_batches` makes them."""
        begin = epoch * self.steps_per_epoch
        for step in range(begin + first_step, begin + self.steps_per_epoch):
            yield self._take(step, seed)

    def count_units(self, epoch: int, first_step: int, seed: int) -> int:
        """Return the number of images in the steps of `epoch` from `first_step` on."""
        return max(self.steps_per_epoch - first_step, 0) * self._batch_size

    def _take(self, step: int, seed: int) -> Batch:
        """Return the batch of `step`, counted over all epochs."""
        if self._next != (step, seed):
            self._pipeline = iter(())  # Frees the memory of the old pipeline before the new one takes as much.
            batches = training_batches(self._split, self._batch_size, seed, step, self._augmentation, self._fill_color)
            self._pipeline = iter(batches)
        # Counted here and not after the loop of `batches`: a consumer may stop at any step.
        self._next = step + 1, seed
        return next(self._pipeline)


def steps_per_epoch(split: Split, batch_size: int) -> int:
    """Return the number of whole batches in an epoch of `split`; other images are left over in every epoch.

    Raises:
        InputError: the batch size is not positive, or the split cannot fill one batch.
    """
    require(batch_size >= 1, "batch_size", batch_size, "a number of images, 1 or more")
    if len(split) < batch_size:
        option = ref("batch_size")
        raise InputError(
            f"The {split.name} part of the data has {len(split)} images, but {option}={batch_size} needs at least "
            f"{batch_size}: use {option}={max(len(split), 1)} or less, or more data (a larger {ref('limit_train')} for "
            f"the training part, a larger {ref('valid_fraction')} for the validation part)."
        )
    return len(split) // batch_size


def training_batches(
    split: Split,
    batch_size: int,
    seed: int,
    first_step: int = 0,
    augmentation: AugmentationConfig | None = None,
    fill_color: np.ndarray | None = None,
) -> tf.data.Dataset:
    """Return endless shuffled batches for the steps first_step, first_step + 1, ...

    Within an epoch (`steps_per_epoch` steps) no image occurs twice. Element k of a dataset that starts at step 0 equals
    element 0 of one that starts at step k.

    Args:
        split: the images, which are kept in memory on the CPU.
        batch_size: images per batch.
        seed: the order and the augmentation depend on it.
        first_step: the step of the first element.
        augmentation: the variation of images; None leaves them as they are.
        fill_color: [c] in units of 0..255, for `augment_batch`; None is black.

    Returns:
        Elements (images uint8 [batch_size, h, w, c], labels int32 [batch_size]) of static shape.

    Raises:
        InputError: `split` has fewer images than one batch.
    """
    make_batch = _batch_function(split, batch_size, seed, augmentation, fill_color)
    steps = tf.data.Dataset.range(first_step, np.iinfo(np.int64).max)
    batches = steps.map(make_batch, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    return _prefetched(batches)


def _batch_function(
    split: Split,
    batch_size: int,
    seed: int,
    augmentation: AugmentationConfig | None,
    fill_color: np.ndarray | None,
) -> Callable[[tf.Tensor], Batch]:
    """Return the function of a step (int64 scalar) to its batch."""
    epoch_steps, size = steps_per_epoch(split, batch_size), len(split)
    images, labels = _on_cpu(split)
    fill_color = np.zeros(images.shape[-1], np.uint8) if fill_color is None else fill_color

    def make_batch(step: tf.Tensor) -> Batch:
        positions = step % epoch_steps * batch_size + tf.range(batch_size, dtype=tf.int64)
        indices = shuffled_positions(positions, seed, step // epoch_steps, size)
        batch = tf.gather(images, indices)
        if augmentation is not None:
            batch = augment_batch(batch, augmentation, fill_color, _augmentation_seed(seed, step))
        return batch, tf.gather(labels, indices)

    return make_batch


def evaluation_batches(split: Split, batch_size: int) -> tf.data.Dataset:
    """Return `split` once and in order: (images uint8 [b, h, w, c], labels int32 [b]); the last batch may be smaller.

    Raises:
        InputError: the batch size is not positive, or the split is empty.
    """
    steps_per_epoch(split, min(batch_size, max(len(split), 1)))
    images, labels = _on_cpu(split)
    # Slices of one captured tensor are faster: from_tensor_slices splits the images, and they have to be stacked again.
    starts = tf.data.Dataset.range(0, len(split), batch_size)
    batches = starts.map(lambda start: (images[start : start + batch_size], labels[start : start + batch_size]))
    return _prefetched(batches)


def _prefetched(batches: tf.data.Dataset) -> tf.data.Dataset:
    """Return `batches`, which are made while earlier ones are used.

    Nothing is tuned meanwhile: the thread that tunes sleeps for up to a minute at a time, and on a busy machine it was
    seen to hold up for so long the freeing of a pipeline that is no longer needed.
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    return batches.prefetch(_NUM_PREFETCHED).with_options(options)


def shuffled_positions(positions: tf.Tensor, seed: int, epoch: tf.Tensor, size: int) -> tf.Tensor:
    """Return the elements at `positions` (int64 [b], in 0..size-1) of the epoch's random order of 0..size-1; int64 [b].

    A small block cipher maps each position independently, so a step costs the same for every size of data set.
    """
    # The cipher reads few low bits of each key word (8 for up to 65,536 images). With a plain counter as key, orders
    # would repeat after 256 epochs, so the words are hashed first.
    key = tf.random.stateless_uniform([3], tf.stack([seed, 2 * epoch]), None, None, tf.uint32, alg="philox")
    keys = tf.repeat(key[tf.newaxis], tf.size(positions), axis=0)
    limit = tf.constant(size - 1, positions.dtype)
    return tf.raw_ops.RandomIndexShuffle(index=positions, seed=keys, max_index=limit, rounds=_SHUFFLE_ROUNDS)


def _augmentation_seed(seed: int, step: tf.Tensor) -> tf.Tensor:
    """Return a seed, int64 [2]. It is odd where the keys of `shuffled_positions` are even, so the two always differ."""
    return tf.stack([tf.constant(seed, tf.int64), 2 * step + 1])


def _on_cpu(split: Split) -> Batch:
    """Return all images and labels as tensors in the memory of the CPU."""
    with tf.device("/CPU:0"):
        return tf.constant(split.images), tf.constant(split.labels)
