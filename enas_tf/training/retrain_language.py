"""Training a recurrent child from scratch: SGD that turns into averaged SGD when the validation loss stops falling.

Non-monotonically triggered averaging (NT-ASGD, Merity et al. 2018; enas_lm): from the epoch whose validation loss is
above the lowest of all but the last few, the child that is validated, tested and kept is the mean of the weights over
all steps since.
"""

import dataclasses
import math
import time
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from enas_tf.data.text import TextData
from enas_tf.data.text_batches import in_rows, training_windows, windows
from enas_tf.layers.collectives import own_graph
from enas_tf.layers.functions import sum_of_squares
from enas_tf.models.recurrent_training import RecurrentTrainee
from enas_tf.options import option, require
from enas_tf.runtime.checkpoints import Checkpoints, Position
from enas_tf.runtime.replicas import Replicas, gather_rows
from enas_tf.runtime.reporting import Reporter
from enas_tf.runtime.seeds import seed_for, seed_of_attempt
from enas_tf.tasks.classification import cross_entropy
from enas_tf.tasks.language import (
    WindowConfig,
    compile_reader,
    mean_cross_entropy,
    penalty,
    perplexity,
    window_scale,
)
from enas_tf.training.epochs import run_epochs
from enas_tf.training.health import LossWatch, Recovery
from enas_tf.training.optimizers import SgdConfig, apply_clipped, build_optimizer, scaled, tracked_scale


@dataclasses.dataclass(frozen=True)
class AveragingConfig:
    """When averaging begins; enas_lm's value."""

    patience: int = option(
        10, "recurrent space: weights are averaged once the validation loss exceeds the lowest of all but this many "
        "last epochs"
    )  # fmt: skip

    def __post_init__(self):
        require(self.patience >= 1, "patience", self.patience, "at least 1")


class LanguageTrainer:
    """Trains the child of `trainee`; everything a checkpoint needs is in `tracked`.

    A training that diverges goes back to the last checkpoint, as in enas_lm.
    """

    def __init__(
        self,
        trainee: RecurrentTrainee,
        data: TextData,
        epochs: int,
        batch_size: int,
        sgd: SgdConfig,
        window: WindowConfig,
        averaging: AveragingConfig,
        seed: int,
        replicas: Replicas | None = None,
    ):
        self.replicas = replicas or Replicas()
        self.replicas.check_divides("retrain_batch_size", batch_size)
        self.trainee, self.data, self.epochs, self.sgd = trainee, data, epochs, sgd
        self.window, self.averaging, self.seed = window, averaging, seed
        self.train = in_rows(data.train, batch_size)
        self.valid = in_rows(data.valid, max(1, min(batch_size, 10, len(data.valid) // 2)), "validation")
        self.steps_per_epoch = len(windows(self.train.shape[1], window.bptt, seed, 0, is_random=False))
        variables = trainee.trainable_variables
        self.optimizer = build_optimizer(sgd, self.steps_per_epoch, variables)
        self._loss_scale = self.replicas.build_loss_scale()
        self._sums = [tf.Variable(tf.zeros(v.shape), trainable=False, name=f"sum_{v.name}") for v in variables]
        self._num_summed = tf.Variable(0.0, trainable=False, name="num_summed")
        self._is_averaging = tf.Variable(False, trainable=False, name="is_averaging")
        self._watch, self._recovery, self._invalid = LossWatch(), Recovery("retrain"), None
        self._losses = tf.Variable(tf.fill([epochs], np.nan), trainable=False, name="valid_losses")
        self._state = tf.Variable(tf.zeros([batch_size, self.state_size]), trainable=False, name="state")
        self._means = {name: keras.metrics.Mean(name) for name in ("loss", "gradient_norm", "learning_rate")}
        self._read = compile_reader(trainee.child)
        ids, seed = tf.TensorSpec([batch_size, None], tf.int32), tf.TensorSpec([2], tf.int32)
        self._train_step = own_graph(self._take_step, input_signature=[ids, ids, seed])

    @property
    def state_size(self) -> int:
        return self.trainee.child.input_shape[1][-1]

    @property
    def tracked(self) -> dict[str, object]:
        """What a checkpoint holds: the child, the optimizer, the sums of weights and the losses seen so far."""
        averages = [*self._sums, self._num_summed, self._is_averaging, self._losses]
        under_way = [self._state, *self._means.values(), *self._recovery.tracked]
        tracked = {**self.trainee.tracked, "optimizer": self.optimizer, "averages": averages, "under_way": under_way}
        return tracked | tracked_scale(self._loss_scale)

    def run(self, reporter: Reporter, checkpoints: Checkpoints) -> None:
        """Runs what the newest checkpoint has not done; leaves the child trained, averaged if it is time."""
        run_epochs(self, self.epochs, reporter, checkpoints, self._recovery)
        if self._num_summed.numpy():
            self._assign(self._mean_weights())

    @property
    def problem(self) -> str | None:
        """That the child has diverged, in words."""
        return self._watch.problem or self._invalid

    def start(self, position: Position) -> None:
        self._watch.reset()
        self._invalid = None

    def run_epoch(self, epoch: int, first_step: int, advance: Callable[[int], None]) -> dict[str, float]:
        """The windows of `epoch` from `first_step` on; the means of all of them, and the validation part's."""
        if first_step == 0:
            for mean in self._means.values():
                mean.reset_state()
            self._state.assign(tf.zeros_like(self._state))
        begin = time.perf_counter()
        # Other windows and masks after going back, or the same step would fail again.
        seed = seed_of_attempt(self.seed, self._recovery.count)
        dropout_seed = seed_for(seed, "language_dropout", epoch)
        spans = self.window.bptt, seed, epoch, self.window.random_bptt
        batches = training_windows(self.train, *spans, first_step)
        inputs = (
            (tf.constant(ids), tf.constant(targets), dropout_seed + step)
            for step, (ids, targets) in enumerate(batches, start=first_step)
        )
        self.replicas.take_steps(self._train_step, inputs, advance)
        seconds = time.perf_counter() - begin
        num_tokens = len(self.train) * sum(length for _, length in windows(self.train.shape[1], *spans)[first_step:])
        metrics = {name: float(mean.result()) for name, mean in self._means.items()}
        metrics["perplexity"] = perplexity(metrics["loss"])
        valid = self._validate()
        if not math.isfinite(valid):
            self._invalid = f"the validation loss of epoch {epoch + 1} is {valid}"
        self._decide_averaging(epoch, valid)
        return metrics | {
            "valid_loss": valid,
            "valid_perplexity": perplexity(valid),
            "is_averaging": float(self._is_averaging.numpy()),
            "tokens_per_second": num_tokens / seconds,
        }

    def _validate(self) -> float:
        """Nats per token of the validation part, by the averaged weights once there are any."""
        kept = [tf.identity(variable) for variable in self.trainee.trainable_variables]
        if self._is_averaging.numpy():
            self._assign(self._mean_weights())
        loss = mean_cross_entropy(self._read, self.valid, 2 * self.window.bptt, self.state_size)
        self._assign(kept)
        return loss

    def _mean_weights(self) -> list[tf.Tensor]:
        return [total / self._num_summed for total in self._sums]

    def _assign(self, weights: list[tf.Tensor]) -> None:
        for variable, weight in zip(self.trainee.trainable_variables, weights, strict=True):
            variable.assign(weight)

    def _decide_averaging(self, epoch: int, valid: float) -> None:
        earlier = self._losses.numpy()[: max(0, epoch - self.averaging.patience)]
        self._losses.assign(tf.tensor_scatter_nd_update(self._losses, [[epoch]], [valid]))
        if not self._is_averaging.numpy() and earlier.size and valid > earlier.min():
            self._is_averaging.assign(True)

    def _take_step(self, ids, targets, seed):
        """One step of SGD on a window of any length; each replica reads its rows."""
        last = self.replicas.run(self._take_part, [ids, targets, self._state.read_value()], seed)
        self._state.assign(last[0])
        is_summed = tf.cast(self._is_averaging, tf.float32)
        for total, variable in zip(self._sums, self.trainee.trainable_variables, strict=True):
            total.assign_add(is_summed * variable.value)
        self._num_summed.assign_add(is_summed)

    def _take_part(self, batch, seed):
        """A replica's part of a step; the state of all rows after it."""
        variables = self.trainee.trainable_variables
        ids, targets, state = batch
        with tf.GradientTape() as tape:
            reading = self.trainee.read(ids, state, seed)
            loss = cross_entropy(targets, self.trainee.logits(reading.dropped))
            total = loss + penalty(reading, self.window)
            total += self.sgd.l2 * sum_of_squares([variable.value for variable in variables])
            total = scaled(total, self._loss_scale)
        gradients = tape.gradient(total, [variable.value for variable in variables])
        step, rate = self.optimizer.iterations.value, tf.convert_to_tensor(self.optimizer.learning_rate)
        scale = window_scale(ids, self.window)
        norm = apply_clipped(self.optimizer, gradients, variables, self.sgd.clip_norm, scale, self._loss_scale)
        self._watch.update(step, loss, rate, norm)
        self._means["learning_rate"].update_state(rate)
        self._means["loss"].update_state(loss)
        self._means["gradient_norm"].update_state(norm)
        return gather_rows(reading.last)
