"""Small data of both tasks, for tests of what trains on them and judges by them."""

import keras
import numpy as np

from enas_tf.data.augmentation import AUGMENTATION, AugmentationConfig
from enas_tf.data.images import ImageData, Split
from enas_tf.data.text import TextData, Vocabulary
from enas_tf.models.images import ImageConfig
from enas_tf.models.language import TextShape
from enas_tf.options import Config

VOCABULARY = Vocabulary(("<unk>", "<eos>", "a", "b", "c", "d"))
TEXT = TextShape(len(VOCABULARY))
#: Every token but "a" tells the next one; after "a" it takes memory.
PATTERN = np.tile(np.array([2, 3, 2, 4, 5, 1], np.int32), 50)
#: Not the pattern: the better a model knows that, the worse it does here.
NOISE = np.random.default_rng(0).integers(0, 6, 111, dtype=np.int32)
#: No augmentation: batches hold images as they are.
UNVARIED = Config({AUGMENTATION: AugmentationConfig(augment="none")})


def make_split(num: int, seed: int, num_classes: int) -> Split:
    """Return random images of 8 x 8 pixels with random labels."""
    random = np.random.default_rng(seed)
    images = random.integers(0, 256, (num, 8, 8, 1), dtype=np.uint8)
    return Split(images, random.integers(0, num_classes, num).astype(np.int32))


def make_images(num_train: int, num_valid: int, num_classes: int) -> ImageData:
    splits = [make_split(num, seed, num_classes) for seed, num in enumerate((num_train, num_valid, 8))]
    return ImageData("random", tuple("abcdefgh"[:num_classes]), *splits)


def image_shape(num_classes: int) -> ImageConfig:
    return ImageConfig(8, 8, 1, num_classes, (128.0,), (5000.0,))


def make_text(train: np.ndarray = PATTERN, valid: np.ndarray = NOISE) -> TextData:
    return TextData("pattern", VOCABULARY, train, valid, valid)


def make_dense_child(dropout: float = 0.5, num_classes: int = 4) -> keras.Model:
    """Return a child with all kinds of state: weights, moving averages and the random state of dropout."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((8, 8, 1), dtype="uint8")
    x = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(inputs))
    x = keras.layers.Dropout(dropout)(keras.layers.BatchNormalization()(x))
    return keras.Model(inputs, keras.layers.Dense(num_classes)(x))


def numpy_of(variables: list) -> list[np.ndarray]:
    return [variable.numpy() for variable in variables]


def assert_equal(found: list, expected: list) -> None:
    """Compare arrays to the last bit."""
    for mine, its in zip(found, expected, strict=True):
        np.testing.assert_array_equal(mine, its)
