"""Laws of augmentation, on images whose pixels show their original places."""

import numpy as np
import pytest
import tensorflow as tf

from enas_tf.data.augmentation import AUGMENTATION, AugmentationConfig, augment_batch
from enas_tf.errors import InputError

BATCH, HEIGHT, WIDTH = 64, 6, 8
FILL = np.array([200, 201], np.uint8)
SEED = tf.constant([3, 4])


def numbered_images():
    """Return uint8 [64, 6, 8, 2] whose channels hold row and column, numbers far from the fill colour."""
    rows, columns = np.meshgrid(np.arange(HEIGHT), np.arange(WIDTH), indexing="ij")
    return np.tile(np.stack([rows, columns], axis=-1).astype(np.uint8), (BATCH, 1, 1, 1))


def augment(seed=SEED, fill=FILL, **options):
    return augment_batch(tf.constant(numbered_images()), AugmentationConfig(**options), fill, seed).numpy()


@pytest.mark.parametrize("options", [{"augment": "none"}, {"augment": "crop", "crop_padding": 0}])
def test_nothing_to_do_is_identity(options):
    np.testing.assert_array_equal(augment(**options), numbered_images())


@pytest.mark.parametrize("augment_option", ["crop", "crop_flip"])
def test_a_crop_is_a_window_of_the_padded_image(augment_option):
    padding = 2
    padded = np.tile(FILL, (HEIGHT + 2 * padding, WIDTH + 2 * padding, 1))
    padded[padding:-padding, padding:-padding] = numbered_images()[0]
    windows = {}
    for top in range(2 * padding + 1):
        for left in range(2 * padding + 1):
            window = padded[top : top + HEIGHT, left : left + WIDTH]
            windows[window.tobytes()] = (top, left, False)
            windows[np.ascontiguousarray(window[:, ::-1]).tobytes()] = (top, left, True)
    found = [windows[image.tobytes()] for image in augment(augment=augment_option, crop_padding=padding)]
    # Each image has its own offsets, all offsets occur, and those of rows do not depend on those of columns.
    assert {top for top, _, _ in found} == {left for _, left, _ in found} == set(range(2 * padding + 1))
    assert len({(top, left) for top, left, _ in found}) > 2 * padding + 1
    assert {flipped for _, _, flipped in found} == ({False, True} if augment_option == "crop_flip" else {False})


def test_cutout_is_a_clipped_square_of_the_fill_colour():
    size = 4
    images = augment(augment="none", cutout_size=size)
    is_fill = (images == FILL).all(axis=-1)
    np.testing.assert_array_equal(images[~is_fill], numbered_images()[~is_fill])
    areas = is_fill.sum(axis=(1, 2))
    rows, columns = is_fill.any(axis=2).sum(axis=1), is_fill.any(axis=1).sum(axis=1)
    np.testing.assert_array_equal(areas, rows * columns)  # a filled rectangle
    assert areas.max() == size * size
    assert areas.min() < size * size  # clipped at a border
    assert min(rows.min(), columns.min()) >= size // 2  # the centre lies within the image
    assert len({row.tobytes() for row in is_fill}) > 10  # each image has its own square


def test_cutout_reaches_all_corners_alike():
    is_fill = np.concatenate(
        [(augment([9, k], augment="none", cutout_size=4) == FILL).all(-1) for k in range(30)]
    ).mean(0)
    corners = is_fill[[0, 0, -1, -1], [0, -1, 0, -1]]
    # A corner is covered if the centre lies at most 2 (on the far sides 1) pixels away: (3 or 2) x (3 or 2) of 48.
    np.testing.assert_allclose(corners, np.array([9, 6, 6, 4]) / 48, atol=0.04)


def test_the_seed_decides():
    options = {"crop_padding": 2, "cutout_size": 3}
    np.testing.assert_array_equal(augment(**options), augment(**options))
    assert (augment(**options) != augment(tf.constant([3, 5]), **options)).any()


def test_a_float_colour_is_rounded():
    blanked = augment(fill=np.array([199.6, 201.4], np.float32), augment="none", cutout_size=4)
    np.testing.assert_array_equal(blanked, augment(augment="none", cutout_size=4))


@pytest.mark.parametrize("options", [{"augment": "flip"}, {"crop_padding": -1}, {"cutout_size": -1}])
def test_wrong_options_are_named(options):
    with pytest.raises(InputError, match=f"{next(iter(options))}="):
        AugmentationConfig(**options)


def test_the_search_does_not_cut_out():
    stages = {option.name: option.stages for option in AUGMENTATION.options}
    assert stages.pop("cutout_size") == ("retrain",)
    assert set(stages.values()) == {("search", "retrain")}
