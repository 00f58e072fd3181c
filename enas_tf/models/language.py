"""The parts that all language models share: options, embedding, dropout, and the interface of their training.

A model reads token ids [batch, time] from a state [batch, units]. Embedding and softmax are one matrix, without bias
(ptb_enas_child.py, enas_lm). All dropout masks are drawn once for a window and stay the same over its time steps.
"""

import abc
import dataclasses
from collections.abc import Callable
from typing import NamedTuple

import keras
import tensorflow as tf

from enas_tf.layers import collectives
from enas_tf.models.trainee import Trainee
from enas_tf.options import Group, option, require


@dataclasses.dataclass(frozen=True)
class LanguageConfig:
    """Width and dropout of a language model; the values of enas_lm's search (child.py, `get_hparams`)."""

    units: int = option(200, "size of the embedding and of the state of a language model", most=100_000)
    drop_words: float = option(0.10, "share of the vocabulary that is dropped as a whole in a window")
    drop_embedded: float = option(0.20, "share of the embedding's features that are dropped, over all of a window")
    drop_input: float = option(0.75, "share of the cell's input features that are dropped, over all of a window")
    drop_state: float = option(0.25, "share of a node's features that are dropped where it is read, over a window")
    drop_output: float = option(0.75, "share of the output's features that are dropped before the softmax")
    init_scale: float = option(0.04, "weights start uniform in plus or minus this")

    def __post_init__(self):
        require(self.units >= 1, "units", self.units, "at least 1")
        for name in ("drop_words", "drop_embedded", "drop_input", "drop_state", "drop_output"):
            require(0 <= getattr(self, name) < 1, name, getattr(self, name), "a share in [0, 1)")
        require(self.init_scale > 0, "init_scale", self.init_scale, "above 0")

    def initializer(self) -> keras.initializers.Initializer:
        """Return a new initializer, one for each weight: a Keras initializer keeps its seed."""
        return keras.initializers.RandomUniform(-self.init_scale, self.init_scale)


LANGUAGE = Group(LanguageConfig(), stages=("search",))
#: The values of enas_lm's final training (GPU).
RETRAIN_LANGUAGE = Group(
    LanguageConfig(
        units=800,
        drop_words=0.125,
        drop_embedded=0.175,
        drop_input=0.725,
        drop_state=0.225,
        drop_output=0.75,
        init_scale=0.05,
    ),
    prefix="retrain_",
    stages=("retrain",),
)


@dataclasses.dataclass(frozen=True)
class TextShape:
    """The property of the text that a language model depends on."""

    vocabulary_size: int


class Masks(NamedTuple):
    """The factors of dropout for a window: 0 for what is dropped, and else a factor that keeps the mean.

    Attributes:
      words: float32 [vocabulary, 1], on the words.
      embedded: float32 [batch, units], on the cell's input: both kinds of dropout of it.
      state: float32 [batch, units], on the state and on nodes where they are read.
      output: float32 [batch, 1, units], on what the softmax reads.
    """

    words: tf.Tensor
    embedded: tf.Tensor
    state: tf.Tensor
    output: tf.Tensor


def draw_masks(config: LanguageConfig, text: TextShape, batch: tf.Tensor, seed: tf.Tensor) -> Masks:
    """Return the masks of a window of `batch` rows, a pure function of `seed` (int32 [2])."""

    def draw(purpose, rate, shape):
        folded = tf.random.experimental.stateless_fold_in(seed, purpose)
        return tf.nn.experimental.stateless_dropout(tf.ones(shape), rate, folded) if rate else tf.ones(shape)

    def draw_rows(purpose, rate, *shape):
        return collectives.draw_rows(lambda num: draw(purpose, rate, [num, *shape]), batch)

    units = config.units
    return Masks(
        words=draw(0, config.drop_words, [text.vocabulary_size, 1]),
        embedded=draw_rows(1, config.drop_embedded, units) * draw_rows(2, config.drop_input, units),
        state=draw_rows(3, config.drop_state, units),
        output=draw_rows(4, config.drop_output, 1, units),
    )


def embed(embedding: tf.Tensor, ids: tf.Tensor, masks: Masks | None) -> tf.Tensor:
    """Return the rows of `embedding` [vocabulary, units] for `ids` int32 [batch, time]: [batch, time, units]."""
    embedded = tf.gather(embedding, ids)
    if masks is None:
        return embedded
    return embedded * tf.gather(masks.words, ids) * masks.embedded[:, None]


class Reading(NamedTuple):
    """The result of reading a window.

    Attributes:
      states: float32 [batch, time, units], the cell's outputs.
      dropped: the same after dropout, which the softmax reads.
      last: float32 [batch, units], the state for the next window.
    """

    states: tf.Tensor
    dropped: tf.Tensor
    last: tf.Tensor


def read_window(
    run: Callable[[tf.Tensor, tf.Tensor | None], tuple[tf.Tensor, tf.Tensor]],
    embedding: tf.Tensor,
    ids: tf.Tensor,
    config: LanguageConfig,
    text: TextShape,
    dropout_seed: tf.Tensor | None,
) -> Reading:
    """Read a window: embed its ids, run a cell over them, and apply dropout if there is a seed.

    Args:
      run: the cell, from its inputs [batch, time, units] and the mask [batch, units] on the state to its outputs
        float32 [batch, time, units] and its last state. The mask is None without dropout.
      embedding: [vocabulary, units].
      ids: int32 [batch, time].
      config: width and dropout.
      text: the size of the vocabulary.
      dropout_seed: int32 [2], or None.
    """
    masks = None if dropout_seed is None else draw_masks(config, text, tf.shape(ids)[0], dropout_seed)
    outputs, last = run(embed(embedding, ids, masks), None if masks is None else masks.state)
    return Reading(outputs, outputs if masks is None else outputs * masks.output, last)


class LanguageTrainee(Trainee, abc.ABC):
    """A child that is a language model."""

    @abc.abstractmethod
    def read(self, ids: tf.Tensor, state: tf.Tensor, dropout_seed: tf.Tensor | None = None) -> Reading:
        """Read a window.

        Args:
          ids: int32 [batch, time].
          state: float32 [batch, size], zeros at the beginning of a text.
          dropout_seed: int32 [2]; dropout is applied when it is given.
        """

    @abc.abstractmethod
    def logits(self, outputs: tf.Tensor) -> tf.Tensor:
        """Return the logits of the next token, [..., vocabulary], for `outputs` [..., units]."""
