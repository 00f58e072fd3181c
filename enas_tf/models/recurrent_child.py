"""The child of a recurrent architecture: a Keras language model around one registered cell, and its size.

The same function as the supernet computes for the architecture.
"""

import dataclasses
import math
from collections.abc import Callable

import keras
import tensorflow as tf

from enas_tf.layers.recurrence import ACTIVATIONS, highway
from enas_tf.models.costs import Cost
from enas_tf.models.language import LanguageConfig, TextShape
from enas_tf.models.recurrent_supernet import RecurrentSupernet
from enas_tf.spaces.recurrent import LstmBaseline, RecurrentArchitecture


@keras.saving.register_keras_serializable("enas_tf")
class RecurrentCell(keras.layers.Layer):
    """A searched cell for `keras.layers.RNN`; its output is its state.

    Args:
      units: size of input, state and output.
      architecture: the JSON form of a recurrent architecture.
      init_scale: weights start uniform in plus or minus this.
    """

    def __init__(self, units: int, architecture: dict, init_scale: float = 0.04, **kwargs):
        super().__init__(**kwargs)
        self.units, self.init_scale = units, init_scale
        self.architecture = RecurrentArchitecture.from_json(architecture)
        self.state_size = self.output_size = units

    def build(self, input_shape) -> None:
        inputs = [self.units + input_shape[-1]] + [self.units] * (self.architecture.num_nodes - 1)
        self.kernels = [
            self.add_weight(
                name=f"node_{node}",
                shape=(size, 2 * self.units),
                initializer=keras.initializers.RandomUniform(-self.init_scale, self.init_scale),
            )
            for node, size in enumerate(inputs)
        ]

    def call(self, inputs, states, training=False):
        state = self.step(inputs, states[0], lambda node: node)
        return state, [state]

    def step(self, x: tf.Tensor, state: tf.Tensor, mask: Callable) -> tf.Tensor:
        """One step: `x` and `state` [batch, units] to the next state; `mask` is applied to every node that is read."""
        first, *rest = self.architecture.nodes
        product = tf.concat([x, mask(state)], axis=1) @ self.kernels[0]
        nodes = [highway(state, product, ACTIVATIONS[first.activation])]
        for node, kernel in zip(rest, self.kernels[1:], strict=True):
            source = nodes[node.previous]
            nodes.append(highway(source, mask(source) @ kernel, ACTIVATIONS[node.activation]))
        averaged = [nodes[node] for node in self.architecture.averaged]
        return tf.add_n(averaged) / len(averaged)

    def get_config(self):
        config = {"units": self.units, "architecture": self.architecture.to_json(), "init_scale": self.init_scale}
        return super().get_config() | config


@keras.saving.register_keras_serializable("enas_tf")
class LstmCell(keras.layers.LSTMCell):
    """Keras' cell with one state: the output, then the memory, [batch, 2 units]."""

    def __init__(self, units: int, **kwargs):
        super().__init__(units, **kwargs)
        self.state_size = 2 * units

    def call(self, inputs, states, training=False):
        state = self.step(inputs, states[0], lambda node: node)
        return state[:, : self.units], [state]

    def step(self, x: tf.Tensor, state: tf.Tensor, mask: Callable) -> tf.Tensor:
        """Like `RecurrentCell.step`; what is read of the state is the output."""
        output, memory = tf.split(state, 2, axis=1)
        _, parts = super().call(x, [mask(output), memory])
        return tf.concat(parts, axis=1)


@keras.saving.register_keras_serializable("enas_tf")
class TiedEmbedding(keras.layers.Embedding):
    """An embedding whose matrix is the softmax's too: called on features instead of ids, it gives logits."""

    def call(self, inputs):
        if _is_ids(inputs):
            return super().call(inputs)
        return tf.matmul(inputs, self.embeddings, transpose_b=True)

    def compute_output_spec(self, inputs):
        shape = (*inputs.shape, self.output_dim) if _is_ids(inputs) else (*inputs.shape[:-1], self.input_dim)
        return keras.KerasTensor(shape, "float32")


def _is_ids(inputs) -> bool:
    return "int" in keras.backend.standardize_dtype(inputs.dtype)


def child_units(architecture: RecurrentArchitecture | LstmBaseline, config: LanguageConfig, text: TextShape) -> int:
    """The width of the child: the configured one; an LSTM's is where its parameters come closest to the cell's."""
    if not isinstance(architecture, LstmBaseline):
        return config.units
    # 8 h^2 + (vocabulary + 4) h = parameters, solved for h.
    wanted = _count(architecture.nodes, config.units, text).parameters
    linear = text.vocabulary_size + 4
    return max(1, round((math.sqrt(linear**2 + 32 * wanted) - linear) / 16))


def build_recurrent_child(
    architecture: RecurrentArchitecture | LstmBaseline, config: LanguageConfig, text: TextShape
) -> keras.Model:
    """Builds the model: ids int32 [batch, time] and a state [batch, size] to logits of the next tokens and a state.

    The state is float32, zeros at the beginning of a text; the logits are [batch, time, vocabulary].
    """
    units = child_units(architecture, config, text)
    config = dataclasses.replace(config, units=units)
    if isinstance(architecture, LstmBaseline):
        weights = {name: config.initializer() for name in ("kernel_initializer", "recurrent_initializer")}
        cell = LstmCell(units, **weights, name="cell")
    else:
        cell = RecurrentCell(units, architecture.to_json(), config.init_scale, name="cell")
    ids = keras.Input((None,), dtype="int32", name="ids")
    state = keras.Input((cell.state_size,), name="state")
    start = config.initializer()
    embedding = TiedEmbedding(text.vocabulary_size, units, embeddings_initializer=start, name="embedding")
    rnn = keras.layers.RNN(cell, return_sequences=True, return_state=True, name="rnn")
    outputs, last = rnn(embedding(ids), initial_state=state)
    return keras.Model([ids, state], [embedding(outputs), last], name="recurrent_child")


def count_recurrent_child(
    architecture: RecurrentArchitecture | LstmBaseline, config: LanguageConfig, text: TextShape
) -> Cost:
    """Trainable parameters and FLOPs per token of the child, from formulas; the tied embedding counts once."""
    if isinstance(architecture, LstmBaseline):
        units = child_units(architecture, config, text)
        biases = Cost(parameters=4 * units)
        return Cost.dense(2 * units, 4 * units) + biases + Cost.dense(units, text.vocabulary_size)
    return _count(architecture.num_nodes, config.units, text)


def _count(num_nodes: int, units: int, text: TextShape) -> Cost:
    cell = Cost.dense(2 * units, 2 * units) + (num_nodes - 1) * Cost.dense(units, 2 * units)
    return cell + Cost.dense(units, text.vocabulary_size)


def inherit_weights(child: keras.Model, supernet: RecurrentSupernet, architecture: RecurrentArchitecture) -> None:
    """Copies into `child`, built with the supernet's width, the shared weights that `architecture` chose."""
    index = {name: i for i, name in enumerate(supernet.space.activations)}
    first, *rest = architecture.nodes
    kernels = [supernet.first[index[first.activation]]]
    for number, node in enumerate(rest, start=1):
        kernels.append(supernet.edges[supernet.row(number, node.previous, index[node.activation])])
    child.get_layer("embedding").set_weights([supernet.embedding])
    for variable, kernel in zip(child.get_layer("rnn").cell.kernels, kernels, strict=True):
        variable.assign(kernel)
