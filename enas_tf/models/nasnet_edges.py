"""The banks of the weights of a cell's edges in NASNet's family.

An operation has a bank for each way in which the nodes of a cell are read: with its stride, and from its width. A bank
has a row for every edge that a token can choose. The rows of the sampled edges are gathered once, before any loop, so
that no loop carries a gradient of the whole bank.
"""

import functools
from collections.abc import Callable, Sequence
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from enas_tf.models.edge_weights import gather_edges, unpack_edge
from enas_tf.models.nasnet_child import op_under
from enas_tf.models.sampled_cells import SampledCell
from enas_tf.ops.bank import Bank
from enas_tf.ops.op import Op
from enas_tf.spaces.cell_space import CellSpace
from enas_tf.spaces.cells import NUM_INPUTS


class Reading(NamedTuple):
    """How operations read some nodes of a cell.

    Attributes:
      strides: their stride.
      inputs: the channels of these nodes.
      nodes: the nodes.
    """

    strides: int
    inputs: int
    nodes: tuple[int, ...]


class EdgeBanks(keras.layers.Layer):
    """The weights of all edges of a cell of `channels` channels.

    Operation `op` of reading `r` has the number r * len(ops) + op.

    Attributes:
      ops: the operations by number, each as it is computed under the stride and from the width of its reading.
      banks: their banks.
    """

    def __init__(self, space: CellSpace, channels: int, readings: Sequence[Reading], **kwargs):
        super().__init__(autocast=False, **kwargs)
        self.readings, self.num_ops = readings, len(space.ops)
        self.num_edges, num_nodes = 2 * space.blocks, space.blocks + NUM_INPUTS
        self._reading_of, self._rows = np.zeros([num_nodes], np.int32), np.zeros([self.num_edges, num_nodes], np.int32)
        self.ops: list[Op] = []
        banks: list[Bank] = []
        for number, reading in enumerate(readings):
            # Edge 2 b + s may read the nodes 0 .. b + 1.
            places = [(e, node) for e in range(self.num_edges) for node in reading.nodes if node < e // 2 + NUM_INPUTS]
            self._reading_of[list(reading.nodes)] = number
            for row, place in enumerate(places):
                self._rows[place] = row
            ops = [op_under(name, reading.strides, reading.inputs != channels) for name in space.ops]
            width = {"inputs": reading.inputs} if reading.inputs != channels else {}
            banks += [op.build_bank(len(places), channels, **width) for op in ops]
            self.ops += ops
        self.banks = banks
        self.built = True

    def number(self, source, op):
        """Return the number of operation `op` where it reads node `source`; integers, or int32 tensors."""
        if len(self.readings) == 1:
            return op
        if tf.is_tensor(source):
            return tf.gather(tf.constant(self._reading_of), source) * self.num_ops + op
        return int(self._reading_of[source]) * self.num_ops + op

    def rows(self, edge: int, source: int, number: int) -> list[tf.Tensor]:
        """Return the weights of the operation of that number on `edge` where it reads node `source`."""
        return self.banks[number].rows(int(self._rows[edge, source]))

    def gather(self, cell: SampledCell) -> tf.Tensor:
        """Return a vector of the weights of each edge, float32 [num_edges, size] (`edge_weights.gather_edges`)."""
        rows = tf.gather(tf.constant(self._rows), cell.sources, axis=1, batch_dims=1)
        return gather_edges(self.banks, self.number(cell.sources, cell.ops), rows)

    def branches(self, vector: tf.Tensor, shapes: Sequence[list]) -> list[Callable]:
        """Return functions of the node that an edge reads, one for each number of an operation.

        Args:
          vector: the weights of the edge, float32 [size].
          shapes: static shapes of the nodes, one for each reading.
        """

        def compute(number, x):
            reading, bank = number // self.num_ops, self.banks[number]
            x = tf.ensure_shape(x, shapes[reading])
            return bank.compute(x, unpack_edge(bank, vector), self.readings[reading].strides)

        return [functools.partial(compute, number) for number in range(len(self.banks))]
