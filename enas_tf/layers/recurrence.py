"""The searched recurrent cell and its run over time: one code for a sampled cell of a supernet and for a child's.

A node reads the state (node 0, together with the input) or an earlier node `s`: (z, t) = s W, and becomes
s + sigmoid(t) (f(z) - s), a highway connection (ptb_enas_child.py, enas_lm's child.py). The output is a mean of nodes.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import NamedTuple

import tensorflow as tf


class Activation(NamedTuple):
    """`call(z)`, and `gradient(y, dy)` of its result `y` (not of z), which is kept anyway."""

    call: Callable
    gradient: Callable


ACTIVATIONS: dict[str, Activation] = {
    "tanh": Activation(tf.tanh, lambda y, dy: tf.raw_ops.TanhGrad(y=y, dy=dy)),
    "relu": Activation(tf.nn.relu, lambda y, dy: tf.raw_ops.ReluGrad(features=y, gradients=dy)),
    "identity": Activation(tf.identity, lambda y, dy: tf.identity(dy)),
    "sigmoid": Activation(tf.sigmoid, lambda y, dy: tf.raw_ops.SigmoidGrad(y=y, dy=dy)),
}

#: A number of a fixed cell, or of a sampled one (int32 scalar).
Index = int | tf.Tensor


class CellStep(NamedTuple):
    """A time step of a cell: its output, the next state; and of each node its value, its f(z) and its gate."""

    output: tf.Tensor
    nodes: list[tf.Tensor]
    contents: list[tf.Tensor]
    gates: list[tf.Tensor]


@dataclasses.dataclass(frozen=True)
class HighwayCell:
    """What a cell computes, without its weights.

    Attributes:
      activations: names of `ACTIVATIONS`, for the numbers of `chosen`.
      chosen: of each node, the number of its activation.
      previous: of each node but the first, the node that it reads.
      shares: of each node, its share in the output (float or float32 scalar); 0.0 is not computed.
    """

    activations: tuple[str, ...]
    chosen: Sequence[Index]
    previous: Sequence[Index]
    shares: Sequence[float | tf.Tensor]

    @property
    def num_nodes(self) -> int:
        return len(self.chosen)

    def step(self, product: tf.Tensor, state: tf.Tensor, kernels: list[tf.Tensor], mask: tf.Tensor | None) -> CellStep:
        """One time step.

        Args:
          product: [batch, 2 units], what the input adds to the first node's (z, t).
          state: [batch, units].
          kernels: of each node [units, 2 units].
          mask: [batch, units], factors of whatever a kernel reads.
        """
        nodes, contents, gates = [], [], []
        for node, kernel in enumerate(kernels):
            source = _select(self.previous[node - 1], nodes) if node else state
            read = _masked(source, mask) @ kernel
            content, gate = tf.split(read if node else read + product, 2, axis=1)
            contents.append(self._activate(node, content))
            gates.append(tf.sigmoid(gate))
            nodes.append(source + gates[-1] * (contents[-1] - source))
        averaged = [share * value for share, value in zip(self.shares, nodes, strict=True) if not _is_zero(share)]
        return CellStep(tf.add_n(averaged), nodes, contents, gates)

    def step_back(
        self, d_output: tf.Tensor, state: tf.Tensor, done: CellStep, kernels: list[tf.Tensor], mask: tf.Tensor | None
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """Gradients of the state [batch, units] and of each node's (z, t) [batch, 2 units]; `done` needs no output."""
        zeros = tf.zeros_like(state)
        d_nodes = [zeros if _is_zero(share) else share * d_output for share in self.shares]
        d_products = [zeros] * self.num_nodes
        for node in reversed(range(self.num_nodes)):
            source = _select(self.previous[node - 1], done.nodes[:node]) if node else state
            d_node, content, gate = d_nodes[node], done.contents[node], done.gates[node]
            d_content = d_node * gate
            d_gate = tf.raw_ops.SigmoidGrad(y=gate, dy=d_node * (content - source))
            d_products[node] = tf.concat([self._differentiate(node, content, d_content), d_gate], axis=1)
            d_read = tf.matmul(d_products[node], kernels[node], transpose_b=True)
            d_source = d_node - d_content + _masked(d_read, mask)
            if node:
                d_nodes[:node] = _add_at(self.previous[node - 1], d_nodes[:node], d_source)
        return d_source, d_products

    def _activate(self, node: int, z: tf.Tensor) -> tf.Tensor:
        return _branch(self.chosen[node], [lambda f=ACTIVATIONS[name]: f.call(z) for name in self.activations])

    def _differentiate(self, node: int, y: tf.Tensor, dy: tf.Tensor) -> tf.Tensor:
        return _branch(self.chosen[node], [lambda f=ACTIVATIONS[name]: f.gradient(y, dy) for name in self.activations])


def run_cell(
    cell: HighwayCell, products: tf.Tensor, state: tf.Tensor, kernels: list[tf.Tensor], mask: tf.Tensor | None = None
) -> tf.Tensor:
    """The cell's outputs [batch, time, units]; the last one is the next state.

    With a mask, that is in training, the gradient is written out: TensorFlow's own of such a loop sums the gradient of
    every kernel in every time step, and makes zeros for each node that a sampled cell does not read. Here a kernel's is
    one matrix product at the end. Without one nothing is kept for a gradient, and TensorFlow's serves.

    Args:
      cell: what is computed.
      products: [batch, time, 2 units], of the inputs with the first node's kernel for them. What follows is computed
        in its type, which is the results' too: the others are cast to it.
      state: [batch, units], before the first time step.
      kernels: of each node [units, 2 units], for what it reads.
      mask: [batch, units], factors of whatever a kernel reads: dropout that stays the same over time. It has no
        gradient, nor have the numbers and shares of `cell`.
    """

    dtype = products.dtype
    state, kernels = tf.cast(state, dtype), [tf.cast(kernel, dtype) for kernel in kernels]
    mask = None if mask is None else tf.cast(mask, dtype)
    shares = [share if isinstance(share, float) else tf.cast(share, dtype) for share in cell.shares]
    cell = dataclasses.replace(cell, shares=shares)

    @tf.custom_gradient
    def run(products, state, *kernels):
        time, num_nodes = tf.shape(products)[0], cell.num_nodes
        batch, units = state.shape

        def array(size, features):
            return tf.TensorArray(dtype, size, element_shape=[batch, features], clear_after_read=False)

        def forward(t, state, outputs, nodes, contents, gates):
            done = cell.step(products[t], state, kernels, mask)
            # A node's values of all time steps lie side by side, for the products with its kernel.
            for node in range(num_nodes):
                nodes = nodes.write(node * time + t, done.nodes[node])
                contents = contents.write(node * time + t, done.contents[node])
                gates = gates.write(node * time + t, done.gates[node])
            return t + 1, done.output, outputs.write(t, done.output), nodes, contents, gates

        kept = [array(num_nodes * time, units) for _ in range(3)]
        _, _, outputs, nodes, contents, gates = tf.while_loop(
            lambda t, *_: t < time, forward, (tf.constant(0), state, array(time, units), *kept)
        )
        states = outputs.stack()

        def backward(d_states):
            before = tf.concat([state[None], states[:-1]], axis=0)

            def step_back(t, d_next, d_products):
                numbers = [node * time + t for node in range(num_nodes)]
                done = CellStep(None, *([saved.read(n) for n in numbers] for saved in (nodes, contents, gates)))
                d_state, of_nodes = cell.step_back(d_states[t] + d_next, before[t], done, kernels, mask)
                for number, d_product in zip(numbers, of_nodes, strict=True):
                    d_products = d_products.write(number, d_product)
                return t - 1, d_state, d_products

            loop = (time - 1, tf.zeros_like(state), array(num_nodes * time, 2 * units))
            _, d_state, d_products = tf.while_loop(lambda t, *_: t >= 0, step_back, loop)
            d_products = tf.unstack(_by_node(d_products.stack(), num_nodes))
            values = tf.unstack(_by_node(nodes.stack(), num_nodes))
            d_kernels = []
            for node, d_product in enumerate(d_products):
                read = _masked(_select(cell.previous[node - 1], values[:node]) if node else before, mask)
                rows = [tf.reshape(tensor, [-1, tensor.shape[-1]]) for tensor in (read, d_product)]
                d_kernels.append(tf.matmul(*rows, transpose_a=True))
            return d_products[0], d_state, *d_kernels

        return states, backward

    if mask is None:
        return run_over_time(lambda state, x: cell.step(x, state, kernels, mask).output, products, state)[0]
    # Time comes first within.
    return tf.transpose(run(tf.transpose(products, [1, 0, 2]), state, *kernels), [1, 0, 2])


def multiply_last(tensor: tf.Tensor, matrix: tf.Tensor, transpose_b: bool = False) -> tf.Tensor:
    """`tensor` [..., n] times `matrix` [n, m], or its transpose: [..., m], in the type of `tensor`.

    As one product of matrices: with more axes the gradient of `tf.matmul` is one of `matrix` for each row.
    """
    rows = tf.reshape(tensor, [-1, tensor.shape[-1]])
    product = tf.matmul(rows, tf.cast(matrix, tensor.dtype), transpose_b=transpose_b)
    return tf.reshape(product, tf.concat([tf.shape(tensor)[:-1], [product.shape[-1]]], axis=0))


def run_over_time(step: Callable, inputs: tf.Tensor, state: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """`step(state, x)` for every time step of `inputs` [batch, time, features], from `state` [batch, units].

    A step's result is its output and the next state. Returns the outputs [batch, time, units] and the last state.
    """
    states = tf.scan(step, tf.transpose(inputs, [1, 0, 2]), initializer=state)
    return tf.transpose(states, [1, 0, 2]), states[-1]


def _branch(index: Index, branches: list[Callable]):
    """The result of `branches[index]`, of which no other is computed."""
    if isinstance(index, int) or len(branches) == 1:
        return branches[index if isinstance(index, int) else 0]()
    return tf.switch_case(index, branches)


def _select(index: Index, tensors: list[tf.Tensor]) -> tf.Tensor:
    """`tensors[index]`, without a copy of any."""
    return _branch(index, [lambda tensor=tensor: tf.identity(tensor) for tensor in tensors])


def _add_at(index: Index, tensors: list[tf.Tensor], term: tf.Tensor) -> list[tf.Tensor]:
    """`tensors` with `term` added to the one of that number."""

    def added(number):
        return [tensor + term if i == number else tf.identity(tensor) for i, tensor in enumerate(tensors)]

    return _branch(index, [lambda number=number: added(number) for number in range(len(tensors))])


def _masked(tensor: tf.Tensor, mask: tf.Tensor | None) -> tf.Tensor:
    return tensor if mask is None else tensor * mask


def _is_zero(share) -> bool:
    return isinstance(share, float) and share == 0.0


def _by_node(stacked: tf.Tensor, num_nodes: int) -> tf.Tensor:
    """[nodes * time, batch, features] to [nodes, time, batch, features]."""
    return tf.reshape(stacked, tf.concat([[num_nodes, -1], tf.shape(stacked)[1:]], axis=0))
