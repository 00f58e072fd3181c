"""What trains a recurrent child: the same weights, read with dropout masks, of which its RNN layer knows nothing."""

import dataclasses

import keras
import tensorflow as tf

from enas_tf.models.language import LanguageConfig, Reading, TextShape, draw_masks, embed
from enas_tf.models.trainee import Trainee
from enas_tf.spaces.space import Buildable


class RecurrentTrainee(Trainee):
    """A language model whose cell has `read(inputs, state, mask)`."""

    def __init__(self, child: keras.Model, architecture: Buildable, config: LanguageConfig, text: TextShape):
        super().__init__(child)
        self.cell = child.get_layer("rnn").cell
        self.embedding = child.get_layer("embedding")
        self.config, self.text = dataclasses.replace(config, units=self.cell.units), text

    def read(self, ids: tf.Tensor, state: tf.Tensor, dropout_seed: tf.Tensor | None = None) -> Reading:
        """Read a window.

        Args:
          ids: int32 [batch, time].
          state: float32 [batch, size].
          dropout_seed: int32 [2]; dropout is applied when it is given.
        """
        masks = None
        if dropout_seed is not None:
            masks = draw_masks(self.config, self.text, tf.shape(ids)[0], dropout_seed)
        embedded = embed(self.embedding.embeddings, ids, masks)
        outputs, last = self.cell.read(embedded, state, None if masks is None else masks.state)
        return Reading(outputs, outputs if masks is None else outputs * masks.output, last)

    def logits(self, outputs: tf.Tensor) -> tf.Tensor:
        """Return the logits of the next token, [..., vocabulary], for `outputs` [..., units]."""
        return self.embedding(outputs)
