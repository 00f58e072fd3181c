"""The child of a nas_recurrent architecture: a Keras language model around one registered cell, and its cost.

Departure: the paper's children have two layers of cells; as all language models here, this one has one.
"""

import keras
import tensorflow as tf

from enas_tf.layers.recurrence import multiply_last, run_over_time
from enas_tf.models.cell_source import write_nas_recurrent_cell
from enas_tf.models.language import LanguageConfig, TextShape
from enas_tf.models.recurrent_child import build_language_model
from enas_tf.ops.activations import ACTIVATIONS
from enas_tf.ops.costs import Cost
from enas_tf.spaces.nas_recurrent import NasRecurrentArchitecture, TreeNode

_COMBINE = {"add": tf.add, "multiply": tf.multiply}


@keras.saving.register_keras_serializable("enas_tf")
class NasRecurrentCell(keras.layers.Layer):
    """A searched tree for `keras.layers.RNN` with one state: the output, then the memory, [batch, 2 units].

    It has no bias. Of both kernels the k-th part of `units` columns belongs to the k-th leaf (NASCell of TensorFlow
    Addons).

    Args:
      units: size of input, output and memory.
      architecture: the JSON form of a nas_recurrent architecture.
      init_scale: weights start uniform in plus or minus this.
    """

    def __init__(self, units: int, architecture: dict, init_scale: float = 0.04, **kwargs):
        super().__init__(**kwargs)
        self.units, self.init_scale = units, init_scale
        self.architecture = NasRecurrentArchitecture.from_json(architecture)
        self.state_size, self.output_size = 2 * units, units

    def build(self, input_shape) -> None:
        def add(name, size):
            start = keras.initializers.RandomUniform(-self.init_scale, self.init_scale)
            return self.add_weight(name=name, shape=(size, self.architecture.base * self.units), initializer=start)

        self.input_kernel = add("inputs", input_shape[-1])
        self.recurrent_kernel = add("outputs", self.units)

    def call(self, inputs, states, training=False):
        state = self._step(inputs @ self.input_kernel, states[0], tf.convert_to_tensor(self.recurrent_kernel), None)
        return state[:, : self.units], [state]

    def read(self, inputs: tf.Tensor, state: tf.Tensor, mask: tf.Tensor | None) -> tuple[tf.Tensor, tf.Tensor]:
        """Return the outputs [batch, time, units] and the last state, float32 whatever the cell computes in.

        Args:
          inputs: [batch, time, features].
          state: [batch, 2 units].
          mask: [batch, units], the factors of dropout on the output where it is read.
        """
        products = multiply_last(tf.cast(inputs, self.compute_dtype), self.input_kernel)
        kernel, state = (tf.cast(tensor, self.compute_dtype) for tensor in (self.recurrent_kernel, state))
        mask = None if mask is None else tf.cast(mask, self.compute_dtype)
        states, last = run_over_time(lambda before, x: self._step(x, before, kernel, mask), products, state)
        return tf.cast(states[:, :, : self.units], tf.float32), tf.cast(last, tf.float32)

    def _step(self, product: tf.Tensor, state: tf.Tensor, kernel: tf.Tensor, mask: tf.Tensor | None) -> tf.Tensor:
        """Return the next state, from the term of the input [batch, base units] and the state [batch, 2 units]."""
        architecture = self.architecture
        output, memory = tf.split(state, 2, axis=1)
        read = (output if mask is None else output * mask) @ kernel
        leaves = list(zip(*(tf.split(term, architecture.base, axis=1) for term in (product, read)), strict=True))
        values: list[tf.Tensor] = []
        for number, node in enumerate(architecture.nodes):
            children = architecture.children(number)
            pair = [values[child] for child in children] if children else leaves[number]
            combined = _COMBINE[node.combination](*pair)
            if number == architecture.memory:
                next_memory = combined
            value = ACTIVATIONS[node.activation].call(combined)
            values.append(_apply(architecture.inject, value, memory) if number == architecture.inject_at else value)
        return tf.concat([values[-1], next_memory], axis=1)

    def write_class(self):
        """Return what `models/source.py` asks for: the class as source, and the arguments that make this cell."""
        return write_nas_recurrent_cell(self.architecture, self.init_scale), [str(self.units)]

    def get_config(self):
        config = {"units": self.units, "architecture": self.architecture.to_json(), "init_scale": self.init_scale}
        return super().get_config() | config


def _apply(node: TreeNode, one: tf.Tensor, other: tf.Tensor) -> tf.Tensor:
    return ACTIVATIONS[node.activation].call(_COMBINE[node.combination](one, other))


def build_nas_recurrent_child(
    architecture: NasRecurrentArchitecture,
    config: LanguageConfig,
    text: TextShape,
    dtype: str = "float32",
    for_training: bool = False,
) -> keras.Model:
    """Build the model: ids int32 [batch, time] and a state [batch, 2 units] to logits of the next tokens and a state.

    The state is zeros at the beginning of a text. The logits are float32 [batch, time, vocabulary]. The arguments are
    those of `Networks.build_child`; `dtype` is the policy of the cell, which is the fast layer already.
    """
    cell = NasRecurrentCell(config.units, architecture.to_json(), config.init_scale, name="cell", dtype=dtype)
    return build_language_model(cell, config, text, "nas_recurrent_child")


def count_nas_recurrent_child(architecture: NasRecurrentArchitecture, config: LanguageConfig, text: TextShape) -> Cost:
    """Return the cost of the child per token from formulas; the tied embedding counts once."""
    return Cost.dense(2 * config.units, architecture.base * config.units) + Cost.dense(
        config.units, text.vocabulary_size
    )
