"""The banks of the weights of the edges of micro cells.

A bank has a row for every edge that a token can choose: (cell, block, side, input). The rows of the sampled edges are
gathered once, before any loop, so that no loop carries a gradient of the whole bank.
"""

import functools
from collections.abc import Callable

import keras
import tensorflow as tf

from enas_tf.models.edge_weights import gather_edges, unpack_edge
from enas_tf.models.sampled_cells import SIDES, SampledCell
from enas_tf.ops.op import CELL_OPS
from enas_tf.spaces.cells import NUM_INPUTS
from enas_tf.spaces.micro import MicroSpace


class EdgeBanks(keras.layers.Layer):
    """The weights of all edges of `num_cells` cells: a bank for each operation of the space.

    With `strides` 2 the edges from the inputs of a cell have a stride. Where an operation is replaced under a stride
    (`Op.with_strides`), the replacement has a bank as well, with two rows for each edge.

    Attributes:
      banks: those of the operations in the order of the space, then those of the replacements.
    """

    def __init__(self, space: MicroSpace, num_cells: int, channels: int, strides: int, **kwargs):
        super().__init__(autocast=False, **kwargs)
        self.space, self.num_cells, self.strides = space, num_cells, strides
        self.num_edges = 2 * space.blocks
        # Edge 2 b + s has b + 2 rows in each cell, one for each node that it may read.
        sizes = [b + NUM_INPUTS for b in range(space.blocks) for _ in SIDES]
        self._first_rows = [
            [cell * sum(sizes) + sum(sizes[:edge]) for edge in range(self.num_edges)] for cell in range(num_cells)
        ]
        ops = [CELL_OPS[name] for name in space.ops]
        self.num_ops = len(ops)
        # For each operation the number of the bank that an edge with a stride reads.
        self._strided = list(range(self.num_ops))
        banks = [op.build_bank(num_cells * sum(sizes), channels) for op in ops]
        if strides > 1:
            for number, op in enumerate(ops):
                other = op.with_strides(strides)
                if other is not op:
                    self._strided[number] = len(banks)
                    banks.append(other.build_bank(NUM_INPUTS * self.num_edges, channels))
        self.banks = banks
        self.built = True

    def rows(self, cell: int, edge: int, source: int, op: str) -> list[tf.Tensor]:
        """Return the weights of `op` on `edge` of `cell` where it reads node `source`."""
        number = self.space.ops.index(op)
        if self.strides > 1 and source < NUM_INPUTS and self._strided[number] != number:
            return self.banks[self._strided[number]].rows(NUM_INPUTS * edge + source)
        return self.banks[number].rows(self._first_rows[cell][edge] + source)

    def gather(self, cell: SampledCell) -> tf.Tensor:
        """Return a vector of the weights of each edge, float32 [num_cells * num_edges, size].

        They are those of the sampled operations (`edge_weights.gather_edges`), the edges of the first cell first.
        """
        numbers, rows = cell.ops, tf.constant(self._first_rows) + cell.sources
        if self.strides > 1:
            numbers = tf.where(cell.sources < NUM_INPUTS, tf.gather(tf.constant(self._strided), cell.ops), cell.ops)
            replaced = tf.range(0, NUM_INPUTS * self.num_edges, NUM_INPUTS) + cell.sources
            rows = tf.where(numbers < self.num_ops, rows, replaced)
        return gather_edges(self.banks, tf.tile(numbers, [self.num_cells]), tf.reshape(rows, [-1]))

    def branch(self, source: tf.Tensor, op: tf.Tensor) -> tf.Tensor:
        """Return which of `branches` computes operation `op` of node `source`."""
        return op if self.strides == 1 else tf.where(source < NUM_INPUTS, op, op + self.num_ops)

    def branches(self, vector: tf.Tensor, input_shape, output_shape) -> list[Callable]:
        """Return functions of the node that an edge reads, of which `branch` chooses.

        Args:
          vector: the weights of the edge, float32 [size].
          input_shape: static shape of the inputs of the cell.
          output_shape: static shape of all other nodes.
        """

        def compute(number, strides, shape, x):
            bank = self.banks[number]
            return bank.compute(tf.ensure_shape(x, shape), unpack_edge(bank, vector), strides)

        plain = [functools.partial(compute, number, 1, output_shape) for number in range(self.num_ops)]
        if self.strides == 1:
            return plain
        return [functools.partial(compute, number, self.strides, input_shape) for number in self._strided] + plain
