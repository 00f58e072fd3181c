"""The cells of one kind and one width in a supernet: banks for all of them, and one loop that runs a sampled cell.

A bank has a row for every edge that a token can choose: (cell, block, side, input). The rows of the sampled edges are
gathered once, before any loop, so that no loop carries a gradient of the whole bank. Only the sampled operation of an
edge is computed.
"""

import functools
from typing import NamedTuple

import keras
import tensorflow as tf

from enas_tf.layers.functions import batch_normalize, convolve, he_normal, sum_of_squares
from enas_tf.layers.operations import CELL_OPERATIONS, FactorizedReduction, build_operation
from enas_tf.spaces.micro import NUM_INPUTS, MicroSpace


class SampledCell(NamedTuple):
    """A cell as tensors. Edge 2 b + s is side s of block b.

    Attributes:
      sources: int32 [2 * blocks], the node that each edge reads.
      ops: int32 [2 * blocks], its operation.
      is_joined: bool [blocks + 2], whether a node is part of the output.
    """

    sources: tf.Tensor
    ops: tf.Tensor
    is_joined: tf.Tensor


def read_cells(space: MicroSpace, tokens: tf.Tensor) -> list[SampledCell]:
    """The normal and the reduction cell of `tokens` int32 [num_tokens]."""
    cells = []
    for cell in tf.unstack(tf.reshape(tokens, [2, space.blocks, 4])):
        sources = tf.reshape(cell[:, :2], [-1])
        is_used = tf.reduce_any(sources[:, None] == tf.range(space.blocks + NUM_INPUTS), axis=0)
        is_joined = ~is_used if space.merge == "loose_ends" else tf.ones_like(is_used)
        cells.append(SampledCell(sources, tf.reshape(cell[:, 2:], [-1]), is_joined))
    return cells


class CellStack(keras.layers.Layer):
    """`num_cells` cells of `channels` channels, one behind the other.

    With `strides` 2 it is one reduction cell: operations on its inputs (which have its channels already) halve height
    and width, and an input that is part of the output goes through a factorized reduction.
    """

    def __init__(self, space: MicroSpace, num_cells: int, channels: int, strides: int = 1, **kwargs):
        super().__init__(autocast=False, **kwargs)
        if strides == 2 and num_cells != 1:
            raise ValueError("reductions stand alone")
        self.space, self.num_cells, self.channels, self.strides = space, num_cells, channels, strides
        blocks = space.blocks
        num_edges = blocks * (blocks + 3)
        # Edge 2 b + s has b + 2 rows, one for each node that it may read.
        sizes = [b + NUM_INPUTS for b in range(blocks) for _ in range(2)]
        self._first_rows = [[cell * num_edges + sum(sizes[:i]) for i in range(2 * blocks)] for cell in range(num_cells)]
        self.operations = [build_operation(op, num_cells * num_edges, channels, CELL_OPERATIONS) for op in space.ops]
        if strides == 2:
            # An identity with a stride. Only the inputs have a stride: two rows for each edge.
            self.halvings = FactorizedReduction(2 * len(sizes), channels, name="identity_halved")
            self.exits = FactorizedReduction(NUM_INPUTS, channels, name="exits")
        shape = (num_cells, blocks + NUM_INPUTS, 1, 1, channels, channels)
        self.merge_kernels = self.add_weight(name="merge", shape=shape, initializer=he_normal(channels))
        self.merge_gamma = self.add_weight(name="merge_gamma", shape=(num_cells, channels), initializer="ones")
        self.merge_beta = self.add_weight(name="merge_beta", shape=(num_cells, channels), initializer="zeros")
        self.built = True

    def place(self, cell, edge: int, source):
        """The row of edge `edge` in `cell` that reads node `source`."""
        return self._first_rows[cell][edge] + source

    def call(self, before: tf.Tensor, last: tf.Tensor, cell: SampledCell) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Runs the cells on the outputs of the two cells before them, `before` and `last`.

        Both [batch, height, width, channels]. Returns the outputs of the last two cells, and the sum of squares of the
        sampled weights. A reduction cell's first result is its input `last`, of the larger size.
        """
        rows = self._gather(cell)
        squares = self._sum_of_squares(cell, rows)
        if self.num_cells == 1:
            return last, self._run_cell(0, before, last, cell, rows), squares
        _, before, last = tf.while_loop(
            lambda i, *_: i < self.num_cells,
            lambda i, before, last: (i + 1, last, self._run_cell(i, before, last, cell, rows)),
            (0, before, last),
            maximum_iterations=self.num_cells,
        )
        return before, last, squares

    def _gather(self, cell: SampledCell) -> list[list[tf.Tensor]]:
        """Per operation, halved identities last, its banks' rows of the sampled edges: [num_cells, 2 * blocks, ...]."""
        places = tf.constant(self._first_rows) + cell.sources
        rows = [operation.rows(places) for operation in self.operations]
        if self.strides == 2:
            first = tf.range(0, 2 * len(self._first_rows[0]), 2)
            rows.append(self.halvings.rows((first + tf.minimum(cell.sources, NUM_INPUTS - 1))[None]))
        return rows

    def _sum_of_squares(self, cell: SampledCell, rows: list[list[tf.Tensor]]) -> tf.Tensor:
        is_input = cell.sources < NUM_INPUTS
        total = sum_of_squares([self.merge_gamma, self.merge_beta])
        total += _masked_squares(self.merge_kernels, cell.is_joined)
        for op, banks in enumerate(rows):
            is_chosen = cell.ops == op
            if op == len(self.operations):
                is_chosen = is_input & (cell.ops == self._identity)
            total += sum(_masked_squares(bank, is_chosen) for bank in banks)
        if self.strides == 2:
            total += sum(_masked_squares(bank[None], cell.is_joined[:NUM_INPUTS]) for bank in self.exits.banks)
        return total

    @property
    def _identity(self) -> int:
        """The number of the identity among the space's operations, -1 where there is none."""
        return self.space.ops.index("identity") if "identity" in self.space.ops else -1

    def _run_cell(self, i, before, last, cell: SampledCell, rows) -> tf.Tensor:
        """Cell `i`: a loop over its edges, then one over the nodes of its output."""
        rows = [[bank[i] for bank in banks] for banks in rows]
        num_edges = 2 * self.space.blocks
        nodes = tf.TensorArray(last.dtype, num_edges + NUM_INPUTS, clear_after_read=False, infer_shape=False)
        nodes = nodes.write(0, before).write(1, last)
        _, nodes = tf.while_loop(
            lambda edge, _: edge < num_edges,
            lambda edge, nodes: (edge + 1, self._run_edge(edge, nodes, cell, rows, last.shape)),
            (0, nodes),
            maximum_iterations=num_edges,
        )
        return self._merge(i, nodes, cell, last.shape)

    def _run_edge(self, edge, nodes, cell: SampledCell, rows, shape) -> tf.TensorArray:
        """The sampled operation of an edge. The second edge of a block adds the result of the first to its own."""
        source, op = cell.sources[edge], cell.ops[edge]
        branches, branch = self._branches(edge, rows, shape), op
        if self.strides == 2:
            branch = tf.where(source < NUM_INPUTS, op, op + len(self.operations))
        x = nodes.read(_place_of(source))
        y = tf.switch_case(branch, [functools.partial(compute, x) for compute in branches])
        y = tf.ensure_shape(y, self._output_shape(shape))

        # The list goes through the branches: a list that a branch captures has a gradient of zeros in the other one.
        def add(nodes):
            first = tf.ensure_shape(nodes.read(edge + NUM_INPUTS - 1), y.shape)
            return first + y, nodes

        y, nodes = tf.cond(edge % 2 == 1, functools.partial(add, nodes), lambda: (y, nodes))
        return nodes.write(edge + NUM_INPUTS, y)

    def _branches(self, edge, rows, shape) -> list:
        """Functions of x, one for each value of an operation token; with a stride, those of the inputs come first."""

        def compute(operation, rows, strides, shape, x):
            return operation.compute(tf.ensure_shape(x, shape), rows, strides)

        mine = [[bank[edge] for bank in banks] for banks in rows]
        plain = list(zip(self.operations, mine, strict=False))
        branches = [functools.partial(compute, *pair, 1, self._output_shape(shape)) for pair in plain]
        if self.strides == 1:
            return branches
        if self._identity >= 0:
            plain[self._identity] = (self.halvings, mine[-1])
        return [functools.partial(compute, *pair, 2, shape) for pair in plain] + branches

    def _output_shape(self, shape: tf.TensorShape) -> list[int | None]:
        batch, height, width, _ = shape
        return [batch, height // self.strides, width // self.strides, self.channels]

    def _merge(self, i, nodes, cell: SampledCell, shape) -> tf.Tensor:
        """ReLU-1x1-BN of the concatenation of the joined nodes, as a sum over them of their own 1x1 convolution."""
        kernels = self.merge_kernels[i]
        last_node = self.space.blocks + NUM_INPUTS - 1
        chosen = tf.cast(tf.reshape(tf.where(cell.is_joined[:-1]), [-1]), tf.int32)

        def add_node(k, total, nodes):
            node = chosen[k]
            x = self._at_output_size(nodes.read(_place_of(node)), node, shape)
            return k + 1, total + convolve(tf.nn.relu(x), kernels[node]), nodes

        shape_out = self._output_shape(shape)
        start = tf.zeros([tf.shape(nodes.read(1))[0], *shape_out[1:]], nodes.dtype)
        start = tf.ensure_shape(start, shape_out)
        _, total, nodes = tf.while_loop(
            lambda k, *_: k < tf.size(chosen), add_node, (0, start, nodes), maximum_iterations=last_node
        )
        # The last node is always joined. It is read here, so that the final list has a gradient: one without begins
        # with zeros for all that is in it.
        x = tf.ensure_shape(nodes.read(_place_of(last_node)), shape_out)
        total += convolve(tf.nn.relu(x), kernels[last_node])
        return batch_normalize(total, self.merge_gamma[i], self.merge_beta[i])

    def _at_output_size(self, x, node, shape):
        if self.strides == 1:
            return tf.ensure_shape(x, self._output_shape(shape))
        rows = self.exits.rows(tf.minimum(node, NUM_INPUTS - 1))
        x = tf.cond(
            node < NUM_INPUTS,
            lambda: self.exits.compute(tf.ensure_shape(x, shape), rows),
            lambda: tf.ensure_shape(x, self._output_shape(shape)),
        )
        return tf.ensure_shape(x, self._output_shape(shape))


def _place_of(node):
    """Where a node lies in the list: inputs first, then the result of each edge; a block is its second edge's."""
    return tf.maximum(node, 2 * node - 1)


def _masked_squares(rows: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """The sum of squares of `rows` [cells, n, ...] where `mask` bool [n] holds."""
    squares = tf.reduce_sum(tf.square(rows), axis=list(range(2, len(rows.shape))))
    return tf.reduce_sum(tf.where(mask, squares, 0.0))
