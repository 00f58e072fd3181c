"""The problems of language modelling, by a supernet and by a child, and the judge by perplexity."""

import dataclasses
from typing import Protocol

import numpy as np
import tensorflow as tf

from enas_tf.data.text import TextData
from enas_tf.data.text_batches import TextStream, evaluation_windows, in_rows
from enas_tf.layers.functions import sum_of_squares
from enas_tf.models.language import LanguageConfig, LanguageTrainee, Reading
from enas_tf.options import Group, option, require
from enas_tf.tasks.language_measures import mean_cross_entropy, perplexity
from enas_tf.tasks.losses import cross_entropy
from enas_tf.tasks.problem import Judge, Loss, Problem, Supernet


@dataclasses.dataclass(frozen=True)
class WindowConfig:
    """Windows of text, and penalties for large and fast states; the values of enas_lm's search (child.py)."""

    bptt: int = option(35, "tokens of a window, through which gradients flow", most=100_000)
    random_bptt: bool = option(True, "draw the lengths of training windows at random, as AWD-LSTM does")
    activation_penalty: float = option(0.0, "weight of the mean square of the outputs after dropout in the loss")
    slowness_penalty: float = option(1.0, "weight of the mean square of the outputs' change over a time step")

    def __post_init__(self):
        require(self.bptt >= 1, "bptt", self.bptt, "at least 1")
        require(self.activation_penalty >= 0, "activation_penalty", self.activation_penalty, "0 or more")
        require(self.slowness_penalty >= 0, "slowness_penalty", self.slowness_penalty, "0 or more")


WINDOW = Group(WindowConfig(), stages=("search",), is_of_sharing=True)
#: The final training's values (enas_lm, fixed_lib.py): alpha is 0.7, and there is no slowness term.
RETRAIN_WINDOW = Group(
    WindowConfig(activation_penalty=0.7, slowness_penalty=0.0), prefix="retrain_", stages=("retrain",)
)


@dataclasses.dataclass(frozen=True)
class RewardConfig:
    """The reward of a language model; the value of both repositories."""

    reward_scale: float = option(80.0, "the reward is this divided by the perplexity of a validation window")

    def __post_init__(self):
        require(self.reward_scale > 0, "reward_scale", self.reward_scale, "above 0")


REWARD = Group(RewardConfig(), stages=("search",), is_of_sharing=True)


def penalty(reading: Reading, config: WindowConfig) -> tf.Tensor:
    """Return activation and temporal activation regularisation (Merity et al. 2018), float32 scalar.

    Activations are those after dropout, as there; enas_lm takes its activation penalty before dropout.
    """
    total = tf.zeros([])
    if config.activation_penalty:
        total += config.activation_penalty * tf.reduce_mean(tf.square(reading.dropped))
    if config.slowness_penalty:
        # A window of one token has no change: the sum is divided by at least 1.
        change = tf.square(reading.states[:, 1:] - reading.states[:, :-1])
        count = tf.cast(tf.maximum(tf.size(change), 1), tf.float32)
        total += config.slowness_penalty * tf.reduce_sum(change) / count
    return total


def window_scale(ids: tf.Tensor, config: WindowConfig) -> tf.Tensor:
    """Return the factor of the learning rate for a window `ids` [rows, time]: its length / bptt (enas_lm)."""
    return tf.cast(tf.shape(ids)[1], tf.float32) / config.bptt


class LanguageSupernet(Supernet, Protocol):
    """Shared weights of language models. Called with ids, a state, tokens and perhaps a seed, it returns a `Reading`.

    Attributes:
      network: width and dropout.
    """

    @property
    def network(self) -> LanguageConfig: ...

    def logits(self, outputs: tf.Tensor) -> tf.Tensor:
        """Return the logits of the next token, [..., vocabulary], for `outputs` [..., units]."""


class _TextProblem(Problem):
    """Windows of text, read one after the other; the state is carried from each to the next."""

    def __init__(self, data: TextData, batch_size: int, window: WindowConfig):
        self.rows, self.window = in_rows(data.train, batch_size), window
        self.stream = TextStream(self.rows, window.bptt, window.random_bptt)

    def rate_scale(self, batch):
        return window_scale(batch[0], self.window)

    def step_seed(self, seeds, epoch, step):
        return seeds("language_dropout", epoch) + step

    def summarize(self, means):
        return means | {"perplexity": perplexity(means["loss"])}


class TextSupernetProblem(_TextProblem):
    """Shared weights: another cell reads each window, from the last state of the cell before it (enas_lm)."""

    def __init__(self, supernet: LanguageSupernet, data: TextData, batch_size: int, window: WindowConfig):
        super().__init__(data, batch_size, window)
        self.supernet, self.variables, self.tracked = supernet, supernet.trainable_variables, {"supernet": supernet}
        self.num_tokens = supernet.space.num_tokens
        self.state_shape = batch_size, supernet.network.units
        self.signature = [tf.TensorSpec([None, None], tf.int32)] * 2

    def forward(self, batch, inputs):
        ids, targets, state = batch
        reading, squares = self.supernet(ids, state, inputs.tokens, inputs.seed)
        loss = cross_entropy(targets, self.supernet.logits(reading.dropped))
        return Loss(loss + penalty(reading, self.window), loss, squares, {}, reading.last)


class TextChildProblem(_TextProblem):
    """A child that is a language model."""

    def __init__(self, trainee: LanguageTrainee, data: TextData, batch_size: int, window: WindowConfig):
        super().__init__(data, batch_size, window)
        self.trainee, self.variables, self.tracked = trainee, trainee.trainable_variables, trainee.tracked
        self.state_shape = batch_size, trainee.child.input_shape[1][-1]
        self.signature = [tf.TensorSpec([batch_size, None], tf.int32)] * 2
        self.layers_in_training = trainee.layers_in_training

    def forward(self, batch, inputs):
        ids, targets, state = batch
        reading = self.trainee.read(ids, state, inputs.seed)
        loss = cross_entropy(targets, self.trainee.logits(reading.dropped))
        squares = sum_of_squares([variable.value for variable in self.variables])
        return Loss(loss + penalty(reading, self.window), loss, squares, {}, reading.last)


class PerplexityJudge(Judge):
    """Judges by perplexity on the validation part.

    A reward is `reward_scale` / perplexity of the next windows, each of which is read from a state of zeros. A score
    carries the state over the whole text.

    Raises:
      InputError: the validation part is too short.
    """

    metric, is_higher_better = "valid_perplexity", False

    def __init__(
        self, supernet: LanguageSupernet, data: TextData, batch_size: int, window: WindowConfig, reward: RewardConfig
    ):
        self.supernet, self.window, self.config = supernet, window, reward
        self.rows = in_rows(data.valid, batch_size, "validation")
        self._size, self._next_window = supernet.network.units, 0
        self._rewarded = list(evaluation_windows(self.rows, window.bptt))
        ids, tokens = tf.TensorSpec([None, None], tf.int32), tf.TensorSpec([supernet.space.num_tokens], tf.int32)
        signature = [ids, ids, tf.TensorSpec([None, self._size], tf.float32), tokens]
        self.read = tf.function(self._read, autograph=False, input_signature=signature)

    def start(self, first_batch):
        self._next_window = first_batch

    def reward(self, tokens, num_batches=1):
        places = [(self._next_window + i) % len(self._rewarded) for i in range(num_batches)]
        self._next_window += num_batches
        windows = [[tf.constant(ids) for ids in self._rewarded[place]] for place in places]
        num_words = sum(ids.size for ids, _ in (self._rewarded[place] for place in places))
        state = tf.zeros([len(self.rows), self._size])
        rewards = []
        for proposal in tf.unstack(tokens):
            loss = tf.add_n([self.read(ids, targets, state, proposal)[0] for ids, targets in windows])
            rewards.append(self.config.reward_scale * tf.exp(-loss / num_words))
        return tf.stack(rewards)

    def score(self, tokens, num_batches=0):
        def read(ids, targets, state):
            return self.read(ids, targets, state, tf.constant(tokens, tf.int32))

        return perplexity(mean_cross_entropy(read, self.rows, self.window.bptt, self._size, num_batches))

    def _read(
        self, ids: tf.Tensor, targets: tf.Tensor, state: tf.Tensor, tokens: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Return the summed cross-entropy in nats of a window, and the next state."""
        reading, _ = self.supernet(ids, state, tokens)
        loss = cross_entropy(targets, self.supernet.logits(reading.states))
        return loss * tf.cast(tf.size(ids), tf.float32), reading.last


def validation_rows(ids: np.ndarray, batch_size: int) -> np.ndarray:
    """Return the validation part as the rows that a child reads: ten, or fewer where there is less text."""
    return in_rows(ids, max(1, min(batch_size, 10, len(ids) // 2)), "validation")
