"""The evaluator of recurrent cells: language models that share weights (Pham et al. 2018, section 3.1; enas_lm)."""

import dataclasses
import time

import keras
import numpy as np
import tensorflow as tf

from enas_tf.data.text import TextData
from enas_tf.data.text_batches import evaluation_windows, in_rows, training_windows, windows
from enas_tf.layers.collectives import own_graph
from enas_tf.options import option, require
from enas_tf.runtime import cluster
from enas_tf.runtime.replicas import Replicas, gather_rows
from enas_tf.runtime.seeds import seed_for, seed_of_attempt
from enas_tf.search.searchers.reinforce import Searcher
from enas_tf.tasks.classification import cross_entropy
from enas_tf.tasks.language import WindowConfig, mean_cross_entropy, penalty, perplexity, window_scale
from enas_tf.training.health import LossWatch
from enas_tf.training.optimizers import SgdConfig, apply_clipped, build_optimizer, scaled, tracked_scale


@dataclasses.dataclass(frozen=True)
class RewardConfig:
    """The reward of a language model; the value of both repositories."""

    reward_scale: float = option(80.0, "the reward is this divided by the perplexity of a validation window")

    def __post_init__(self):
        require(self.reward_scale > 0, "reward_scale", self.reward_scale, "above 0")


class LanguageEvaluator:
    """Trains a recurrent supernet, a fresh cell per window, and rewards proposals with its weights.

    The state is carried from window to window in training, whatever cell reads the next one (as in enas_lm), and over
    the whole text in `score`. The reward is c / perplexity of one validation window, which begins at a state of zeros.
    """

    metric, is_higher_better = "valid_perplexity", False

    def __init__(
        self,
        supernet: keras.layers.Layer,
        data: TextData,
        batch_size: int,
        sgd: SgdConfig,
        window: WindowConfig,
        reward: RewardConfig,
        seed: int,
        replicas: Replicas | None = None,
    ):
        self.replicas = replicas or Replicas()
        self.replicas.check_divides("batch_size", batch_size)
        self.supernet, self.sgd, self.window, self.reward, self.seed = supernet, sgd, window, reward, seed
        self.train = in_rows(data.train, batch_size)
        self.valid = in_rows(data.valid, batch_size, "validation")
        self.steps_per_epoch = len(windows(self.train.shape[1], window.bptt, seed, 0, is_random=False))
        self.optimizer = build_optimizer(sgd, self.steps_per_epoch, supernet.trainable_variables)
        self._loss_scale = self.replicas.build_loss_scale()
        self._units = supernet.network.units
        self._state = tf.Variable(tf.zeros([batch_size, self._units]), trainable=False, name="state")
        self._means = {name: keras.metrics.Mean(name) for name in ("loss", "gradient_norm", "learning_rate")}
        self._watch, self._attempt = LossWatch(), 0
        self._rewarded = list(evaluation_windows(self.valid, window.bptt))
        ids, tokens = tf.TensorSpec([None, None], tf.int32), tf.TensorSpec([supernet.space.num_tokens], tf.int32)
        state = tf.TensorSpec([None, self._units], tf.float32)
        seed = tf.TensorSpec([2], tf.int32)
        self.read = tf.function(self._read, autograph=False, input_signature=[ids, ids, state, tokens])
        self._train_step = own_graph(self._take_step, input_signature=[ids, ids, tokens, seed])

    @property
    def tracked(self) -> dict[str, object]:
        """What a checkpoint holds of the evaluator, the state within a text included."""
        under_way = [self._state, *self._means.values()]
        tracked = {"supernet": self.supernet, "shared_optimizer": self.optimizer, "under_way": under_way}
        return tracked | tracked_scale(self._loss_scale)

    @property
    def problem(self) -> str | None:
        return self._watch.problem

    def num_steps(self, epoch: int) -> int:
        return len(windows(*self._windows(epoch)))

    def _windows(self, epoch: int) -> tuple:
        """What decides the windows of an epoch of training."""
        return self.train.shape[1], self.window.bptt, self.seed, epoch, self.window.random_bptt

    def start(self, epoch: int, step: int = 0, first_reward: int = 0, attempt: int = 0) -> None:
        self._next_reward, self._attempt = first_reward, attempt
        self._watch.reset()

    def prepare(self, searcher: Searcher, epoch: int, first_step=0, advance=lambda num: None) -> dict[str, float]:
        """One pass over the training part; a cell of its own for every window. Returns the epoch's means."""
        if first_step == 0:
            for mean in self._means.values():
                mean.reset_state()
            self._state.assign(tf.zeros_like(self._state))
        # The policy rests in this phase: an epoch's proposals are drawn in one pass.
        seed = seed_of_attempt(self.seed, self._attempt)
        proposal_seed = seed_for(seed, "shared_proposals", epoch)
        tokens = cluster.agree(searcher.propose(tf.constant(self.num_steps(epoch)), proposal_seed))
        dropout_seed = seed_for(seed, "language_dropout", epoch)
        begin = time.perf_counter()
        batches = training_windows(self.train, *self._windows(epoch)[1:], first_window=first_step)
        inputs = (
            (tf.constant(ids), tf.constant(targets), tokens[step], dropout_seed + step)
            for step, (ids, targets) in enumerate(batches, start=first_step)
        )
        self.replicas.take_steps(self._train_step, inputs, advance)
        seconds = time.perf_counter() - begin
        num_tokens = len(self.train) * sum(length for _, length in windows(*self._windows(epoch))[first_step:])
        means = {name: float(mean.result()) for name, mean in self._means.items()}
        means["perplexity"] = perplexity(means["loss"])
        return means | {"tokens_per_second": num_tokens / seconds}

    def evaluate(self, tokens: tf.Tensor) -> tf.Tensor:
        """Rewards float32 [n] of proposals `tokens` int32 [n, num_tokens], each on the next validation window."""
        state, rewards = tf.zeros([len(self.valid), self._units]), []
        for proposal in tf.unstack(tokens):
            ids, targets = self._rewarded[self._next_reward % len(self._rewarded)]
            loss, _ = self.read(tf.constant(ids), tf.constant(targets), state, proposal)
            rewards.append(self.reward.reward_scale * tf.exp(-loss / ids.size))
            self._next_reward += 1
        return tf.stack(rewards)

    def score(self, tokens: np.ndarray, num_batches: int = 0) -> float:
        """Perplexity per token of one proposal on the validation part, or on `num_batches` of its windows."""

        def read(ids, targets, state):
            return self.read(ids, targets, state, tf.constant(tokens, tf.int32))

        return perplexity(mean_cross_entropy(read, self.valid, self.window.bptt, self._units, num_batches))

    def _read(self, ids, targets, state, tokens):
        """Summed cross-entropy in nats of a window, and the next state."""
        reading, _ = self.supernet(ids, state, tokens)
        loss = cross_entropy(targets, self.supernet.logits(reading.states))
        return loss * tf.cast(tf.size(ids), tf.float32), reading.last

    def _take_step(self, ids, targets, tokens, dropout_seed):
        """One step of SGD on a window of any length, with the cell of `tokens`; each replica reads its rows."""
        last = self.replicas.run(self._take_part, [ids, targets, self._state.read_value()], tokens, dropout_seed)
        self._state.assign(last[0])

    def _take_part(self, batch, tokens, dropout_seed):
        """A replica's part of a step; the state of all rows after it."""
        variables = self.supernet.trainable_variables
        ids, targets, state = batch
        with tf.GradientTape() as tape:
            reading, squares = self.supernet(ids, state, tokens, dropout_seed)
            loss = cross_entropy(targets, self.supernet.logits(reading.dropped))
            total = scaled(loss + penalty(reading, self.window) + self.sgd.l2 * squares, self._loss_scale)
        gradients = tape.gradient(total, [variable.value for variable in variables], unconnected_gradients="zero")
        scale = window_scale(ids, self.window)
        number, rate = self.optimizer.iterations.value, tf.convert_to_tensor(self.optimizer.learning_rate)
        norm = apply_clipped(self.optimizer, gradients, variables, self.sgd.clip_norm, scale, self._loss_scale)
        self._watch.update(number, loss, rate, norm)
        self._means["learning_rate"].update_state(rate)
        self._means["loss"].update_state(loss)
        self._means["gradient_norm"].update_state(norm)
        return gather_rows(reading.last)
