"""Training a child from scratch: one trainer for every architecture and every task."""

import contextlib
import dataclasses
import math
from collections.abc import Callable, Iterator

import keras
import tensorflow as tf

from enas_tf.errors import InputError, ref
from enas_tf.options import Group, option, require
from enas_tf.runtime import cluster
from enas_tf.runtime.checkpoints import Checkpoints, Position
from enas_tf.runtime.replicas import Replicas
from enas_tf.runtime.reporting import Reporter
from enas_tf.runtime.seeds import seed_of_attempt
from enas_tf.tasks.problem import Problem
from enas_tf.training.averaging import LateMean, MovingAverage, WeightAverage
from enas_tf.training.best import BestEpoch
from enas_tf.training.health import Recovery
from enas_tf.training.loop import Trainer, run_epochs
from enas_tf.training.optimizers import ChildSgdConfig, SgdConfig
from enas_tf.training.step import TrainingStep


@dataclasses.dataclass(frozen=True)
class RetrainConfig:
    """The length of a child's training; the reference's values (scripts/cifar10_macro_final.sh)."""

    epochs: int = option(
        310, "epochs of retraining; whole cosine cycles end at 10, 30, 70, 150, 310, 630", most=1_000_000
    )
    batch_size: int = option(100, "images (rows of text) of a step of retraining, over all devices", most=1_000_000)

    keep_best: bool = option(
        False, "keep the weights of the epoch whose validation metric is best (the paper: those of the last)"
    )
    stop_patience: int = option(
        0,
        "end retraining after so many epochs in a row whose validation metric is not better than the best; 0 = never",
        most=1_000_000,
    )

    def __post_init__(self):
        require(self.stop_patience >= 0, "stop_patience", self.stop_patience, "0 or more")
        require(self.epochs >= 1, "epochs", self.epochs, "at least 1")
        require(self.batch_size >= 1, "batch_size", self.batch_size, "at least 1")


RETRAIN = Group(RetrainConfig(), prefix="retrain_", stages=("retrain",))


@dataclasses.dataclass(frozen=True)
class InheritConfig:
    """What a child begins with."""

    inherit: bool = option(
        False,
        "begin with the shared weights of the search in the workdir, of a child of the searched size (the paper: with "
        "random ones)",
    )


INHERIT = Group(InheritConfig(), stages=("retrain",))


def build_average(variables: list, sgd: SgdConfig, patience: int | None, num_epochs: int) -> WeightAverage | None:
    """Return the average of the weights that is kept; None where the last weights are.

    Raises:
      InputError: two averages are asked for.
    """
    decay = sgd.weight_average if isinstance(sgd, ChildSgdConfig) else 0.0
    if patience is None:
        return MovingAverage(variables, decay) if decay else None
    if decay:
        raise InputError(
            f"{ref('retrain_weight_average')}={decay} is for images: weights of a language model are averaged from the "
            f"epoch on in which its validation loss stops falling ({ref('retrain_patience')}). Leave it out."
        )
    return LateMean(variables, patience, num_epochs)


class ChildTrainer(Trainer):
    """Trains a child by SGD; goes back to the last checkpoint when it diverges. Build it within the strategy's scope.

    Args:
      problem: the child, its loss and its batches.
      validate: measures the child on the validation part, `valid_loss` among others; None where it is trained on that.
      config: length of the training.
      sgd: how the weights move.
      replicas: the devices that share a step.
      seed: the seed of the run.
      best: what remembers the best epoch, and ends the training early; None for all epochs and the last weights.
      averaging_patience: patience of NT-ASGD (`training/averaging.py`); None for a task without it.

    Attributes:
      valid: what the weights that are kept measure on the validation part; empty before `run`, and without such a part.
    """

    stage = "retrain"

    def __init__(
        self,
        problem: Problem,
        validate: Callable[[], dict[str, float]] | None,
        config: RetrainConfig,
        sgd: SgdConfig,
        replicas: Replicas,
        seed: int,
        averaging_patience: int | None = None,
        best: BestEpoch | None = None,
    ):
        replicas.check_divides(f"{RETRAIN.prefix}batch_size", config.batch_size)
        self.problem, self.config, self._validate = problem, config, validate
        self._replicas, self._seed, self._attempt = replicas, seed, 0
        self.averaging = build_average(problem.variables, sgd, averaging_patience, config.epochs)
        after_step = None if self.averaging is None else self.averaging.add
        self.step = TrainingStep(problem, sgd, replicas, config.epochs * self.steps_per_epoch, after_step)
        self.best = best
        self.valid: dict[str, float] = {}
        self._recovery, self._invalid = Recovery(self.stage), None
        self._reporter: Reporter | None = None

    @property
    def steps_per_epoch(self) -> int:
        """The number of steps of an epoch; about, where they differ."""
        return self.problem.stream.steps_per_epoch

    @property
    def tracked(self) -> dict[str, object]:
        """What a checkpoint holds: the child, what trains it, and how often the training went back."""
        averages = {} if self.averaging is None else {"averages": self.averaging.tracked}
        best = {} if self.best is None else {"best": self.best.tracked}
        return self.step.tracked | averages | best | {"recovery": self._recovery.tracked}

    def run(self, reporter: Reporter, checkpoints: Checkpoints) -> int:
        """Run what the newest checkpoint has not done; leave the child trained, with mean weights if there are any.

        Returns:
          The number of epochs of the whole training, which is less than was planned where a listener has ended it.
        """
        self._reporter = reporter
        with self._synchronized_normalization():
            end = run_epochs(self, self.config.epochs, reporter, checkpoints, self._recovery)
        if self.averaging is not None and not self._is_last_better(self.averaging):
            self.averaging.finish()
        if self.best is not None:
            self.best.finish()
        if self._validate is not None:
            self.valid = self._validate()
        return end.epoch

    def _is_last_better(self, averaging: WeightAverage) -> bool:
        """Return whether the last weights are better than an average that competes with them; say so if they are."""
        decides = not (self.best is not None and self.best.keeps_weights)
        if not (averaging.competes and averaging.is_on and self._validate and decides):
            return False
        losses = [self._validate()["valid_loss"]]
        with averaging.applied():
            losses.append(self._validate()["valid_loss"])
        last, mean = cluster.agree(tf.constant(losses, tf.float32)).numpy().tolist()
        if not last < mean:
            return False
        if self._reporter is not None:
            self._reporter.say(
                f"retrain: the last weights are kept, whose validation loss is {last:.4g}; that of their average is "
                f"{mean:.4g}"
            )
        return True

    @property
    def is_over(self) -> bool:
        return self.best is not None and self.best.is_over

    @contextlib.contextmanager
    def _synchronized_normalization(self) -> Iterator[None]:
        """Let batch normalisation use the statistics of all replicas within the block, if the replicas are told so."""
        layers = [x for x in self.problem.layers_in_training if isinstance(x, keras.layers.BatchNormalization)]
        for layer in layers:
            layer.synchronized = self._replicas.is_synchronized
        try:
            yield
        finally:
            for layer in layers:
                layer.synchronized = False  # A child that is trained has no replicas.

    @property
    def failure(self) -> str | None:
        return self.step.failure or self._invalid

    def start(self, position: Position, attempt: int) -> None:
        self.step.clear_failure()
        self._invalid, self._attempt = None, attempt

    def num_left(self, position: Position, num_epochs: int) -> int:
        return max(0, (num_epochs - position.epoch) * self.steps_per_epoch - position.step)

    def phases(self, position: Position) -> dict[str, int]:
        return {self.stage: position.epoch}

    def run_epoch(self, epoch: int, first_step: int, advance: Callable[[int], None]) -> None:
        """Train for the rest of an epoch and validate."""
        seed = seed_of_attempt(self._seed, self._attempt)
        metrics, speed = self.step.run_epoch(seed, epoch, first_step, advance)
        if self._validate is not None:
            metrics |= self._measure(epoch)
        if self.failure is None and self._reporter is not None:
            self._reporter.record(self.stage, epoch, metrics | speed, self.config.epochs)

    def _measure(self, epoch: int) -> dict[str, float]:
        """Return the metrics of the validation part, by the mean weights once there are any."""
        if self.averaging is None:
            return self._validate_and_remember()
        with self.averaging.applied():
            metrics = self._validate_and_remember()
        loss = metrics["valid_loss"]
        # Averaging compares the losses of epochs, so each has to be a number.
        if not math.isfinite(loss):
            self._invalid = f"the validation loss of epoch {epoch + 1} is {loss}"
        self.averaging.decide(epoch, loss)
        return metrics | {"is_averaging": float(self.averaging.is_on)}

    def _validate_and_remember(self) -> dict[str, float]:
        assert self._validate is not None
        metrics = self._validate()
        # An epoch that has diverged is run again.
        if self.best is not None and self.step.failure is None:
            self.best.decide(metrics)
        return metrics
