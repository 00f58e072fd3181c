"""Batches of images. A training batch is a pure function of (seed, step), so a resumed run sees the same ones."""

import numpy as np
import tensorflow as tf

from enas_tf.data.augmentation import AugmentationConfig, augment_batch
from enas_tf.data.images import Split
from enas_tf.errors import InputError

# Rounds of the cipher behind the shuffle. With TensorFlow's default of 4 neighbours stay related: over 45,000 images
# sorted by class, counts of a class per batch vary 12 % less than they would by chance; with 8 or more they do not.
_SHUFFLE_ROUNDS = 16


def steps_per_epoch(split: Split, batch_size: int) -> int:
    """Whole batches in one pass over `split`; the few images left over are other ones in every epoch.

    Raises:
        InputError: the batch size is not positive, or the split cannot fill one batch.
    """
    if batch_size < 1:
        raise InputError(f"--batch_size={batch_size} is not valid: expected a number of images, 1 or more.")
    if len(split) < batch_size:
        raise InputError(
            f"The {split.name} part of the data has {len(split)} images, but --batch_size={batch_size} needs at least "
            f"{batch_size}: use --batch_size={max(len(split), 1)} or less, or more data (a larger --limit_train for "
            "the training part, a larger --valid_fraction for the validation part)."
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
    """Endless shuffled batches for the steps first_step, first_step + 1, ...

    Within an epoch (`steps_per_epoch` steps) no image comes twice. Element k of a dataset that starts at step 0 equals
    element 0 of one that starts at step k.

    Args:
        split: where the images come from; it is kept in memory on the CPU.
        batch_size: images per batch.
        seed: decides the order and the augmentation.
        first_step: the step of the first element.
        augmentation: how images are varied; None leaves them as they are.
        fill_color: [c] in units of 0..255, for `augment_batch`; None is black.

    Returns:
        Elements (images uint8 [batch_size, h, w, c], labels int32 [batch_size]) of static shape.

    Raises:
        InputError: `split` has fewer images than one batch.
    """
    epoch_steps, size = steps_per_epoch(split, batch_size), len(split)
    images, labels = _on_cpu(split)
    fill_color = np.zeros(images.shape[-1], np.uint8) if fill_color is None else fill_color

    def make_batch(step):
        positions = step % epoch_steps * batch_size + tf.range(batch_size, dtype=tf.int64)
        indices = shuffled_positions(positions, seed, step // epoch_steps, size)
        batch = tf.gather(images, indices)
        if augmentation is not None:
            batch = augment_batch(batch, augmentation, fill_color, _augmentation_seed(seed, step))
        return batch, tf.gather(labels, indices)

    steps = tf.data.Dataset.range(first_step, np.iinfo(np.int64).max)
    batches = steps.map(make_batch, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    return batches.prefetch(tf.data.AUTOTUNE)


def evaluation_batches(split: Split, batch_size: int) -> tf.data.Dataset:
    """All of `split` once, in order: (images uint8 [b, h, w, c], labels int32 [b]), the last batch perhaps smaller.

    Raises:
        InputError: the batch size is not positive, or the split is empty.
    """
    steps_per_epoch(split, min(batch_size, max(len(split), 1)))
    images, labels = _on_cpu(split)
    # Slices of one captured tensor: from_tensor_slices would cut the images apart and put them together again.
    starts = tf.data.Dataset.range(0, len(split), batch_size)
    batches = starts.map(lambda start: (images[start : start + batch_size], labels[start : start + batch_size]))
    return batches.prefetch(tf.data.AUTOTUNE)


def shuffled_positions(positions: tf.Tensor, seed: int, epoch: tf.Tensor, size: int) -> tf.Tensor:
    """Where each of `positions` (int64 [b], in 0..size-1) lies in the epoch's random order of 0..size-1; int64 [b].

    Each position is mapped on its own by a small block cipher, so a step costs the same for every size of data set.
    """
    # The cipher reads few low bits of each key word (8 for up to 65,536 images): a plain counter as key would repeat
    # its orders after 256 epochs, so the words are hashed first.
    key = tf.random.stateless_uniform([3], tf.stack([seed, 2 * epoch]), None, None, tf.uint32, alg="philox")
    keys = tf.repeat(key[tf.newaxis], tf.size(positions), axis=0)
    limit = tf.constant(size - 1, positions.dtype)
    return tf.raw_ops.RandomIndexShuffle(index=positions, seed=keys, max_index=limit, rounds=_SHUFFLE_ROUNDS)


def _augmentation_seed(seed: int, step: tf.Tensor) -> tf.Tensor:
    """int64 [2]; odd where the keys of `shuffled_positions` are even, so the two never meet."""
    return tf.stack([tf.constant(seed, tf.int64), 2 * step + 1])


def _on_cpu(split: Split) -> tuple[tf.Tensor, tf.Tensor]:
    with tf.device("/CPU:0"):
        return tf.constant(split.images), tf.constant(split.labels)
