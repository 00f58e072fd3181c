"""The macro supernet: every network of a `MacroSpace` in one Keras layer, of which a call computes just one.

Weights lie in banks, one row for each edge or place: every edge of the paper's graph owns its weight. The layers
between two reductions form a stage and run in one `tf.while_loop`, so that the traced graph does not grow with depth,
and one trace serves every architecture. Departures from the reference's search network, all so that what is searched
is what is retrained: the sampled operation is really used; ReLU stands before a convolution; skips are concatenated
and merged by a 1x1 convolution (the paper's text), written as a sum over the chosen edges of their own 1x1 weight.
"""

import functools
import itertools

import numpy as np
import tensorflow as tf

from enas_tf.layers import collectives, functions
from enas_tf.models.image_supernet import ImageSupernet
from enas_tf.models.images import ImageConfig, check_halvings
from enas_tf.models.macro_config import MacroNetworkConfig
from enas_tf.models.tokens import token_places
from enas_tf.ops.convolution import ConvolutionBank
from enas_tf.ops.op import LAYER_OPS
from enas_tf.ops.reduction import ReductionBank
from enas_tf.spaces.macro import MacroSpace, reduction_places, skip_candidates


class MacroSupernet(ImageSupernet):
    """The networks of a `MacroSpace`.

    Raises:
      InputError: the depth or the images do not fit the two reductions, or the width is odd.
    """

    def __init__(self, space: MacroSpace, network: MacroNetworkConfig, image: ImageConfig, dtype: str = "float32"):
        depth, channels = space.num_layers, network.channels
        reductions = reduction_places(depth)
        check_halvings(image, channels, num_halvings=len(reductions))
        super().__init__(space, network, image, dtype)
        self.reductions = reductions
        self._read_layout()

        self.stem = self.add_convolution("stem", image.channels, channels)
        # Place (layer, op): each operation of each layer has its own 1x1 convolution before it.
        self.entry = ConvolutionBank(depth * len(space.ops), channels, 1, name="entry")
        self.op_banks = [LAYER_OPS[op].build_bank(depth, channels) for op in space.ops]
        # One row for each token: that of an operation for the edge from it, that of a skip bit for the edge of the bit.
        self.edge_kernels = self.add_weight(
            name="edges",
            shape=(space.num_tokens, 1, 1, channels, channels),
            initializer=functions.he_normal(channels),
        )
        self.merge_gamma = self.add_weight(name="merge_gamma", shape=(depth, channels), initializer="ones")
        self.merge_beta = self.add_weight(name="merge_beta", shape=(depth, channels), initializer="zeros")
        self.node_reductions = [
            ReductionBank(place + 1, channels, name=f"reduction_{i}") for i, place in enumerate(self.reductions)
        ]
        self.classifier = self.add_classifier(channels)
        self.built = True

    def _read_layout(self) -> None:
        """Read where the tokens of each layer stand, and which node a skip bit means."""
        space, depth = self.space, self.space.num_layers
        self._op_places = token_places(space, [f"layer_{k}/op" for k in range(1, depth + 1)])
        # Unused entries hold num_tokens, one past the last token; `_decode` pads a 0 there.
        self._skip_places = np.full((depth, depth), space.num_tokens, np.int32)
        for i in range(depth):
            self._skip_places[i, :i] = token_places(space, [f"layer_{i + 1}/skip"])
        self._node_offset = skip_candidates(depth, space.skip_sources).start

    def _decode(self, tokens: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Return the operations int32 [depth] and the skips bool [depth, depth]; a row has the bits of a layer."""
        bits = tf.gather(tf.pad(tokens, [[0, 1]]), self._skip_places)
        return tf.gather(tokens, self._op_places), bits > 0

    def call(self, images, tokens, dropout_seed=None):
        ops, skips = self._decode(tokens)
        kernel, gamma, beta = self.stem
        x = functions.batch_normalize(functions.convolve(self.standardize(images), kernel), gamma, beta)
        squares = functions.sum_of_squares([*self.stem, self.classifier])
        depth = self.space.num_layers
        # One list for all stages: threaded through every loop as a variable, never captured by one, since the gradient
        # of a captured list begins with zeros in the shape of every tensor in it.
        # A node has a place of its own in each stage: a place written twice would mix shapes in the gradient.
        places = (depth + 1) * (len(self.reductions) + 1)
        nodes = tf.TensorArray(x.dtype, places, clear_after_read=False, infer_shape=False).write(0, x)
        bounds = (0, *self.reductions, depth)
        for stage, (first, last) in enumerate(itertools.pairwise(bounds)):
            x, nodes, squares = self._run_stage(stage, first, last, ops, skips, x, nodes, squares)
            if last < depth:
                x, nodes, squares = self._reduce_nodes(stage, last, skips, x, nodes, squares)
        # Read from the list, so that the list has a gradient: one without begins with zeros for all that is in it.
        x = tf.ensure_shape(nodes.read(self._place_of(len(self.reductions), depth)), x.shape)
        return self.classify(x, self.classifier, dropout_seed), squares

    def _run_stage(self, stage, first, last, ops, skips, x, nodes, squares):
        """Run the layers first .. last - 1 (from 0) in one loop, whose body is one layer."""
        offset = self._place_of(stage, 0)

        def run_layer(layer, x, nodes, squares):
            y, op_squares = self._run_op(layer, ops[layer], x)
            x, nodes, merge_squares = self._merge(offset, layer, skips[layer], y, nodes)
            return layer + 1, x, nodes.write(offset + layer + 1, x), squares + op_squares + merge_squares

        _, x, nodes, squares = tf.while_loop(
            lambda layer, *_: layer < last,
            run_layer,
            (tf.constant(first), x, nodes, squares),
            maximum_iterations=last - first,
            parallel_iterations=collectives.parallel_iterations(),
        )
        return x, nodes, squares

    def _place_of(self, stage: int, node):
        """Return where `node` lies in the list of nodes, at the resolution of `stage`."""
        return stage * (self.space.num_layers + 1) + node

    def _run_op(self, layer, op, x):
        """Apply ReLU-1x1-BN to `x`, then the sampled operation of `layer`."""
        entry = self.entry.rows(layer * len(self.op_banks) + op)
        x = self.entry.compute(x, entry)

        def branch(bank, rows):
            return bank.compute(x, rows), functions.sum_of_squares(rows)

        branches = [functools.partial(branch, bank, bank.rows(layer)) for bank in self.op_banks]
        y, squares = tf.switch_case(op, branches) if len(branches) > 1 else branches[0]()
        return y, squares + functions.sum_of_squares(entry)

    def _merge(self, offset, layer, bits, y, nodes):
        """Apply ReLU-1x1-BN to the concatenation of `y` and the chosen nodes, as a sum over the chosen edges alone."""
        kernel = tf.gather(self.edge_kernels, tf.gather(self._op_places, layer))
        edges = tf.gather(self._skip_places, layer)
        gamma, beta = tf.gather(self.merge_gamma, layer), tf.gather(self.merge_beta, layer)
        chosen = tf.reshape(tf.where(bits), [-1])

        def add_edge(i, total, nodes, squares):
            bit = tf.cast(chosen[i], tf.int32)
            kernel = tf.gather(self.edge_kernels, tf.gather(edges, bit))
            source = tf.ensure_shape(nodes.read(offset + bit + self._node_offset), y.shape)
            total += functions.convolve(tf.nn.relu(source), kernel)
            return i + 1, total, nodes, squares + functions.sum_of_squares([kernel])

        total = functions.convolve(tf.nn.relu(y), kernel)
        _, total, nodes, squares = tf.while_loop(
            lambda i, *_: i < tf.size(chosen),
            add_edge,
            (0, total, nodes, functions.sum_of_squares([kernel, gamma, beta])),
            maximum_iterations=self.space.num_layers,
        )
        return functions.batch_normalize(total, gamma, beta), nodes, squares

    def _reduce_nodes(self, stage, place, skips, x, nodes, squares):
        """Halve the last node, `x`, and every node that a later layer still uses, each with its own weights."""
        reduction = self.node_reductions[stage]
        used_bits = tf.reduce_any(skips[place:], axis=0)
        used = tf.pad(used_bits, [[self._node_offset, 1 - self._node_offset]])[:place]
        chosen = tf.cast(tf.reshape(tf.where(used), [-1]), tf.int32)
        shape = x.shape

        def reduce_node(i, nodes, squares):
            node = chosen[i]
            rows = reduction.rows(node)
            y = reduction.compute(tf.ensure_shape(nodes.read(self._place_of(stage, node)), shape), rows)
            nodes = nodes.write(self._place_of(stage + 1, node), y)
            return i + 1, nodes, squares + functions.sum_of_squares(rows)

        _, nodes, squares = tf.while_loop(
            lambda i, *_: i < tf.size(chosen),
            reduce_node,
            (0, nodes, squares),
            maximum_iterations=place,
            parallel_iterations=collectives.parallel_iterations(),
        )
        rows = reduction.rows(place)
        x = reduction.compute(x, rows)
        nodes = nodes.write(self._place_of(stage + 1, place), x)
        return x, nodes, squares + functions.sum_of_squares(rows)
