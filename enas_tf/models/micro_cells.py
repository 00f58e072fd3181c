"""The cells of one kind and one width in a supernet, and the loops that run a sampled cell.

The weights of the sampled edges (`micro_edges.py`) are kept in lists. Reading an element has a gradient for that
element only; the gradient of a slice is filled with zeros for all others. Only the sampled operation of an edge is
computed.
"""

import functools

import keras
import tensorflow as tf

from enas_tf.layers import collectives, lists
from enas_tf.layers.functions import batch_normalize, convolve, he_normal, masked_squares, sum_of_squares
from enas_tf.models.micro_edges import EdgeBanks
from enas_tf.models.sampled_cells import SampledCell
from enas_tf.ops.reduction import ReductionBank
from enas_tf.spaces.cells import NUM_INPUTS
from enas_tf.spaces.micro import MicroSpace


class CellStack(keras.layers.Layer):
    """`num_cells` cells of `channels` channels, one after the other.

    With `strides` 2 it is one reduction cell: operations on its inputs (which have its channels already) halve height
    and width, and an input that is part of the output goes through a factorized reduction.
    """

    def __init__(self, space: MicroSpace, num_cells: int, channels: int, strides: int = 1, **kwargs):
        super().__init__(autocast=False, **kwargs)
        if strides == 2 and num_cells != 1:
            raise ValueError("reductions stand alone")
        self.space, self.num_cells, self.channels, self.strides = space, num_cells, channels, strides
        self.edges = EdgeBanks(space, num_cells, channels, strides)
        if strides == 2:
            self.exits = ReductionBank(NUM_INPUTS, channels, name="exits")
        shape = (num_cells, space.blocks + NUM_INPUTS, 1, 1, channels, channels)
        self.merge_kernels = self.add_weight(name="merge", shape=shape, initializer=he_normal(channels))
        self.merge_gamma = self.add_weight(name="merge_gamma", shape=(num_cells, channels), initializer="ones")
        self.merge_beta = self.add_weight(name="merge_beta", shape=(num_cells, channels), initializer="zeros")
        self.built = True

    def call(self, before: tf.Tensor, last: tf.Tensor, cell: SampledCell) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Run the cells on the outputs of the two cells before them.

        Args:
          before: [batch, height, width, channels], the output of the cell before the last.
          last: the same of the last cell.
          cell: what was sampled.

        Returns:
          the outputs of the last two cells, and the sum of squares of the sampled weights. A reduction cell's first
          result is its input `last`, of the larger size.
        """
        vectors = self.edges.gather(cell)
        squares = self._sum_of_squares(cell, vectors)
        packed = lists.array_of(vectors)
        if self.num_cells == 1:
            return last, self._run_cell(0, before, last, packed, cell)[0], squares
        _, before, last, _ = tf.while_loop(
            lambda i, *_: i < self.num_cells,
            lambda i, before, last, packed: (i + 1, last, *self._run_cell(i, before, last, packed, cell)),
            (0, before, last, packed),
            maximum_iterations=self.num_cells,
            parallel_iterations=collectives.parallel_iterations(),
        )
        return before, last, squares

    def _sum_of_squares(self, cell: SampledCell, vectors: tf.Tensor) -> tf.Tensor:
        total = sum_of_squares([self.merge_gamma, self.merge_beta, vectors])
        total += masked_squares(self.merge_kernels, cell.is_joined)
        if self.strides == 2:
            total += sum(masked_squares(stack[None], cell.is_joined[:NUM_INPUTS]) for stack in self.exits.stacks)
        return total

    def _run_cell(self, i, before, last, packed: tf.TensorArray, cell: SampledCell) -> tuple[tf.Tensor, tf.TensorArray]:
        """Run cell `i`: a loop over its edges, then one over the nodes of its output."""
        num_edges = self.edges.num_edges
        # What the first edge of a block makes lies in a list of its own, which the second does not wait for before its
        # own operation is done: the two run side by side, as in the child.
        nodes, firsts = lists.new_list(last.dtype), lists.new_list(last.dtype)
        nodes = lists.push(lists.push(nodes, lists.keep_shape(before)), lists.keep_shape(last))

        def run_edge(edge, nodes, firsts, packed):
            vector = packed.read(i * num_edges + edge)
            return edge + 1, *self._run_edge(edge, nodes, firsts, cell, vector, last), packed

        _, nodes, firsts, packed = tf.while_loop(
            lambda edge, *_: edge < num_edges,
            run_edge,
            (0, nodes, firsts, packed),
            maximum_iterations=num_edges,
            parallel_iterations=collectives.parallel_iterations(),
        )
        total, nodes = self._merge(i, nodes, cell, last)
        zero = tf.cast(lists.zero(nodes, last.dtype) + lists.zero(firsts, last.dtype), tf.float32)
        return batch_normalize(total, self.merge_gamma[i], self.merge_beta[i] + zero), packed

    def _run_edge(self, edge, nodes, firsts, cell: SampledCell, vector: tf.Tensor, like: tf.Tensor) -> tuple:
        """Run the sampled operation of an edge. The second edge of a block adds the result of the first to its own."""
        source, op, shape = cell.sources[edge], cell.ops[edge], like.shape
        output_shape = self._output_shape(shape)
        branches, branch = self.edges.branches(vector, shape, output_shape), self.edges.branch(source, op)
        x = lists.read(nodes, source, None, like.dtype)
        y = tf.switch_case(branch, [functools.partial(compute, x) for compute in branches])
        y = tf.ensure_shape(y, output_shape)

        # Both lists go through both branches: one that a branch captures has a gradient of zeros in the other.
        def add():
            return lists.push(nodes, lists.read(firsts, edge // 2, y.shape, y.dtype) + y), firsts

        return tf.cond(edge % 2 == 1, add, lambda: (nodes, lists.push(firsts, y)))

    def _output_shape(self, shape: tf.TensorShape) -> list[int | None]:
        batch, height, width, _ = shape
        return [batch, height // self.strides, width // self.strides, self.channels]

    def _merge(self, i, nodes, cell: SampledCell, like: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Apply ReLU and a 1x1 convolution to the concatenation of the joined nodes, as a sum over them.

        Returns:
          what is to be normalised, and the list of nodes.
        """
        kernels, last_node = self.merge_kernels[i], self.space.blocks + NUM_INPUTS - 1
        chosen = tf.cast(tf.reshape(tf.where(cell.is_joined[:-1]), [-1]), tf.int32)

        def add_node(k, total, nodes):
            node = chosen[k]
            x = self._at_output_size(lists.read(nodes, node, None, like.dtype), node, like.shape)
            return k + 1, total + convolve(tf.nn.relu(x), kernels[node]), nodes

        # The last node is always joined.
        x = lists.read(nodes, last_node, self._output_shape(like.shape), like.dtype)
        total = convolve(tf.nn.relu(x), kernels[last_node])
        _, total, nodes = tf.while_loop(
            lambda k, *_: k < tf.size(chosen),
            add_node,
            (0, total, nodes),
            maximum_iterations=last_node,
            parallel_iterations=collectives.parallel_iterations(),
        )
        return total, nodes

    def _at_output_size(self, x, node, shape):
        """Return node `node`, which is `x`, in the size of the output: inputs of a reduction cell are halved."""
        if self.strides == 1:
            return tf.ensure_shape(x, self._output_shape(shape))
        rows = self.exits.rows(tf.minimum(node, NUM_INPUTS - 1))
        x = tf.cond(
            node < NUM_INPUTS,
            lambda: self.exits.compute(tf.ensure_shape(x, shape), rows),
            lambda: tf.ensure_shape(x, self._output_shape(shape)),
        )
        return tf.ensure_shape(x, self._output_shape(shape))
