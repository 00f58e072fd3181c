"""Evaluators: what a proposal is worth. Here by weights that all proposals share (Pham et al. 2018, section 2.2)."""

import dataclasses
import functools
import time
from collections.abc import Callable
from typing import Protocol

import keras
import numpy as np
import tensorflow as tf

from enas_tf.data.augmentation import AugmentationConfig
from enas_tf.data.images import ImageData, Split
from enas_tf.data.pipeline import steps_per_epoch, training_batches
from enas_tf.errors import InputError
from enas_tf.layers.collectives import own_graph
from enas_tf.options import option, require
from enas_tf.runtime import cluster
from enas_tf.runtime.replicas import Replicas
from enas_tf.runtime.seeds import seed_for, seed_of_attempt
from enas_tf.search.searchers.reinforce import Searcher
from enas_tf.tasks.classification import count_correct, cross_entropy
from enas_tf.training.health import LossWatch
from enas_tf.training.optimizers import SgdConfig, apply_clipped, build_optimizer, scaled, tracked_scale


@dataclasses.dataclass(frozen=True)
class SharedTrainingConfig:
    """How shared weights are trained and proposals rewarded; values of scripts/cifar10_macro_search.sh."""

    batch_size: int = option(128, "images (rows of text) of a training step and of a reward, over all devices")
    children_per_step: int = option(
        1, "M: each training step draws this many children; each takes its part of the batch"
    )

    def __post_init__(self):
        require(self.batch_size >= 1, "batch_size", self.batch_size, "at least 1")
        require(self.children_per_step >= 1, "children_per_step", self.children_per_step, "at least 1")
        if self.batch_size % self.children_per_step:
            raise InputError(
                f"--batch_size={self.batch_size} does not split over --children_per_step={self.children_per_step} "
                "children: expected a multiple of it."
            )


class Evaluator(Protocol):
    """What a search asks of it; the loop and derive know no more.

    Attributes:
      metric: the name of what `score` returns, and `is_higher_better` what is good of it.
      tracked: what a checkpoint holds of the evaluator.
      steps_per_epoch: steps of `prepare`, about.
      problem: that the shared weights have diverged, in words.
    """

    metric: str
    is_higher_better: bool
    tracked: dict[str, object]
    steps_per_epoch: int
    problem: str | None

    def num_steps(self, epoch: int) -> int:
        """Steps of `prepare` in `epoch`."""

    def start(self, epoch: int, step: int = 0, first_reward: int = 0, attempt: int = 0) -> None:
        """Sets all streams of data to where an unbroken run stands.

        That is before `step` of `epoch`, after `first_reward` rewards since the beginning; another `attempt` has other
        data and random numbers.
        """

    def prepare(
        self, searcher: Searcher, epoch: int, first_step: int = 0, advance: Callable[[int], None] = lambda num: None
    ) -> dict[str, float]:
        """Trains what proposals are judged with for an epoch, from `first_step` on; the means of all of the epoch.

        `advance(n)` is called after every n steps.
        """

    def evaluate(self, tokens: tf.Tensor) -> tf.Tensor:
        """Rewards float32 [n] of proposals `tokens` int32 [n, num_tokens]; more is better."""

    def score(self, tokens: np.ndarray, num_batches: int = 0) -> float:
        """The metric of one proposal on the validation part, or on `num_batches` of its batches when not 0."""


class SharedWeightsEvaluator:
    """Trains a supernet, a fresh child per step, and rewards proposals with its weights.

    The reward is the accuracy on one validation batch, normalised by that batch's own statistics.
    """

    metric, is_higher_better = "valid_accuracy", True

    def __init__(
        self,
        supernet: keras.layers.Layer,
        data: ImageData,
        config: SharedTrainingConfig,
        sgd: SgdConfig,
        augmentation: AugmentationConfig,
        seed: int,
        replicas: Replicas | None = None,
    ):
        self.replicas = replicas or Replicas()
        self.replicas.check_divides("batch_size", config.batch_size)
        if config.children_per_step > 1:
            self.replicas.check_divides("children_per_step", config.children_per_step)
        self.supernet, self.data, self.config, self.sgd = supernet, data, config, sgd
        self.augmentation, self.seed = augmentation, seed
        self.steps_per_epoch = steps_per_epoch(data.train, config.batch_size)
        self.optimizer = build_optimizer(sgd, self.steps_per_epoch, supernet.trainable_variables)
        self._loss_scale = self.replicas.build_loss_scale()
        names = ("loss", "accuracy", "gradient_norm", "learning_rate")
        self._means = {name: keras.metrics.Mean(name) for name in names}
        self._watch = LossWatch()
        self._scoring = mixed_batches(data.valid, config.batch_size)
        image = tf.TensorSpec([None, *data.image_shape], tf.uint8)
        label, tokens = tf.TensorSpec([None], tf.int32), tf.TensorSpec([supernet.space.num_tokens], tf.int32)
        self._count = self.replicas.compile_map(self._count_correct, [image, label, tokens])

    @property
    def tracked(self) -> dict[str, object]:
        """What a checkpoint holds of the evaluator."""
        means = list(self._means.values())
        return {
            "supernet": self.supernet,
            "shared_optimizer": self.optimizer,
            "shared_means": means,
            **tracked_scale(self._loss_scale),
        }

    @property
    def problem(self) -> str | None:
        return self._watch.problem

    def num_steps(self, epoch: int) -> int:
        return self.steps_per_epoch

    def start(self, epoch: int, step: int = 0, first_reward: int = 0, attempt: int = 0) -> None:
        batch = self.config.batch_size
        self._watch.reset()
        self._training = iter(
            training_batches(
                self.data.train,
                batch,
                seed_of_attempt(self.seed, attempt),
                first_step=epoch * self.steps_per_epoch + min(step, self.steps_per_epoch),
                augmentation=self.augmentation,
                fill_color=self.data.channel_mean,
            )
        )
        self._rewarding = iter(training_batches(self.data.valid, batch, self.seed + 1, first_step=first_reward))

    def prepare(self, searcher: Searcher, epoch: int, first_step=0, advance=lambda num: None) -> dict[str, float]:
        """One pass over the training part; a child of its own for every step. Returns the epoch's means."""
        if first_step == 0:
            for mean in self._means.values():
                mean.reset_state()
        num, children = self.steps_per_epoch, self.config.children_per_step
        # The policy rests in this phase: an epoch's proposals are drawn in one pass.
        proposal_seed = seed_for(self.seed, "shared_proposals", epoch)
        tokens = cluster.agree(searcher.propose(tf.constant(num * children), proposal_seed))
        tokens = tf.reshape(tokens, [num, children, -1])
        dropout_seed = seed_for(self.seed, "shared_dropout", epoch)
        begin = time.perf_counter()
        inputs = ((*next(self._training), tokens[i], dropout_seed + i * children) for i in range(first_step, num))
        self.replicas.take_steps(self._train_step, inputs, advance)
        seconds = time.perf_counter() - begin
        means = {name: float(mean.result()) for name, mean in self._means.items()}
        return means | {"images_per_second": (num - first_step) * self.config.batch_size / seconds}

    def evaluate(self, tokens: tf.Tensor) -> tf.Tensor:
        """Rewards float32 [n] of proposals `tokens` int32 [n, num_tokens], each on a validation batch of its own."""
        items = [(*next(self._rewarding), proposal) for proposal in tf.unstack(tokens)]
        return tf.stack(self._count(items)) / self.config.batch_size

    def score(self, tokens: np.ndarray, num_batches: int = 0) -> float:
        """Accuracy of one proposal on the validation part, or on `num_batches` of its batches when that is not 0."""
        batches = self._scoring[: num_batches or None]
        correct = tf.add_n(self._count((*batch, tf.constant(tokens)) for batch in batches))
        return float(correct) / sum(len(labels) for _, labels in batches)

    def _count_correct(self, images, labels, tokens):
        logits, _ = self.supernet(images, tokens)
        return count_correct(labels, logits)

    @functools.partial(own_graph, reduce_retracing=True)
    def _train_step(self, images, labels, tokens, dropout_seed):
        """One step of SGD on a batch: `tokens` [children, num_tokens], the batch split evenly among them.

        One child is computed by all replicas, each on its part of the batch; of more each replica has its own.
        """
        if self.config.children_per_step == 1:
            self.replicas.run(self._take_step, [images, labels], tokens[0], dropout_seed)
        else:
            seeds = dropout_seed + tf.range(self.config.children_per_step)[:, None]
            self.replicas.run(self._take_step, [images, labels, tokens, seeds])

    def _take_step(self, batch, *child):
        """A replica's part of a step."""
        if child:
            gradients, loss, correct = self.replicas.differentiate(self._differentiate, *batch, *child)
        else:  # Statistics of children of its own are its own too.
            gradients, loss, correct = self._differentiate_each(*batch)
        variables = self.supernet.trainable_variables
        step, rate = self.optimizer.iterations.value, tf.convert_to_tensor(self.optimizer.learning_rate)
        norm = apply_clipped(self.optimizer, gradients, variables, self.sgd.clip_norm, loss_scale=self._loss_scale)
        self._watch.update(step, loss, rate, norm)
        self._means["learning_rate"].update_state(rate)
        self._means["loss"].update_state(loss)
        self._means["accuracy"].update_state(correct / tf.cast(tf.shape(batch[1])[0], tf.float32))
        self._means["gradient_norm"].update_state(norm)

    def _differentiate(self, images, labels, tokens, dropout_seed):
        """Gradients of one child's loss, the loss without its L2 term, and the number of images told right."""
        with tf.GradientTape() as tape:
            logits, squares = self.supernet(images, tokens, dropout_seed)
            loss = cross_entropy(labels, logits)
            total = scaled(loss + self.sgd.l2 * squares, self._loss_scale)
        variables = [variable.value for variable in self.supernet.trainable_variables]
        gradients = tape.gradient(total, variables, unconnected_gradients="zero")
        return [tf.convert_to_tensor(g) for g in gradients], loss, count_correct(labels, logits)

    def _differentiate_each(self, images, labels, tokens, dropout_seeds):
        """The mean over children of gradients and losses, one child after another, in one loop of the graph."""
        children = tokens.shape[0]
        images = tf.stack(tf.split(images, children))
        labels = tf.stack(tf.split(labels, children))

        def add_child(i, gradients, loss, correct):
            mine, its_loss, its_correct = self._differentiate(images[i], labels[i], tokens[i], dropout_seeds[i])
            gradients = [total + gradient / children for total, gradient in zip(gradients, mine, strict=True)]
            return i + 1, gradients, loss + its_loss / children, correct + its_correct

        zeros = [tf.zeros(variable.shape) for variable in self.supernet.trainable_variables]
        start = (0, zeros, tf.zeros([]), tf.zeros([]))
        _, gradients, loss, correct = tf.while_loop(lambda i, *_: i < children, add_child, start, parallel_iterations=1)
        return gradients, loss, correct


def mixed_batches(split: Split, batch_size: int) -> list[tuple[tf.Tensor, tf.Tensor]]:
    """All of `split` in one fixed random order, cut into batches of `batch_size` or a little more.

    Batch statistics make a batch's mixture part of what it measures: sources that are sorted by class are mixed, and no
    short last batch is left. Raises `InputError` when `split` does not fill one batch.
    """
    num = steps_per_epoch(split, batch_size)
    order = np.array_split(np.random.default_rng(0).permutation(len(split)), num)
    with tf.device("/CPU:0"):
        return [(tf.constant(split.images[part]), tf.constant(split.labels[part])) for part in order]
