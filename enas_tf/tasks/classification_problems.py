"""The problems of classifying images, by a supernet and by a child, and the judge by accuracy."""

import functools
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from enas_tf.data.augmentation import AugmentationConfig
from enas_tf.data.images import ImageData, Split
from enas_tf.data.pipeline import ImageStream, steps_per_epoch, training_batches
from enas_tf.layers.functions import sum_of_squares
from enas_tf.models.trainee import ImageTrainee
from enas_tf.tasks.image_values import inputs_for, values_of
from enas_tf.tasks.losses import count_correct, cross_entropy
from enas_tf.tasks.problem import Judge, Loss, Problem, Supernet


class ImageSupernetProblem(Problem):
    """Shared weights: every step sees other children, and each child classifies its part of the batch."""

    metrics = ("accuracy",)
    has_batch_statistics = True

    def __init__(
        self,
        supernet: Supernet,
        data: ImageData,
        batch_size: int,
        children_per_step: int,
        augmentation: AugmentationConfig,
        class_weights: np.ndarray | None = None,
    ):
        self.supernet, self.children_per_step, self.class_weights = supernet, children_per_step, class_weights
        self.stream = ImageStream(data.train, batch_size, augmentation, data.channel_mean)
        self.variables = supernet.trainable_variables
        self.tracked = {"supernet": supernet}
        self.num_tokens = supernet.space.num_tokens

    def forward(self, batch, inputs):
        images, labels = batch
        logits, squares = self.supernet(images, inputs.tokens, inputs.seed)
        loss = cross_entropy(labels, logits, class_weights=self.class_weights)
        return Loss(loss, loss, squares, {"accuracy": count_correct(labels, logits)})

    def step_seed(self, seeds, epoch, step):
        return seeds("shared_dropout", epoch) + step * self.children_per_step


class ImageChildProblem(Problem):
    """A child: any Keras classifier of uint8 images, and what its `ImageTrainee` adds in training."""

    metrics = ("accuracy",)

    def __init__(
        self,
        trainee: ImageTrainee,
        split: Split,
        batch_size: int,
        augmentation: AugmentationConfig,
        fill_color: np.ndarray,
        label_smoothing: float = 0.0,
        class_weights: np.ndarray | None = None,
    ):
        self.class_weights = class_weights
        self.trainee, self.split, self.label_smoothing = trainee, split, label_smoothing
        self.stream = ImageStream(split, batch_size, augmentation, fill_color)
        self.variables, self.tracked = trainee.trainable_variables, trainee.tracked
        self.layers_in_training = trainee.layers_in_training

    def forward(self, batch, inputs):
        images, labels = batch
        outputs = self.trainee.predict(images, inputs.progress, inputs.seed)
        losses = [cross_entropy(labels, logits, self.label_smoothing, self.class_weights) for logits, _ in outputs]
        weighted = tf.add_n([weight * loss for loss, (_, weight) in zip(losses, outputs, strict=True)])
        squares = sum_of_squares([variable.value for variable in self.variables])
        return Loss(weighted, losses[0], squares, {"accuracy": count_correct(labels, outputs[0][0])})

    def step_seed(self, seeds, epoch, step):
        number = epoch * self.stream.steps_per_epoch + step
        return tf.random.experimental.stateless_fold_in(seeds("drop_path"), number)


class AccuracyJudge(Judge):
    """Judges by accuracy on validation batches, each normalised by its own statistics.

    Args:
      supernet: what judges.
      valid: the validation part.
      batch_size: images of a batch of rewards.
      seed: the seed of the run, which decides the order of the images.
      replicas: the devices that share the proposals (`runtime.Replicas`).
      class_weights: float32 [classes], how much an image of each class counts; all alike by default.

    Raises:
      InputError: the validation part does not fill one batch.
    """

    is_higher_better = True

    def __init__(
        self,
        supernet: Supernet,
        valid: Split,
        batch_size: int,
        seed: int,
        replicas: Any,
        class_weights: np.ndarray | None = None,
    ):
        self.supernet, self.valid, self.batch_size, self._weights = supernet, valid, batch_size, class_weights
        self.metric = "valid_accuracy" if class_weights is None else "valid_balanced_accuracy"
        # Another order than that of the training batches.
        self._stream = functools.partial(training_batches, valid, batch_size, seed + 1)
        self._scoring = mixed_batches(valid, batch_size)
        image, label = tf.TensorSpec([None, *valid.images.shape[1:]], tf.uint8), tf.TensorSpec([None], tf.int32)
        tokens = tf.TensorSpec([supernet.space.num_tokens], tf.int32)
        self._count = replicas.compile_map(self._count_correct, [image, label, tokens])

    def start(self, first_batch):
        self._rewarding = iter(self._stream(first_step=first_batch))

    def reward(self, tokens, num_batches=1):
        batches, proposals = [next(self._rewarding) for _ in range(num_batches)], tf.unstack(tokens)
        counts = tf.stack(self._count((*batch, proposal) for proposal in proposals for batch in batches))
        total = self.batch_size * num_batches if self._weights is None else self._weigh(batches)
        return tf.reduce_sum(tf.reshape(counts, [len(proposals), num_batches]), axis=1) / total

    def score(self, tokens, num_batches=0):
        batches = self._scoring[: num_batches or None]
        correct = tf.add_n(self._count((*batch, tf.constant(tokens)) for batch in batches))
        return float(correct) / self._weigh(batches)

    def _weigh(self, batches: list[tuple[tf.Tensor, tf.Tensor]]) -> float:
        """Return how much all images of `batches` count together."""
        if self._weights is None:
            return sum(len(labels) for _, labels in batches)
        return sum(float(self._weights[labels.numpy()].sum()) for _, labels in batches)

    def _count_correct(self, images: tf.Tensor, labels: tf.Tensor, tokens: tf.Tensor) -> tf.Tensor:
        logits, _ = self.supernet(images, tokens)
        return count_correct(labels, logits, self._weights)


def mixed_batches(split: Split, batch_size: int) -> list[tuple[tf.Tensor, tf.Tensor]]:
    """Return all of `split` in one fixed random order, as batches of `batch_size` images or a few more.

    Batch statistics make a child's output depend on the whole batch. So the images are shuffled, and all batches have
    about the same size.

    Raises:
      InputError: `split` does not fill one batch.
    """
    num = steps_per_epoch(split, batch_size)
    order = np.array_split(np.random.default_rng(0).permutation(len(split)), num)
    with tf.device("/CPU:0"):
        return [(tf.constant(split.images[part]), tf.constant(split.labels[part])) for part in order]


def compile_measure(child: keras.Model) -> Callable[..., dict[str, float]]:
    """Return a function of batches to the loss (mean cross-entropy, nats) and the accuracy of `child` in inference.

    The batches are (images uint8 [b, height, width, channels], labels int32 [b]) of any sizes, which are converted to
    what the child takes. One trace serves all. A second argument of the function, int64 [classes, classes], is
    increased by how many images of each class (row) are taken for each (column).
    """
    image = tf.TensorSpec([None, *child.input_shape[1:]], child.inputs[0].dtype)

    @tf.function(autograph=False, input_signature=[image, tf.TensorSpec([None], tf.int32)])
    def measure_batch(images, labels):
        logits = child(images, training=False)
        size = tf.cast(tf.shape(labels)[0], tf.float32)
        sums = tf.stack([cross_entropy(labels, logits) * size, count_correct(labels, logits), size])
        return sums, tf.argmax(logits, axis=-1)

    def measure(batches: tf.data.Dataset, confusion: np.ndarray | None = None) -> dict[str, float]:
        # Without a copy where the child takes bytes.
        given = batches if values_of(child).is_bytes else ((inputs_for(child, x.numpy()), y) for x, y in batches)
        total = np.zeros(3, np.float32)
        for images, labels in given:
            sums, predicted = measure_batch(images, labels)
            total += sums.numpy()
            if confusion is not None:
                np.add.at(confusion, (np.asarray(labels), predicted.numpy()), 1)
        loss, correct, size = total
        return {"loss": float(loss / size), "accuracy": float(correct / size)}

    return measure
