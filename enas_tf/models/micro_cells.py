"""The cells of one kind and one width in a supernet: banks for all of them, and one loop that runs a sampled cell.

A bank has a row for every edge that a token can choose: (cell, block, side, input). The rows of the sampled edges are
gathered once, before any loop, so that no loop carries a gradient of the whole bank; and packed into lists, whose
gradient is of the edge that is read alone (that of a slice has zeros for all others). Only the sampled operation of an
edge is computed.
"""

import functools
from typing import NamedTuple

import keras
import tensorflow as tf

from enas_tf.layers import collectives, lists
from enas_tf.layers.functions import batch_normalize, convolve, he_normal, sum_of_squares
from enas_tf.ops.operations import CELL_OPERATIONS, FactorizedReduction, build_operation
from enas_tf.spaces.micro import NUM_INPUTS, MicroSpace

#: Number of an operation with weights -> list of vectors, one for each (cell, edge): all its weights there. The halved
#: identity stands behind the operations.
PackedRows = dict[int, tf.TensorArray]


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
        vectors = self._gather(cell)
        squares = self._sum_of_squares(cell, vectors)
        packed = {op: _as_list(rows) for op, rows in vectors.items()}
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

    def _operation(self, op: int):
        """Operation number `op`; behind the others stands the halved identity."""
        return self.operations[op] if op < len(self.operations) else self.halvings

    def _gather(self, cell: SampledCell) -> dict[int, tf.Tensor]:
        """Number of an operation with weights -> those of each sampled edge, a vector: [num_cells * 2 * blocks, n]."""
        places = tf.constant(self._first_rows) + cell.sources
        rows = [operation.rows(places) for operation in self.operations]
        if self.strides == 2:
            first = tf.range(0, 2 * len(self._first_rows[0]), 2)
            rows.append(self.halvings.rows((first + tf.minimum(cell.sources, NUM_INPUTS - 1))[None]))
        num = self.num_cells * 2 * self.space.blocks
        return {
            op: tf.concat([tf.reshape(bank, [num, -1]) for bank in banks], axis=1)
            for op, banks in enumerate(rows)
            if banks
        }

    def _sum_of_squares(self, cell: SampledCell, vectors: dict[int, tf.Tensor]) -> tf.Tensor:
        is_input = cell.sources < NUM_INPUTS
        total = sum_of_squares([self.merge_gamma, self.merge_beta])
        total += _masked_squares(self.merge_kernels, cell.is_joined)
        for op, rows in vectors.items():
            is_chosen = cell.ops == op
            if op == len(self.operations):
                is_chosen = is_input & (cell.ops == self._identity)
            total += _masked_squares(tf.reshape(rows, [self.num_cells, 2 * self.space.blocks, -1]), is_chosen)
        if self.strides == 2:
            total += sum(_masked_squares(bank[None], cell.is_joined[:NUM_INPUTS]) for bank in self.exits.banks)
        return total

    @property
    def _identity(self) -> int:
        """The number of the identity among the space's operations, -1 where there is none."""
        return self.space.ops.index("identity") if "identity" in self.space.ops else -1

    def _run_cell(self, i, before, last, packed: PackedRows, cell: SampledCell) -> tuple[tf.Tensor, PackedRows]:
        """Cell `i`: a loop over its edges, then one over the nodes of its output."""
        num_edges = 2 * self.space.blocks
        # What the first edge of a block makes lies in a list of its own, which the second does not wait for before its
        # own operation is done: the two run side by side, as in the child.
        nodes, firsts = lists.new_list(last.dtype), lists.new_list(last.dtype)
        nodes = lists.push(lists.push(nodes, lists.keep_shape(before)), lists.keep_shape(last))

        def run_edge(edge, nodes, firsts, packed):
            rows = {op: vectors.read(i * num_edges + edge) for op, vectors in packed.items()}
            return edge + 1, *self._run_edge(edge, nodes, firsts, cell, rows, last), packed

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

    def _run_edge(self, edge, nodes, firsts, cell: SampledCell, rows: dict[int, tf.Tensor], like: tf.Tensor) -> tuple:
        """The sampled operation of an edge. The second edge of a block adds the result of the first to its own."""
        source, op, shape = cell.sources[edge], cell.ops[edge], like.shape
        branches, branch = self._branches(rows, shape), op
        if self.strides == 2:
            branch = tf.where(source < NUM_INPUTS, op, op + len(self.operations))
        x = lists.read(nodes, source, None, like.dtype)
        y = tf.switch_case(branch, [functools.partial(compute, x) for compute in branches])
        y = tf.ensure_shape(y, self._output_shape(shape))

        # Both lists go through both branches: one that a branch captures has a gradient of zeros in the other.
        def add():
            return lists.push(nodes, lists.read(firsts, edge // 2, y.shape, y.dtype) + y), firsts

        return tf.cond(edge % 2 == 1, add, lambda: (nodes, lists.push(firsts, y)))

    def _branches(self, rows: dict[int, tf.Tensor], shape) -> list:
        """Functions of x, one for each value of an operation token; with a stride, those of the inputs come first."""

        def compute(op, strides, shape, x):
            operation = self._operation(op)
            unpacked = operation.unpack(rows[op]) if op in rows else []
            return operation.compute(tf.ensure_shape(x, shape), unpacked, strides)

        numbers = list(range(len(self.operations)))
        branches = [functools.partial(compute, op, 1, self._output_shape(shape)) for op in numbers]
        if self.strides == 1:
            return branches
        if self._identity >= 0:
            numbers[self._identity] = len(self.operations)
        return [functools.partial(compute, op, 2, shape) for op in numbers] + branches

    def _output_shape(self, shape: tf.TensorShape) -> list[int | None]:
        batch, height, width, _ = shape
        return [batch, height // self.strides, width // self.strides, self.channels]

    def _merge(self, i, nodes, cell: SampledCell, like: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """ReLU-1x1-BN of the concatenation of the joined nodes, as a sum over them of their own 1x1 convolution.

        Returns what is to be normalised, and the list.
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
        if self.strides == 1:
            return tf.ensure_shape(x, self._output_shape(shape))
        rows = self.exits.rows(tf.minimum(node, NUM_INPUTS - 1))
        x = tf.cond(
            node < NUM_INPUTS,
            lambda: self.exits.compute(tf.ensure_shape(x, shape), rows),
            lambda: tf.ensure_shape(x, self._output_shape(shape)),
        )
        return tf.ensure_shape(x, self._output_shape(shape))


def _as_list(rows: tf.Tensor) -> tf.TensorArray:
    return tf.TensorArray(rows.dtype, rows.shape[0], clear_after_read=False).unstack(rows)


def _masked_squares(rows: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """The sum of squares of `rows` [cells, n, ...] where `mask` bool [n] holds."""
    squares = tf.reduce_sum(tf.square(rows), axis=list(range(2, len(rows.shape))))
    return tf.reduce_sum(tf.where(mask, squares, 0.0))
