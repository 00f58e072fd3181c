"""A retrained child to files: `child.keras`, and a SavedModel that is compared with it before anyone relies on it."""

from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from enas_tf.training.files import replace_directory, replacement


def save_keras(child: keras.Model, path: Path) -> None:
    """Writes `child` aside and renames it to `path`. It loads with Keras alone and can be evaluated at once."""
    child.compile("sgd", loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    with replacement(path) as aside:
        child.save(aside)


def export_saved_model(child: keras.Model, directory: Path, images: np.ndarray) -> float:
    """Writes `child` as a SavedModel with the signature `serving_default` (uint8 images to float32 logits).

    Returns the largest absolute difference between the logits of the SavedModel, loaded again, and the child's on
    `images` (uint8 [n, height, width, channels]).
    """
    with replace_directory(directory) as aside:
        child.export(str(aside), verbose=False)
        loaded = tf.saved_model.load(str(aside))  # Named, since its functions do not keep its variables alive.
        return float(tf.reduce_max(tf.abs(loaded.serve(images) - child(images, training=False))))
