"""The searched recurrent cell and its run over time, for the sampled cells of a supernet and for the cell of a child.

A node reads a source s: an earlier node, or the state for node 0, which reads the input too. With (z, t) = s W its
value is s + sigmoid(t) (f(z) - s), a highway connection (ptb_enas_child.py, enas_lm's child.py). The output is a mean
of nodes.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

import tensorflow as tf


class Activation(Protocol):
    """A function f of single features, and its gradient in terms of its result, which is kept anyway."""

    call: Callable[[tf.Tensor], tf.Tensor]
    gradient: Callable[[tf.Tensor, tf.Tensor], tf.Tensor]


#: The index of a node or an activation: an int in a fixed cell, an int32 scalar in a sampled one.
Index = int | tf.Tensor


class CellStep(NamedTuple):
    """The result of a time step: the output, which is the next state, and the value, f(z) and gate of each node."""

    output: tf.Tensor
    nodes: list[tf.Tensor]
    contents: list[tf.Tensor]
    gates: list[tf.Tensor]


@dataclasses.dataclass(frozen=True)
class HighwayCell:
    """The structure of a cell, without its weights.

    Attributes:
      activations: what nodes can apply: `call(z)` is f(z), and `gradient(f(z), dy)` is dy f'(z).
      chosen: for each node, the index of its activation in `activations`.
      previous: for each node except the first, the node that it reads.
      shares: for each node, its factor in the output (float or float32 scalar). Terms of factor 0.0 are left out.
    """

    activations: Sequence[Activation]
    chosen: Sequence[Index]
    previous: Sequence[Index]
    shares: Sequence[float | tf.Tensor]

    @property
    def num_nodes(self) -> int:
        return len(self.chosen)

    def step(self, product: tf.Tensor, state: tf.Tensor, kernels: list[tf.Tensor], mask: tf.Tensor | None) -> CellStep:
        """Compute one time step.

        Args:
          product: [batch, 2 units], the term of the input in the first node's (z, t).
          state: [batch, units].
          kernels: [units, 2 units] for each node.
          mask: [batch, units], the factors of every source before its product with a kernel.
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
        """Return gradients of the state [batch, units] and of each (z, t) [batch, 2 units]; `done` needs no output."""
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
        return _branch(self.chosen[node], [lambda f=f: f.call(z) for f in self.activations])

    def _differentiate(self, node: int, y: tf.Tensor, dy: tf.Tensor) -> tf.Tensor:
        return _branch(self.chosen[node], [lambda f=f: f.gradient(y, dy) for f in self.activations])


def run_cell(
    cell: HighwayCell, products: tf.Tensor, state: tf.Tensor, kernels: list[tf.Tensor], mask: tf.Tensor | None = None
) -> tf.Tensor:
    """Return the outputs of a cell [batch, time, units]; the last output is the next state.

    With a mask, as in training, the gradient is written by hand (`_Run`). Without a mask it is TensorFlow's own, and
    nothing is kept for a gradient.

    Args:
      cell: the structure of the cell.
      products: [batch, time, 2 units], the products of the inputs with the first node's kernel for inputs. All results
        have the type of `products`, and the other arguments are cast to it.
      state: [batch, units], before the first time step.
      kernels: [units, 2 units] for each node.
      mask: [batch, units], the factors of every source before its product with a kernel: dropout that is the same in
        all time steps. It has no gradient, nor have the indices and shares of `cell`.
    """
    dtype = products.dtype
    state, kernels = tf.cast(state, dtype), [tf.cast(kernel, dtype) for kernel in kernels]
    mask = None if mask is None else tf.cast(mask, dtype)
    shares = [share if isinstance(share, float) else tf.cast(share, dtype) for share in cell.shares]
    cell = dataclasses.replace(cell, shares=shares)

    if mask is None:
        return run_over_time(lambda state, x: cell.step(x, state, kernels, mask).output, products, state)[0]

    @tf.custom_gradient
    def run(products, state, *kernels):
        steps = _Run(cell, products, state, list(kernels), mask)
        return steps.forward(), steps.backward

    return tf.transpose(run(tf.transpose(products, [1, 0, 2]), state, *kernels), [1, 0, 2])


class _Run:
    """A run of a cell over time with a gradient that is written by hand.

    TensorFlow's own gradient of such a loop sums the gradient of every kernel in every time step, and makes zeros for
    each node that a sampled cell does not read. Here the gradient of a kernel is one matrix product after the loop.

    Args:
      products: [time, batch, 2 units]; the other arguments are those of `run_cell`, all of one type.
    """

    def __init__(
        self, cell: HighwayCell, products: tf.Tensor, state: tf.Tensor, kernels: list[tf.Tensor], mask: tf.Tensor
    ):
        self.cell, self.products, self.state, self.kernels, self.mask = cell, products, state, kernels, mask
        self.time = tf.shape(products)[0]

    def forward(self) -> tf.Tensor:
        """Return the outputs [time, batch, units]; keep the values, contents and gates of the nodes."""
        units = self.state.shape[1]
        kept = [self._array(self.cell.num_nodes * self.time, units) for _ in range(3)]
        loop = (tf.constant(0), self.state, self._array(self.time, units), *kept)
        _, _, outputs, *self.kept = tf.while_loop(lambda t, *_: t < self.time, self._step, loop)
        self.outputs = outputs.stack()
        return self.outputs

    def _array(self, size: tf.Tensor, features: int) -> tf.TensorArray:
        shape = [self.state.shape[0], features]
        return tf.TensorArray(self.products.dtype, size, element_shape=shape, clear_after_read=False)

    def _step(self, t, state, outputs, nodes, contents, gates):
        """Take the time step `t` of the loop."""
        done = self.cell.step(self.products[t], state, self.kernels, self.mask)
        # The values of a node in all time steps are adjacent, since they become one operand of a matrix product.
        for node in range(self.cell.num_nodes):
            nodes = nodes.write(node * self.time + t, done.nodes[node])
            contents = contents.write(node * self.time + t, done.contents[node])
            gates = gates.write(node * self.time + t, done.gates[node])
        return t + 1, done.output, outputs.write(t, done.output), nodes, contents, gates

    def backward(self, d_outputs: tf.Tensor) -> tuple[tf.Tensor, ...]:
        """Return the gradients of the products, of the state and of each kernel."""
        before, num_nodes = tf.concat([self.state[None], self.outputs[:-1]], axis=0), self.cell.num_nodes

        def step_back(t, d_next, d_products):
            numbers = [node * self.time + t for node in range(num_nodes)]
            done = CellStep(None, *([saved.read(n) for n in numbers] for saved in self.kept))
            d_output = d_outputs[t] + d_next
            d_state, of_nodes = self.cell.step_back(d_output, before[t], done, self.kernels, self.mask)
            for number, d_product in zip(numbers, of_nodes, strict=True):
                d_products = d_products.write(number, d_product)
            return t - 1, d_state, d_products

        d_products = self._array(num_nodes * self.time, self.products.shape[2])
        loop = (self.time - 1, tf.zeros_like(self.state), d_products)
        _, d_state, d_products = tf.while_loop(lambda t, *_: t >= 0, step_back, loop)
        d_products = tf.unstack(_by_node(d_products.stack(), num_nodes))
        return d_products[0], d_state, *self._differentiate_kernels(before, d_products)

    def _differentiate_kernels(self, before: tf.Tensor, d_products: list[tf.Tensor]) -> list[tf.Tensor]:
        """Return the gradient of each kernel.

        Args:
          before: [time, batch, units], the state before each time step.
          d_products: [time, batch, 2 units] for each node, the gradients of its (z, t).
        """
        values = tf.unstack(_by_node(self.kept[0].stack(), self.cell.num_nodes))
        d_kernels = []
        for node, d_product in enumerate(d_products):
            source = _select(self.cell.previous[node - 1], values[:node]) if node else before
            rows = [tf.reshape(tensor, [-1, tensor.shape[-1]]) for tensor in (_masked(source, self.mask), d_product)]
            d_kernels.append(tf.matmul(*rows, transpose_a=True))
        return d_kernels


def multiply_last(tensor: tf.Tensor, matrix: tf.Tensor, transpose_b: bool = False) -> tf.Tensor:
    """Return `tensor` [..., n] times `matrix` [n, m], or its transpose: [..., m], in the type of `tensor`.

    It is one product of matrices. With more axes the gradient of `tf.matmul` makes a gradient of `matrix` per row.
    """
    rows = tf.reshape(tensor, [-1, tensor.shape[-1]])
    product = tf.matmul(rows, tf.cast(matrix, tensor.dtype), transpose_b=transpose_b)
    return tf.reshape(product, tf.concat([tf.shape(tensor)[:-1], [product.shape[-1]]], axis=0))


def run_over_time(step: Callable, inputs: tf.Tensor, state: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Call `step(state, x)` for every time step of `inputs` [batch, time, features], from `state` [batch, units].

    The result of a step is both its output and the next state.

    Returns:
      The outputs [batch, time, units] and the last state [batch, units].
    """
    states = tf.scan(step, tf.transpose(inputs, [1, 0, 2]), initializer=state)
    return tf.transpose(states, [1, 0, 2]), states[-1]


def _branch(index: Index, branches: list[Callable]):
    """Return the result of `branches[index]`; the others are not computed."""
    if isinstance(index, int) or len(branches) == 1:
        return branches[index if isinstance(index, int) else 0]()
    return tf.switch_case(index, branches)


def _select(index: Index, tensors: list[tf.Tensor]) -> tf.Tensor:
    """Return `tensors[index]` without copying any of them."""
    return _branch(index, [lambda tensor=tensor: tf.identity(tensor) for tensor in tensors])


def _add_at(index: Index, tensors: list[tf.Tensor], term: tf.Tensor) -> list[tf.Tensor]:
    """Return `tensors` with `term` added to `tensors[index]`."""

    def added(number):
        return [tensor + term if i == number else tf.identity(tensor) for i, tensor in enumerate(tensors)]

    return _branch(index, [lambda number=number: added(number) for number in range(len(tensors))])


def _masked(tensor: tf.Tensor, mask: tf.Tensor | None) -> tf.Tensor:
    return tensor if mask is None else tensor * mask


def _is_zero(share) -> bool:
    return isinstance(share, float) and share == 0.0


def _by_node(stacked: tf.Tensor, num_nodes: int) -> tf.Tensor:
    """Reshape [nodes * time, batch, features] to [nodes, time, batch, features]."""
    return tf.reshape(stacked, tf.concat([[num_nodes, -1], tf.shape(stacked)[1:]], axis=0))
