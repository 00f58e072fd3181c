"""Training a child from scratch: the same loop for every architecture and any Keras classifier of images."""

import dataclasses
import time
from collections.abc import Callable

import keras
import tensorflow as tf

from enas_tf.data.augmentation import AugmentationConfig
from enas_tf.data.images import ImageData, Split
from enas_tf.data.pipeline import evaluation_batches, steps_per_epoch, training_batches
from enas_tf.layers.collectives import own_graph
from enas_tf.layers.functions import sum_of_squares
from enas_tf.models.trainee import Trainee
from enas_tf.options import option, require
from enas_tf.runtime.checkpoints import Checkpoints, Position
from enas_tf.runtime.replicas import Replicas
from enas_tf.runtime.reporting import Reporter
from enas_tf.runtime.seeds import seed_for, seed_of_attempt
from enas_tf.tasks.classification import count_correct, cross_entropy
from enas_tf.training.epochs import run_epochs
from enas_tf.training.health import LossWatch, Recovery
from enas_tf.training.optimizers import SgdConfig, apply_clipped, build_optimizer, scaled, tracked_scale

#: The reference's values where they differ from the search's (scripts/cifar10_macro_final.sh).
RETRAIN_SGD = SgdConfig(min_learning_rate=0.001, l2=2e-4)


@dataclasses.dataclass(frozen=True)
class RetrainConfig:
    """Length and data of the child's training; the reference's values (scripts/cifar10_macro_final.sh)."""

    retrain_epochs: int = option(310, "epochs of retraining; whole cosine cycles end at 10, 30, 70, 150, 310, 630")
    retrain_batch_size: int = option(100, "images (rows of text) of a step of retraining, over all devices")
    label_smoothing: float = option(0.0, "share of the target spread evenly over all classes")
    train_on: str = option(
        "train",
        "train = keep the validation part to watch; train+valid = train on both, for final numbers as papers do",
        choices=("train", "train+valid"),
    )

    def __post_init__(self):
        require(self.retrain_epochs >= 1, "retrain_epochs", self.retrain_epochs, "at least 1")
        require(self.retrain_batch_size >= 1, "retrain_batch_size", self.retrain_batch_size, "at least 1")
        require(0 <= self.label_smoothing < 1, "label_smoothing", self.label_smoothing, "a share in [0, 1)")


class ChildTrainer:
    """Trains the child of `trainee` (uint8 images to logits) by SGD; everything a checkpoint needs is in `tracked`."""

    def __init__(
        self,
        trainee: Trainee,
        data: ImageData,
        config: RetrainConfig,
        sgd: SgdConfig,
        augmentation: AugmentationConfig,
        seed: int,
        replicas: Replicas | None = None,
    ):
        self.replicas = replicas or Replicas()
        self.replicas.check_divides("retrain_batch_size", config.retrain_batch_size)
        self.trainee, self.data, self.config, self.sgd, self.seed = trainee, data, config, sgd, seed
        self.augmentation = augmentation
        self.train = training_split(data, config)
        self.steps_per_epoch = steps_per_epoch(self.train, config.retrain_batch_size)
        self.optimizer = build_optimizer(sgd, self.steps_per_epoch, trainee.trainable_variables)
        self._loss_scale = self.replicas.build_loss_scale()
        self.measure = compile_measure(trainee.child)
        is_valid_held_out = config.train_on == "train"
        self._watched = evaluation_batches(data.valid, config.retrain_batch_size) if is_valid_held_out else None
        names = ("loss", "accuracy", "gradient_norm", "learning_rate")
        self._means = {name: keras.metrics.Mean(name) for name in names}
        self._watch, self._recovery = LossWatch(), Recovery("retrain")

    @property
    def tracked(self) -> dict[str, object]:
        """What a checkpoint holds: the child, dropout's random state included, what trains it, and the optimizer."""
        under_way = [*self._means.values(), *self._recovery.tracked]
        tracked = {**self.trainee.tracked, "optimizer": self.optimizer, "under_way": under_way}
        return tracked | tracked_scale(self._loss_scale)

    def run(self, reporter: Reporter, checkpoints: Checkpoints) -> None:
        """Runs what the newest checkpoint has not done; leaves the child trained."""
        normalizations = [x for x in self.trainee.layers_in_training if isinstance(x, keras.layers.BatchNormalization)]
        for layer in normalizations:
            layer.synchronized = self.collectives.is_synchronized
        run_epochs(self, self.config.retrain_epochs, reporter, checkpoints, self._recovery)
        for layer in normalizations:
            layer.synchronized = False  # Of no use to a child that is done.

    @property
    def problem(self) -> str | None:
        """That the child has diverged, in words."""
        return self._watch.problem

    def start(self, position: Position) -> None:
        """Sets the stream of batches to where an unbroken run stands at `position`."""
        self._watch.reset()
        batches = training_batches(
            self.train,
            self.config.retrain_batch_size,
            seed_of_attempt(self.seed, self._recovery.count),
            first_step=position.epoch * self.steps_per_epoch + position.step,
            augmentation=self.augmentation,
            fill_color=self.data.channel_mean,
        )
        self._batches = iter(batches)

    def run_epoch(self, epoch: int, first_step: int, advance: Callable[[int], None]) -> dict[str, float]:
        """The steps of `epoch` from `first_step` on; the means of all of them, and the validation part's."""
        if first_step == 0:
            for mean in self._means.values():
                mean.reset_state()
        begin = time.perf_counter()
        inputs = (next(self._batches) for _ in range(first_step, self.steps_per_epoch))
        self.replicas.take_steps(self._train_step, inputs, advance)
        seconds = time.perf_counter() - begin
        metrics = {name: float(mean.result()) for name, mean in self._means.items()}
        if self._watched is not None:
            watched = self.measure(self._watched)
            metrics |= {"valid_loss": watched["loss"], "valid_accuracy": watched["accuracy"]}
        num_images = (self.steps_per_epoch - first_step) * self.config.retrain_batch_size
        metrics["images_per_second"] = num_images / seconds
        return metrics

    @own_graph
    def _train_step(self, images, labels):
        self.replicas.run(self._take_step, [images, labels])

    def _take_step(self, batch):
        """A replica's part of a step."""
        images, labels = batch
        variables = self.trainee.trainable_variables
        step = tf.cast(self.optimizer.iterations, tf.int32)
        progress = tf.cast(step + 1, tf.float32) / (self.config.retrain_epochs * self.steps_per_epoch)
        seed = tf.random.experimental.stateless_fold_in(seed_for(self.seed, "drop_path"), step)
        differentiate = self._differentiate
        if self.replicas.jit_compile:
            differentiate = tf.function(differentiate, autograph=False, jit_compile=True)
        gradients, loss, correct = differentiate(images, labels, progress, seed)
        rate = tf.convert_to_tensor(self.optimizer.learning_rate)
        norm = apply_clipped(self.optimizer, gradients, variables, self.sgd.clip_norm, loss_scale=self._loss_scale)
        self._watch.update(step, loss, rate, norm)
        self._means["learning_rate"].update_state(rate)
        self._means["loss"].update_state(loss)
        self._means["accuracy"].update_state(correct / tf.cast(tf.shape(labels)[0], tf.float32))
        self._means["gradient_norm"].update_state(norm)

    def _differentiate(self, images, labels, progress, seed):
        """Gradients of the whole loss, the child's cross-entropy, and the number of images told right."""
        values = [variable.value for variable in self.trainee.trainable_variables]
        with tf.GradientTape() as tape:
            outputs = self.trainee.predict(images, progress, seed)
            losses = [cross_entropy(labels, logits, self.config.label_smoothing) for logits, _ in outputs]
            weighted = tf.add_n([weight * loss for loss, (_, weight) in zip(losses, outputs, strict=True)])
            total = scaled(weighted + self.sgd.l2 * sum_of_squares(values), self._loss_scale)
        return tape.gradient(total, values), losses[0], count_correct(labels, outputs[0][0])


def training_split(data: ImageData, config: RetrainConfig) -> Split:
    """The images that the child is trained on."""
    return data.train.concatenate(data.valid) if config.train_on == "train+valid" else data.train


def compile_measure(child: keras.Model) -> Callable[[tf.data.Dataset], dict[str, float]]:
    """A function of batches to the loss (mean cross-entropy, nats) and the accuracy of `child` in inference mode.

    The batches are (images uint8 [b, height, width, channels], labels int32 [b]) of any sizes; one trace serves all.
    """
    shape = [None, *child.input_shape[1:]]

    @tf.function(autograph=False, input_signature=[tf.TensorSpec(shape, tf.uint8), tf.TensorSpec([None], tf.int32)])
    def measure_batch(images, labels):
        logits = child(images, training=False)
        size = tf.cast(tf.shape(labels)[0], tf.float32)
        return tf.stack([cross_entropy(labels, logits) * size, count_correct(labels, logits), size])

    def measure(batches: tf.data.Dataset) -> dict[str, float]:
        loss, correct, size = sum(measure_batch(images, labels).numpy() for images, labels in batches)
        return {"loss": float(loss / size), "accuracy": float(correct / size)}

    return measure
