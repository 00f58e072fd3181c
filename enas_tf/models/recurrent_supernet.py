"""The recurrent supernet: a language model around every cell of a `RecurrentSpace`, of which a call computes just one.

The bank `edges` has a row for every (node, previous node, activation), as in enas_lm, and `inputs` has one for each
activation of the first node, which reads the input too. The rows of the sampled cell are gathered once, outside the
loop over time, so that a step costs what the cell alone costs. There is no batch normalisation, as in enas_lm (the
first repository has one with an epsilon of 1, in the search only).
"""

import keras
import tensorflow as tf

from enas_tf.layers.functions import sum_of_squares
from enas_tf.layers.recurrence import HighwayCell, multiply_last, run_cell
from enas_tf.models.language import LanguageConfig, Reading, TextShape, read_window
from enas_tf.models.tokens import token_places
from enas_tf.ops.activations import ACTIVATIONS
from enas_tf.spaces.recurrent import RecurrentSpace


class RecurrentSupernet(keras.layers.Layer):
    """`supernet(ids, state, tokens)` reads text with the cell of `tokens`, with shared weights.

    Args:
      space: what can be built.
      network: width and dropout.
      text: size of the vocabulary.
      dtype: a Keras policy. With mixed_bfloat16 or mixed_float16 the cell is computed in the shorter type; weights,
        outputs, the state between windows and logits are float32.
    """

    def __init__(self, space: RecurrentSpace, network: LanguageConfig, text: TextShape, dtype: str = "float32"):
        # The layer's own policy stays float32, since Keras would cast whole banks: functions cast the rows that they
        # use.
        super().__init__(name="supernet")
        self.computed_in = keras.DTypePolicy(dtype).compute_dtype
        self.space, self.network, self.text = space, network, text
        nodes = [f"node_{number}" for number in range(space.nodes)]
        self._activation_places = token_places(space, [f"{node}/activation" for node in nodes])
        self._previous_places = token_places(space, [f"{node}/previous" for node in nodes[1:]])
        units, num_activations = network.units, len(space.activations)
        num_edges = 1 + space.nodes * (space.nodes - 1) // 2
        self.embedding = self._add("embedding", (text.vocabulary_size, units))
        self.inputs = self._add("inputs", (num_activations, units, 2 * units))
        self.edges = self._add("edges", (num_edges * num_activations, units, 2 * units))
        self.built = True

    def _add(self, name: str, shape: tuple[int, ...]):
        return self.add_weight(name=name, shape=shape, initializer=self.network.initializer())

    def row(self, node: int, previous, activation):
        """Return the row of `edges` for `node` with that previous node and activation; node 0 reads the state."""
        edge = 1 + node * (node - 1) // 2 + previous if node else 0
        return edge * len(self.space.activations) + activation

    def call(
        self, ids: tf.Tensor, state: tf.Tensor, tokens: tf.Tensor, dropout_seed: tf.Tensor | None = None
    ) -> tuple[Reading, tf.Tensor]:
        """Read one window.

        Args:
          ids: int32 [batch, time], time may differ from call to call.
          state: float32 [batch, units], zeros at the beginning of a text.
          tokens: int32 [num_tokens], of `space`.
          dropout_seed: int32 [2]; dropout is applied when it is given.

        Returns:
          the `Reading`, and the sum of squares of the weights that the cell is made of.
        """
        previous = tf.gather(tokens, self._previous_places)
        activations, sources = tf.unstack(tf.gather(tokens, self._activation_places)), tf.unstack(previous)
        choices = zip([0, *sources], activations, strict=True)
        rows = [self.row(node, *choice) for node, choice in enumerate(choices)]
        inputs, kernels = tf.gather(self.inputs, activations[0]), tf.unstack(tf.gather(self.edges, tf.stack(rows)))
        functions = [ACTIVATIONS[name] for name in self.space.activations]
        cell = HighwayCell(functions, activations, sources, tf.unstack(self._shares(previous)))

        def run(embedded, mask):
            products = multiply_last(tf.cast(embedded, self.computed_in), inputs)
            states = tf.cast(run_cell(cell, products, state, kernels, mask), tf.float32)
            return states, states[:, -1]

        reading = read_window(run, self.embedding, ids, self.network, self.text, dropout_seed)
        return reading, sum_of_squares([self.embedding.value, inputs, *kernels])

    def _shares(self, previous: tf.Tensor) -> tf.Tensor:
        """Return the share of each node in the cell's output, float32 [nodes]."""
        numbers = tf.range(self.space.nodes)
        if self.space.output == "all_but_first" and self.space.nodes > 1:
            is_averaged = numbers > 0
        else:
            is_averaged = ~tf.reduce_any(previous[:, None] == numbers, axis=0)
        shares = tf.cast(is_averaged, tf.float32)
        return shares / tf.reduce_sum(shares)

    def logits(self, outputs: tf.Tensor) -> tf.Tensor:
        """Return the logits of the next token, [..., vocabulary], for `outputs` [..., units]."""
        return multiply_last(outputs, self.embedding, transpose_b=True)
