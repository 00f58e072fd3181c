"""The training form of a recurrent child.

It runs the child's cell directly, because Keras' RNN layer cannot pass dropout masks.
"""

import dataclasses

import keras

from enas_tf.models.language import LanguageConfig, LanguageTrainee, TextShape, read_window
from enas_tf.spaces.space import Buildable


class RecurrentTrainee(LanguageTrainee):
    """A language model whose cell has `read(inputs, state, mask)`."""

    def __init__(self, child: keras.Model, architecture: Buildable, config: LanguageConfig, text: TextShape):
        super().__init__(child)
        self.cell = child.get_layer("rnn").cell
        self.embedding = child.get_layer("embedding")
        self.config, self.text = dataclasses.replace(config, units=self.cell.units), text

    def read(self, ids, state, dropout_seed=None):
        def run(embedded, mask):
            return self.cell.read(embedded, state, mask)

        return read_window(run, self.embedding.embeddings, ids, self.config, self.text, dropout_seed)

    def logits(self, outputs):
        return self.embedding(outputs)
