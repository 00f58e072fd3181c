"""The parts of language models that Keras has no layer for, as source of Keras alone (`models/source.py`)."""

from collections.abc import Iterable

from enas_tf.errors import InputError
from enas_tf.spaces.nas_recurrent import NasRecurrentArchitecture, TreeNode
from enas_tf.spaces.recurrent import RecurrentArchitecture

TIED_EMBEDDING = '''@keras.saving.register_keras_serializable()
class TiedEmbedding(keras.layers.Embedding):
    """An embedding whose matrix makes the logits, too: it takes ids, or features instead of ids."""

    def call(self, inputs):
        if "int" in keras.backend.standardize_dtype(inputs.dtype):
            return super().call(inputs)
        return keras.ops.matmul(inputs, keras.ops.transpose(self.embeddings))

    def compute_output_spec(self, inputs):
        is_ids = "int" in keras.backend.standardize_dtype(inputs.dtype)
        shape = (*inputs.shape, self.output_dim) if is_ids else (*inputs.shape[:-1], self.input_dim)
        return keras.KerasTensor(shape, "float32")
'''
LSTM_CELL = '''@keras.saving.register_keras_serializable()
class LstmCell(keras.layers.LSTMCell):
    """Keras' cell with one state: the output, then the memory, [batch, 2 units]."""

    def __init__(self, units, **kwargs):
        super().__init__(units, **kwargs)
        self.state_size = 2 * units

    def call(self, inputs, states, training=False):
        output, memory = keras.ops.split(states[0], 2, axis=1)
        _, parts = super().call(inputs, [output, memory])
        state = keras.ops.concatenate(parts, axis=1)
        return state[:, : self.units], [state]
'''
_CELL = '''@keras.saving.register_keras_serializable()
class {name}(keras.layers.Layer):
    """{about}"""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = self.output_size = units
        self.state_size = {state_size}

    def build(self, input_shape):
        def add(name, size):
            start = keras.initializers.RandomUniform(-{scale}, {scale})
            return self.add_weight(name=name, shape=(size, {columns} * self.units), initializer=start)

        self.input_kernel = add("inputs", input_shape[-1])
        {kernels}

    def call(self, inputs, states, training=False):
        {steps}

    def get_config(self):
        return {{**super().get_config(), "units": self.units}}
'''
_READ = '''
    def read(self, source, node, activation, term=0.0):
        """Return the value of a node: a part of its source, and a part of the activation of that."""
        content, gate = keras.ops.split(keras.ops.matmul(source, self.kernels[node]) + term, 2, axis=1)
        return source + keras.ops.sigmoid(gate) * (activation(content) - source)
'''
#: Our names of activations -> those of keras.activations.
_ACTIVATIONS = {"tanh": "tanh", "relu": "relu", "sigmoid": "sigmoid", "identity": "linear"}
_SIGNS = {"add": "+", "multiply": "*"}


def write_recurrent_cell(architecture: RecurrentArchitecture, init_scale: float) -> str:
    """Return the class of a cell of highway connections."""
    steps = ["state = states[0]"]
    for number, node in enumerate(architecture.nodes):
        source = "state" if node.previous is None else f"node_{node.previous}"
        term = "" if number else ", keras.ops.matmul(inputs, self.input_kernel)"
        steps.append(f"node_{number} = self.read({source}, {number}, {_activation(node.activation)}{term})")
    averaged = [f"node_{number}" for number in architecture.averaged]
    mean = f"({' + '.join(averaged)}) / {len(averaged)}" if averaged[1:] else averaged[0]
    kernels = f'self.kernels = [add(f"node_{{node}}", self.units) for node in range({architecture.num_nodes})]'
    about = "A searched cell for keras.layers.RNN. Its output is its state."
    steps += (
        ["output = (", *(f"    {line}" for line in _sum_lines(mean)), ")"] if len(mean) > 90 else [f"output = {mean}"]
    )
    return _fill("RecurrentCell", about, "units", init_scale, 2, kernels, [*steps, "return output, [output]"]) + _READ


def write_nas_recurrent_cell(architecture: NasRecurrentArchitecture, init_scale: float) -> str:
    """Return the class of a cell that is a tree."""
    base = architecture.base
    steps = [
        "output, memory = keras.ops.split(states[0], 2, axis=1)",
        f"x = keras.ops.split(keras.ops.matmul(inputs, self.input_kernel), {base}, axis=1)",
        f"h = keras.ops.split(keras.ops.matmul(output, self.output_kernel), {base}, axis=1)",
    ]
    for number, node in enumerate(architecture.nodes):
        children = architecture.children(number)
        pair = [f"node_{child}" for child in children] if children else [f"x[{number}]", f"h[{number}]"]
        combined = f" {_SIGNS[node.combination]} ".join(pair)
        if number == architecture.memory:
            steps.append(f"next_memory = {combined}")
            combined = "next_memory"
        steps.append(f"node_{number} = {_activation(node.activation)}({combined})")
        if number == architecture.inject_at:
            steps.append(f"node_{number} = {_inject(architecture.inject, number)}")
    last = f"node_{len(architecture.nodes) - 1}"
    steps.append(f"return {last}, [keras.ops.concatenate([{last}, next_memory], axis=1)]")
    about = "A searched tree for keras.layers.RNN with one state: the output, then the memory."
    kernels = 'self.output_kernel = add("outputs", self.units)'
    return _fill("NasRecurrentCell", about, "2 * units", init_scale, base, kernels, steps)


def _inject(node: TreeNode, number: int) -> str:
    return f"{_activation(node.activation)}(node_{number} {_SIGNS[node.combination]} memory)"


def _activation(name: str) -> str:
    if name not in _ACTIVATIONS:
        raise InputError(
            f"the cell has the activation {name}, which is your own: it cannot be written as a program of Keras alone. "
            "Export the child, and load the SavedModel."
        )
    return f"keras.activations.{_ACTIVATIONS[name]}"


def _sum_lines(text: str) -> Iterable[str]:
    """Break a long sum before its signs."""
    lines = [""]
    for word in text.replace(" + ", "\n+ ").split("\n"):
        if len(lines[-1]) + len(word) > 90:
            lines.append("")
        lines[-1] += f" {word}" if lines[-1] else word
    return lines


def _fill(name: str, about: str, state_size: str, scale: float, columns: int, kernels: str, steps: list[str]) -> str:
    lines = "\n        ".join(steps)
    return _CELL.format(
        name=name, about=about, state_size=state_size, scale=scale, columns=columns, kernels=kernels, steps=lines
    )
