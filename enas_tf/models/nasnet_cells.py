"""A cell of NASNet's family in a supernet: what brings its inputs to its width, and the loop that runs its edges.

A cell's output is a concatenation of as many nodes as were sampled, so it has no width of its own. It stays a list of
nodes here. What reads it is a 1x1 convolution, written as a sum over the nodes of their own weights.
"""

import functools

import keras
import tensorflow as tf

from enas_tf.layers import collectives, lists
from enas_tf.layers.functions import batch_normalize, convolve, he_normal, masked_squares, sum_of_squares
from enas_tf.models.nasnet_config import Place
from enas_tf.models.nasnet_edges import EdgeBanks, Reading
from enas_tf.models.sampled_cells import SampledCell
from enas_tf.ops.bank import Bank
from enas_tf.ops.narrowing import NarrowingBank
from enas_tf.ops.reduction import ReductionBank, convolve_halves
from enas_tf.spaces.cell_space import CellSpace
from enas_tf.spaces.cells import NUM_INPUTS


class Output:
    """The nodes that a cell puts out, which are read one after the other.

    The list goes through every loop that reads it, and each of these reads its end: no list is captured or left, whose
    gradient would be filled with zeros.

    Args:
      values: a list of tensors (`layers/lists.py`).
      nodes: int32 [joined], the numbers of the joined nodes among all that may be joined, ascending.
      places: int32 [joined], where they stand in the list.
      is_joined: bool [nodes], which these are.
      shape: static shape of each.
      zero: a scalar 0 that is to be added to what is made of them.
    """

    def __init__(self, values, nodes, places, is_joined, shape, dtype, zero=None):
        self.values, self.nodes, self.places, self.is_joined = values, nodes, places, is_joined
        self.shape, self.dtype = shape, dtype
        self._zero = tf.zeros([], dtype) if zero is None else zero

    @classmethod
    def of(cls, x: tf.Tensor) -> "Output":
        """Return the output that is the tensor `x` alone."""
        first = tf.zeros([1], tf.int32)
        values = lists.push(lists.new_list(x.dtype), lists.keep_shape(x))
        return cls(values, first, first, tf.ones([1], tf.bool), x.shape, x.dtype)

    def sum(self, function) -> tuple[tf.Tensor, tf.Tensor]:
        """Return the sum of `function(node, its number)` over the joined nodes, and a scalar 0 that is to be added."""

        def add(k, total, values):
            x = lists.read(values, self.places[k], self.shape, self.dtype)
            return k + 1, total + function(x, self.nodes[k]), values

        x = lists.read(self.values, self.places[0], self.shape, self.dtype)
        _, total, self.values = tf.while_loop(
            lambda k, *_: k < tf.size(self.nodes),
            add,
            (1, function(x, self.nodes[0]), self.values),
            maximum_iterations=self.is_joined.shape[0] - 1,
            parallel_iterations=collectives.parallel_iterations(),
        )
        return total, tf.cast(lists.zero(self.values, self.dtype) + self._zero, tf.float32)

    def first(self, num: int = 1) -> tf.Tensor:
        """Return the concatenation of the first `num` joined nodes; where there are fewer, the last one is repeated."""
        last = tf.size(self.places) - 1
        nodes = [lists.read(self.values, self.places[tf.minimum(i, last)], self.shape, self.dtype) for i in range(num)]
        return tf.concat(nodes, axis=-1) if num > 1 else nodes[0]


class Entry(keras.layers.Layer):
    """Brings an output to `channels` channels by ReLU, a 1x1 convolution and batch normalisation.

    Args:
      nodes: how many nodes may be joined in the output.
      inputs: their channels.
      channels: those of the result.
      halves: whether a factorized reduction stands in the place of the convolution.
      passes: whether an output that has the channels already stays as it is.

    Attributes:
      passing: how many joined nodes have the channels together, so that they pass; 0 if no number does.
    """

    def __init__(self, nodes: int, inputs: int, channels: int, halves: bool = False, passes: bool = False, **kwargs):
        super().__init__(autocast=False, **kwargs)
        passing, rest = divmod(channels, inputs)
        self.halves, self.passing = halves, passing if passes and not halves and not rest and passing <= nodes else 0
        row = (2, 1, 1, inputs, channels // 2) if halves else (1, 1, inputs, channels)
        self.kernels = self.add_weight(name="kernel", shape=(nodes, *row), initializer=he_normal(inputs))
        self.gamma = self.add_weight(name="gamma", shape=(channels,), initializer="ones")
        self.beta = self.add_weight(name="beta", shape=(channels,), initializer="zeros")
        self.built = True

    def read(self, output: Output) -> tf.Tensor:
        """Return [batch, height, width, channels]."""
        apply = convolve_halves if self.halves else convolve
        total, zero = output.sum(lambda x, node: apply(tf.nn.relu(x), self.kernels[node]))
        y = batch_normalize(total, self.gamma, self.beta + zero)
        if not self.passing:
            return y
        x = output.first(self.passing)
        return tf.cond(self.is_passed(output), lambda: tf.identity(x), lambda: tf.identity(y))

    def is_passed(self, output: Output) -> tf.Tensor:
        """Return whether the output stays as it is, a bool scalar."""
        return (tf.size(output.nodes) == self.passing) & bool(self.passing)

    def sum_of_squares(self, output: Output) -> tf.Tensor:
        """Return that of the weights that are used."""
        total = masked_squares(self.kernels.value[None], output.is_joined) + sum_of_squares([self.gamma, self.beta])
        return tf.where(self.is_passed(output), 0.0, total)


class SearchedCell(keras.layers.Layer):
    """The cell at a place of a network.

    Args:
      space: what it may be.
      place: where it stands.
      last: (nodes, channels) that may be joined in the output that it reads as h_i.
      before: the same of h_i-1, and whether that has twice the height and width; None where it reads the last one as it
        is.
    """

    def __init__(self, space: CellSpace, place: Place, last, before, **kwargs):
        super().__init__(autocast=False, **kwargs)
        self.space, self.place, channels = space, place, place.channels
        self.entries = [Entry(*last, channels, name="last")]
        widths = [channels, channels]
        if before is None:
            widths[1] = last[1]
        else:
            nodes, inputs, halves = before
            self.entries.append(Entry(nodes, inputs, channels, halves, passes=True, name="before"))
        self.edges = EdgeBanks(space, channels, _readings(place, widths, space.blocks), name="edges")
        self.exits = [self._exit(node, width) for node, width in enumerate(widths)]
        if space.architecture.combines:
            shape = (space.blocks, 1, 1, 2 * channels, channels)
            self.kernels = self.add_weight(name="combine", shape=shape, initializer=he_normal(2 * channels))
            self.gamma = self.add_weight(name="combine_gamma", shape=(space.blocks, channels), initializer="ones")
            self.beta = self.add_weight(name="combine_beta", shape=(space.blocks, channels), initializer="zeros")
        self.built = True

    def _exit(self, node: int, width: int) -> Bank | None:
        """Return what an input passes on its way to the output; None where it fits."""
        if self.place.strides == 2:
            return ReductionBank(1, self.place.channels, width, name=f"exit_{node}")
        return None if width == self.place.channels else NarrowingBank(1, self.place.channels, width, name="exit")

    def run(self, last: Output, before: Output | None, cell: SampledCell) -> tuple[Output, tf.Tensor]:
        """Run the cell on the outputs that it reads.

        Returns:
          its output, and the sum of squares of the weights that a child has of it.
        """
        vectors = self.edges.gather(cell)
        squares = self._sum_of_squares(last, before, cell, vectors)
        inputs = [self.entries[0].read(last), last.first() if before is None else self.entries[1].read(before)]
        batch, height, width, _ = inputs[0].shape
        strides = self.place.strides
        shape = [batch, height // strides, width // strides, self.place.channels]
        nodes, firsts = self._run_edges(inputs, shape, cell, lists.array_of(vectors))
        joined = tf.cast(tf.reshape(tf.where(cell.is_joined), [-1]), tf.int32)
        nodes, places = self._leave(inputs, nodes, joined, cell)
        dtype = inputs[0].dtype
        return Output(nodes, joined, places, cell.is_joined, shape, dtype, lists.zero(firsts, dtype)), squares

    def _run_edges(self, inputs: list[tf.Tensor], shape: list, cell: SampledCell, vectors) -> tuple:
        """Run all edges in a loop; return the list of nodes, and that of the first results of blocks."""
        dtype, num_edges = inputs[0].dtype, self.edges.num_edges
        # The first result of a block lies in a list of its own, so that both of a block are computed side by side.
        nodes, firsts = lists.new_list(dtype), lists.new_list(dtype)
        for x in inputs:
            nodes = lists.push(nodes, lists.keep_shape(x))
        shapes = [inputs[r.nodes[0]].shape if r.nodes[0] < NUM_INPUTS else shape for r in self.edges.readings]

        def run_edge(edge, nodes, firsts, vectors):
            branches = self.edges.branches(vectors.read(edge), shapes)
            source = cell.sources[edge]
            x = lists.read(nodes, source, None, dtype)
            compute = [functools.partial(branch, x) for branch in branches]
            y = tf.ensure_shape(tf.switch_case(self.edges.number(source, cell.ops[edge]), compute), shape)
            return edge + 1, *self._add_result(edge, y, nodes, firsts, cell), vectors

        _, nodes, firsts, _ = tf.while_loop(
            lambda edge, *_: edge < num_edges,
            run_edge,
            (0, nodes, firsts, vectors),
            maximum_iterations=num_edges,
            parallel_iterations=collectives.parallel_iterations(),
        )
        return nodes, firsts

    def _add_result(self, edge, y, nodes, firsts, cell: SampledCell) -> tuple[tf.Tensor, tf.Tensor]:
        """Keep the result of the first edge of a block; combine that of the second with it to a node."""
        block = edge // 2

        # Both lists go through all branches: one that a branch captures has a gradient of zeros in the others.
        def keep():
            return nodes, lists.push(firsts, y)

        def add():
            return lists.push(nodes, lists.read(firsts, block, y.shape, y.dtype) + y), firsts

        def concatenate():
            both = tf.concat([lists.read(firsts, block, y.shape, y.dtype), y], axis=-1)
            z = convolve(tf.nn.relu(both), self.kernels[block])
            return lists.push(nodes, batch_normalize(z, self.gamma[block], self.beta[block])), firsts

        if cell.combines is None:
            return tf.cond(edge % 2 == 1, add, keep)
        return tf.switch_case(tf.where(edge % 2 == 1, 1 + cell.combines[block], 0), [keep, add, concatenate])

    def _leave(self, inputs: list, nodes, joined, cell: SampledCell) -> tuple[tf.Tensor, tf.Tensor]:
        """Append inputs that are joined, in the size of the output; return the list, and where joined nodes stand."""
        places, end, dtype = joined, cell.is_joined.shape[0], inputs[0].dtype
        for node, bank in enumerate(self.exits):
            if bank is None:
                continue
            compute = functools.partial(bank.compute, inputs[node], bank.rows(0))
            nodes = tf.cond(
                cell.is_joined[node],
                lambda nodes=nodes, compute=compute: lists.push(nodes, compute()),
                lambda nodes=nodes: lists.push(nodes, tf.zeros([], dtype)),
            )
            places = tf.where(joined == node, end, places)
            end += 1
        return nodes, places

    def _sum_of_squares(self, last: Output, before: Output | None, cell: SampledCell, vectors) -> tf.Tensor:
        total = masked_squares(vectors[None], tf.repeat(cell.is_live[NUM_INPUTS:], 2))
        for node, (entry, output) in enumerate(zip(self.entries, (last, before), strict=False)):
            total += tf.where(cell.is_live[node], entry.sum_of_squares(output), 0.0)
        for node, bank in enumerate(self.exits):
            if bank is not None:
                total += tf.where(cell.is_joined[node], sum_of_squares(bank.rows(0)), 0.0)
        if cell.combines is not None:
            is_used = cell.is_live[NUM_INPUTS:] & (cell.combines == 1)
            for stack in (self.kernels, self.gamma, self.beta):
                total += masked_squares(stack.value[None], is_used)
        return total


def _readings(place: Place, widths: list[int], blocks: int) -> list[Reading]:
    """Return how the nodes of a cell are read: inputs may have a stride, and h_i-1 another width."""
    nodes: dict[tuple[int, int], list[int]] = {}
    for node, width in enumerate(widths):
        nodes.setdefault((place.strides, width), []).append(node)
    # The last block is read by none.
    for node in range(NUM_INPUTS, NUM_INPUTS + blocks - 1):
        nodes.setdefault((1, place.channels), []).append(node)
    return [Reading(*how, tuple(found)) for how, found in nodes.items()]
