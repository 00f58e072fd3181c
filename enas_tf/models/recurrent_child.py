"""The child of a recurrent architecture: a Keras language model around one registered cell, and its cost.

The child is the same function as the supernet computes for the architecture.
"""

import dataclasses
import math

import keras
import tensorflow as tf

from enas_tf.layers.recurrence import HighwayCell, multiply_last, run_cell, run_over_time
from enas_tf.models.cell_source import LSTM_CELL, TIED_EMBEDDING, write_recurrent_cell
from enas_tf.models.language import LanguageConfig, TextShape
from enas_tf.ops.activations import ACTIVATIONS
from enas_tf.ops.costs import Cost
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
        self._cell = _as_cell(self.architecture)
        self.state_size = self.output_size = units

    def build(self, input_shape) -> None:
        def add(name, size):
            start = keras.initializers.RandomUniform(-self.init_scale, self.init_scale)
            return self.add_weight(name=name, shape=(size, 2 * self.units), initializer=start)

        self.input_kernel = add("inputs", input_shape[-1])
        self.kernels = [add(f"node_{node}", self.units) for node in range(self.architecture.num_nodes)]

    def call(self, inputs, states, training=False):
        kernels = [tf.convert_to_tensor(kernel) for kernel in self.kernels]
        state = self._cell.step(inputs @ self.input_kernel, states[0], kernels, None).output
        return state, [state]

    def read(self, inputs: tf.Tensor, state: tf.Tensor, mask: tf.Tensor | None) -> tuple[tf.Tensor, tf.Tensor]:
        """Return the outputs [batch, time, units] and the last state, float32 whatever the cell computes in.

        Args:
          inputs: [batch, time, features].
          state: [batch, units].
          mask: [batch, units], the factors of dropout on the state and on nodes where they are read.
        """
        kernels = [tf.convert_to_tensor(kernel) for kernel in self.kernels]
        products = multiply_last(tf.cast(inputs, self.compute_dtype), self.input_kernel)
        states = tf.cast(run_cell(self._cell, products, state, kernels, mask), tf.float32)
        return states, states[:, -1]

    def write_class(self):
        """Return what `models/source.py` asks for: the class as source, and the arguments that make this cell."""
        return write_recurrent_cell(self.architecture, self.init_scale), [str(self.units)]

    def get_config(self):
        config = {"units": self.units, "architecture": self.architecture.to_json(), "init_scale": self.init_scale}
        return super().get_config() | config


@keras.saving.register_keras_serializable("enas_tf")
class LstmCell(keras.layers.LSTMCell):
    """Keras' LSTM cell with one state: the output, then the memory, [batch, 2 units]. It is always float32."""

    def __init__(self, units: int, **kwargs):
        super().__init__(units, **{**kwargs, "dtype": "float32"})
        self.state_size = 2 * units

    def call(self, inputs, states, training=False):
        state = self._step(inputs, states[0], None)
        return state[:, : self.units], [state]

    def read(self, inputs: tf.Tensor, state: tf.Tensor, mask: tf.Tensor | None) -> tuple[tf.Tensor, tf.Tensor]:
        """Return what `RecurrentCell.read` does; the mask is on the output, the part of the state that is read."""
        states, last = run_over_time(lambda state, x: self._step(x, state, mask), inputs, state)
        return states[:, :, : self.units], last

    def write_class(self):
        """Return the class as source; its arguments are those of the configuration."""
        return LSTM_CELL, None

    def _step(self, x: tf.Tensor, state: tf.Tensor, mask: tf.Tensor | None) -> tf.Tensor:
        output, memory = tf.split(state, 2, axis=1)
        _, parts = super().call(x, [output if mask is None else output * mask, memory])
        return tf.concat(parts, axis=1)


@keras.saving.register_keras_serializable("enas_tf")
class TiedEmbedding(keras.layers.Embedding):
    """An embedding whose matrix is the softmax's too: called on features instead of ids, it returns float32 logits."""

    def call(self, inputs):
        if _is_ids(inputs):
            return super().call(inputs)
        return multiply_last(tf.cast(inputs, tf.float32), self.embeddings, transpose_b=True)

    def write_class(self):
        """Return the class as source; its arguments are those of the configuration."""
        return TIED_EMBEDDING, None

    def compute_output_spec(self, inputs):
        shape = (*inputs.shape, self.output_dim) if _is_ids(inputs) else (*inputs.shape[:-1], self.input_dim)
        return keras.KerasTensor(shape, "float32")


def _as_cell(architecture: RecurrentArchitecture) -> HighwayCell:
    """Return what the architecture computes."""
    averaged = architecture.averaged
    return HighwayCell(
        activations=[ACTIVATIONS[node.activation] for node in architecture.nodes],
        chosen=list(range(architecture.num_nodes)),
        previous=[node.previous for node in architecture.nodes[1:]],
        shares=[1 / len(averaged) if i in averaged else 0.0 for i in range(architecture.num_nodes)],
    )


def _is_ids(inputs) -> bool:
    return "int" in keras.backend.standardize_dtype(inputs.dtype)


def child_units(architecture: RecurrentArchitecture | LstmBaseline, config: LanguageConfig, text: TextShape) -> int:
    """Return the width of the child: the configured one, or that of the LSTM with about the parameters of the cell."""
    if not isinstance(architecture, LstmBaseline):
        return config.units
    # 8 h^2 + (vocabulary + 4) h = parameters, solved for h.
    wanted = _count(architecture.nodes, config.units, text).parameters
    linear = text.vocabulary_size + 4
    return max(1, round((math.sqrt(linear**2 + 32 * wanted) - linear) / 16))


def build_recurrent_child(
    architecture: RecurrentArchitecture | LstmBaseline,
    config: LanguageConfig,
    text: TextShape,
    dtype: str = "float32",
) -> keras.Model:
    """Build the model: ids int32 [batch, time] and a state [batch, size] to logits of the next tokens and a state.

    The state is zeros at the beginning of a text. The logits are float32 [batch, time, vocabulary]. The arguments are
    those of `Networks.build_child`; `dtype` is the policy of the cell.
    """
    units = child_units(architecture, config, text)
    config = dataclasses.replace(config, units=units)
    if isinstance(architecture, LstmBaseline):
        weights = {name: config.initializer() for name in ("kernel_initializer", "recurrent_initializer")}
        cell = LstmCell(units, **weights, name="cell")
    else:
        cell = RecurrentCell(units, architecture.to_json(), config.init_scale, name="cell", dtype=dtype)
    return build_language_model(cell, config, text, "recurrent_child")


def build_language_model(cell: keras.layers.Layer, config: LanguageConfig, text: TextShape, name: str) -> keras.Model:
    """Build the language model `name` around a cell of one state, whose output has `config.units` features."""
    ids = keras.Input((None,), dtype="int32", name="ids")
    state = keras.Input((cell.state_size,), name="state")
    start = config.initializer()
    embedding = TiedEmbedding(text.vocabulary_size, config.units, embeddings_initializer=start, name="embedding")
    rnn = keras.layers.RNN(cell, return_sequences=True, return_state=True, name="rnn", dtype=cell.dtype_policy)
    outputs, last = rnn(embedding(ids), initial_state=state)
    return keras.Model([ids, state], [embedding(outputs), last], name=name)


def count_recurrent_child(
    architecture: RecurrentArchitecture | LstmBaseline, config: LanguageConfig, text: TextShape
) -> Cost:
    """Return the cost of the child per token from formulas; the tied embedding counts once."""
    if isinstance(architecture, LstmBaseline):
        units = child_units(architecture, config, text)
        biases = Cost(parameters=4 * units)
        return Cost.dense(2 * units, 4 * units) + biases + Cost.dense(units, text.vocabulary_size)
    return _count(architecture.num_nodes, config.units, text)


def _count(num_nodes: int, units: int, text: TextShape) -> Cost:
    cell = Cost.dense(2 * units, 2 * units) + (num_nodes - 1) * Cost.dense(units, 2 * units)
    return cell + Cost.dense(units, text.vocabulary_size)
