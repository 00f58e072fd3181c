"""A trained child as files: a Keras file, and a SavedModel that is compared with the child.

Where files go and what they replace is the caller's concern.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from enas_tf.tasks.signature import Signature


def save_keras(child: keras.Model, path: Path) -> None:
    """Write `child` to the Keras file `path`.

    A classifier of images loads with Keras alone and can be evaluated at once. A language model loads where enas_tf is
    imported.
    """
    if len(child.outputs) == 1:
        child.compile("sgd", loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    child.save(path)


def export_classifier(
    child: keras.Model, directory: Path, images: np.ndarray, class_names: tuple[str, ...] = ()
) -> float:
    """Write `child` as a SavedModel.

    Its signature `serving_default` takes `images` as the child does, and returns `logits` and `probabilities`, both
    float32 [batch, classes]. The signature `class_names` takes nothing and returns the names of the classes, string
    [classes]; they lie in assets.extra/labels.txt, too, a line each. The method `serve` of the loaded object returns
    the logits alone.

    Returns:
      The largest absolute difference between the numbers of `serving_default` of the SavedModel, loaded again, and the
      child's on `images` ([n, height, width, channels], as the child takes them).
    """

    def serve(images):
        return child(images, training=False)

    archive, signature = keras.export.ExportArchive(), signature_of_classifier(child)
    archive.track(child)
    archive.add_endpoint("serve", serve, input_signature=list(signature.specs))
    archive.add_endpoint(signature.name, signature.call, input_signature=list(signature.specs))
    if class_names:
        archive.add_endpoint("class_names", lambda: {"class_names": tf.constant(list(class_names))}, input_signature=[])
    archive.write_out(str(directory), verbose=False)
    if class_names:
        (directory / "assets.extra").mkdir()
        (directory / "assets.extra/labels.txt").write_text("".join(f"{name}\n" for name in class_names), "utf-8")
    loaded = tf.saved_model.load(str(directory))  # Named, since its functions do not keep its variables alive.
    given = tf.cast(images, child.inputs[0].dtype)
    found, expected = loaded.signatures[signature.name](given), signature.call(given)
    return float(max(tf.reduce_max(tf.abs(found[name] - expected[name])) for name in expected))


def signature_of_classifier(child: keras.Model) -> Signature:
    """Return the function of a classifier from images to `logits` and `probabilities`."""

    def name_outputs(images):
        logits = child(images, training=False)
        return {"logits": logits, "probabilities": tf.nn.softmax(logits)}

    images = tf.TensorSpec([None, *child.input_shape[1:]], child.inputs[0].dtype, "images")
    return Signature("serving_default", name_outputs, (images,), compared=("logits",))


def export_language_model(child: keras.Model, directory: Path, ids: np.ndarray) -> float:
    """Write a language model as a SavedModel with two signatures.

    `serving_default` scores: ids int32 [batch, time] to log_probs float32 [batch, time - 1], natural logs of the
    probability of each id but the first, given those before it in the row. `step` generates: ids int32 [batch] and a
    state float32 [batch, size], zeros at the beginning, to log_probs [batch, vocabulary] of the next id and the state.
    It has no loop, so that LiteRT converts it.

    Returns:
      The largest absolute difference between the scores of the SavedModel, loaded again, and the child's on `ids`
      (int32 [n, time]).
    """

    def score(ids):
        return {"log_probs": score_ids(child, ids)}

    archive, step = keras.export.ExportArchive(), signature_of_step(child)
    archive.track(child)
    archive.add_endpoint("serving_default", score, input_signature=[tf.TensorSpec([None, None], tf.int32, "ids")])
    archive.add_endpoint(step.name, step.call, input_signature=list(step.specs))
    archive.write_out(str(directory), verbose=False)
    loaded = tf.saved_model.load(str(directory))
    found = loaded.signatures["serving_default"](tf.constant(ids, tf.int32))["log_probs"]
    return float(tf.reduce_max(tf.abs(found - score_ids(child, tf.constant(ids, tf.int32)))))


def signature_of_step(child: keras.Model) -> Signature:
    """Return the function of a language model from an id and a state to `log_probs` of the next id and its `state`."""

    def step(ids, state):
        with _unrolled(child):
            logits, state = child([ids[:, None], state], training=False)
        return {"log_probs": tf.nn.log_softmax(logits[:, 0]), "state": state}

    states = tf.TensorSpec([None, child.input_shape[1][-1]], tf.float32, "state")
    return Signature("step", step, (tf.TensorSpec([None], tf.int32, "ids"), states), compared=("log_probs", "state"))


@contextlib.contextmanager
def _unrolled(child: keras.Model) -> Iterator[None]:
    """Make the RNN layers of `child` write out their time steps instead of looping over them, for a call of one step.

    LiteRT does not convert Keras' loop, which keeps its outputs in a list of tensors of unknown shape.
    """
    layers = [layer for layer in child.layers if isinstance(layer, keras.layers.RNN)]
    before = [layer.unroll for layer in layers]
    try:
        for layer in layers:
            layer.unroll = True
        yield
    finally:
        for layer, unroll in zip(layers, before, strict=True):
            layer.unroll = unroll


def score_ids(child: keras.Model, ids: tf.Tensor) -> tf.Tensor:
    """Return the natural log of the probability of each of `ids` but the first of a row.

    Args:
      child: a language model.
      ids: int32 [batch, time].

    Returns:
      float32 [batch, time - 1].
    """
    state = tf.zeros([tf.shape(ids)[0], child.input_shape[1][-1]])
    # All of a row is read, though the last logits score nothing: a row of one id has no other time step.
    logits, _ = child([ids, state], training=False)
    return tf.gather(tf.nn.log_softmax(logits[:, :-1]), ids[:, 1:], batch_dims=2)


def sample_ids(
    child: keras.Model, start: np.ndarray, num: int, avoided: int, seed: int, temperature: float = 1.0
) -> np.ndarray:
    """Draw `num` ids, one after the other, from a language model that has read `start`.

    Args:
      child: a language model.
      start: int32 [n], n is at least 1.
      num: how many ids are drawn.
      avoided: an id that is never drawn.
      seed: decides what is drawn.
      temperature: logits are divided by it; below 1 the text keeps closer to what is probable.

    Returns:
      int32 [num].
    """
    random, ids = np.random.default_rng(seed), []
    window, state = tf.constant(start[None], tf.int32), tf.zeros([1, child.input_shape[1][-1]])
    spec = [tf.TensorSpec([1, None], tf.int32), tf.TensorSpec(state.shape)]
    read = tf.function(lambda ids, state: child([ids, state], training=False), autograph=False, input_signature=spec)
    for _ in range(num):
        logits, state = read(window, state)
        logits = (logits[0, -1].numpy() / np.float32(temperature)).astype(np.float64)
        logits[avoided] = -np.inf
        probs = np.exp(logits - logits.max())
        ids.append(int(random.choice(len(probs), p=probs / probs.sum())))
        window = tf.constant([ids[-1:]], tf.int32)
    return np.array(ids, np.int32)
