"""The recurrent supernet: a language model around every cell of a `RecurrentSpace`, of which a call computes just one.

The bank has a row for every (node, previous node, activation), as in enas_lm. The rows of the sampled cell are gathered
once, outside the loop over time, so that a step costs what the cell alone costs. There is no batch normalisation, as in
enas_lm (the first repository has one with an epsilon of 1, in the search only).
"""

import functools

import keras
import tensorflow as tf

from enas_tf.layers.functions import sum_of_squares
from enas_tf.layers.recurrence import highway, run_over_time, sampled_activation
from enas_tf.models.language import LanguageConfig, Masks, Reading, TextShape, draw_masks, embed
from enas_tf.spaces.recurrent import RecurrentSpace


class RecurrentSupernet(keras.layers.Layer):
    """`supernet(ids, state, tokens)` reads text with the cell of `tokens`, with shared weights.

    Args:
      space: what can be built.
      network: width and dropout.
      text: size of the vocabulary.
    """

    def __init__(self, space: RecurrentSpace, network: LanguageConfig, text: TextShape, **kwargs):
        super().__init__(name="supernet", **kwargs)
        self.space, self.network, self.text = space, network, text
        units, num_activations = network.units, len(space.activations)
        num_edges = space.nodes * (space.nodes - 1) // 2
        self.embedding = self._add("embedding", (text.vocabulary_size, units))
        self.first = self._add("first", (num_activations, 2 * units, 2 * units))
        self.edges = self._add("edges", (num_edges * num_activations, units, 2 * units)) if num_edges else None
        self.built = True

    def _add(self, name: str, shape: tuple[int, ...]):
        return self.add_weight(name=name, shape=shape, initializer=self.network.initializer())

    def row(self, node: int, previous, activation):
        """The row of the bank for `node` when it reads `previous` and applies `activation`."""
        return (node * (node - 1) // 2 + previous) * len(self.space.activations) + activation

    def call(
        self, ids: tf.Tensor, state: tf.Tensor, tokens: tf.Tensor, dropout_seed: tf.Tensor | None = None
    ) -> tuple[Reading, tf.Tensor]:
        """Reads one window.

        Args:
          ids: int32 [batch, time], time may differ from call to call.
          state: float32 [batch, units], zeros at the beginning of a text.
          tokens: int32 [num_tokens], of `space`.
          dropout_seed: int32 [2]; dropout is applied when it is given.

        Returns:
          the `Reading`, and the sum of squares of the weights this cell is made of.
        """
        masks = None
        if dropout_seed is not None:
            masks = draw_masks(self.network, self.text, tf.shape(ids)[0], dropout_seed)
        previous, activations = tokens[1::2], tokens[::2]
        first = tf.gather(self.first, activations[0])
        kernels = []
        if self.edges is not None:
            numbers = tf.range(1, self.space.nodes)
            rows = tf.gather(self.edges, self.row(numbers, previous, activations[1:]))
            kernels = tf.unstack(rows)
        step = functools.partial(self._step, first, kernels, previous, activations, masks)
        states, last = run_over_time(step, embed(self.embedding, ids, masks), state)
        dropped = states if masks is None else states * masks.output
        return Reading(states, dropped, last), sum_of_squares([self.embedding.value, first, *kernels])

    def _step(self, first, kernels, previous, activations, masks: Masks | None, state, x) -> tf.Tensor:
        """One step of the sampled cell: its output, the next state."""
        functions = [sampled_activation(self.space.activations, activations[node]) for node in range(self.space.nodes)]

        def mask(node):
            return node if masks is None else node * masks.state

        s = highway(state, tf.concat([x, mask(state)], axis=1) @ first, functions[0])
        nodes = tf.TensorArray(s.dtype, self.space.nodes, clear_after_read=False, element_shape=s.shape).write(0, s)
        for node, kernel in enumerate(kernels, start=1):
            source = nodes.read(previous[node - 1])
            s = highway(source, mask(source) @ kernel, functions[node])
            nodes = nodes.write(node, s)
        weights = self._output_weights(previous)
        return tf.tensordot(weights, nodes.stack(), axes=1)

    def _output_weights(self, previous: tf.Tensor) -> tf.Tensor:
        """The share of each node in the cell's output, float32 [nodes]."""
        numbers = tf.range(self.space.nodes)
        if self.space.output == "all_but_first" and self.space.nodes > 1:
            is_averaged = numbers > 0
        else:
            is_averaged = ~tf.reduce_any(previous[:, None] == numbers, axis=0)
        shares = tf.cast(is_averaged, tf.float32)
        return shares / tf.reduce_sum(shares)

    def logits(self, outputs: tf.Tensor) -> tf.Tensor:
        """Of the next token: `outputs` [..., units] to [..., vocabulary]."""
        return tf.matmul(outputs, self.embedding, transpose_b=True)
