"""The macro supernet: every network of a `MacroSpace` in one Keras layer, of which a call computes just one.

Weights lie in banks, one row per edge or place: every edge of the paper's graph owns its weight. The layers
between two reductions form a stage and run in one `tf.while_loop`, so that the traced graph does not grow with depth,
and one trace serves every architecture. Departures from the reference's search network, all so that what is searched
is what is retrained: the sampled operation is really used; ReLU stands before a convolution; skips are concatenated
and merged by a 1x1 convolution (the paper's text), written as a sum over the chosen edges of their own 1x1 weight.
"""

import functools
import itertools

import keras
import tensorflow as tf

from enas_tf.layers import collectives, functions
from enas_tf.models.images import ImageConfig, NetworkConfig, check_halvings
from enas_tf.ops.operations import Convolution, FactorizedReduction, build_operation
from enas_tf.spaces.macro import MacroSpace, reduction_places, skip_candidates


class MacroSupernet(keras.layers.Layer):
    """`supernet(images, tokens)` is the child of `tokens` applied to `images`, with shared weights.

    Args:
      space: what can be built.
      network: width and dropout.
      image: shape, statistics and classes of the images.
      dtype: a Keras policy. With mixed_bfloat16 or mixed_float16 weights, batch statistics and logits
        stay float32, all else is computed in the shorter type.
    """

    def __init__(self, space: MacroSpace, network: NetworkConfig, image: ImageConfig, dtype: str = "float32"):
        # The layer's own policy stays float32, since Keras would cast whole banks: functions cast the rows that they
        # use.
        super().__init__(name="supernet")
        self.computed_in = keras.DTypePolicy(dtype).compute_dtype
        self.space, self.network, self.image = space, network, image
        depth, channels = space.num_layers, network.channels
        self.reductions = reduction_places(depth)
        check_halvings(image, channels, num_halvings=len(self.reductions))
        self._read_layout()

        self.normalization = keras.layers.Normalization(mean=image.mean, variance=image.variance, dtype="float32")
        # Built here, outside of any trace: it keeps tensors, not variables.
        self.normalization.build((None, image.height, image.width, image.channels))
        stem_init = functions.he_normal(9 * image.channels)
        self.stem_kernel = self.add_weight(name="stem", shape=(3, 3, image.channels, channels), initializer=stem_init)
        self.stem_gamma = self.add_weight(name="stem_gamma", shape=(channels,), initializer="ones")
        self.stem_beta = self.add_weight(name="stem_beta", shape=(channels,), initializer="zeros")
        # Place (layer, op): each operation of each layer has its own 1x1 convolution before it.
        self.entry = Convolution(depth * len(space.ops), channels, 1, name="entry")
        self.operations = [build_operation(op, depth, channels) for op in space.ops]
        # One row per edge: layer k (from 1) has k of them, its own operation's first, then one per skip bit.
        self.edge_kernels = self.add_weight(
            name="edges",
            shape=(depth * (depth + 1) // 2, 1, 1, channels, channels),
            initializer=functions.he_normal(channels),
        )
        self.merge_gamma = self.add_weight(name="merge_gamma", shape=(depth, channels), initializer="ones")
        self.merge_beta = self.add_weight(name="merge_beta", shape=(depth, channels), initializer="zeros")
        self.node_reductions = [
            FactorizedReduction(place + 1, channels, name=f"reduction_{i}") for i, place in enumerate(self.reductions)
        ]
        self.classifier = self.add_weight(
            name="classifier", shape=(channels, image.num_classes), initializer=functions.he_normal(channels)
        )
        self.built = True

    def _read_layout(self) -> None:
        """Where in the tokens the operation and the skip bits of each layer stand, and which node a bit means."""
        depth = self.space.num_layers
        self._op_tokens = [k * (k - 1) // 2 for k in range(1, depth + 1)]
        self._skip_tokens = [(start + 1, k) for k, start in enumerate(self._op_tokens)]
        self._node_offset = skip_candidates(depth, self.space.skip_sources).start

    def _decode(self, tokens: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Tokens int32 [num_tokens] to ops int32 [depth] and skips bool [depth, depth]; a row is a layer's bits."""
        depth = self.space.num_layers
        ops = tf.gather(tokens, self._op_tokens)
        rows = [tf.pad(tokens[start : start + num], [[0, depth - num]]) for start, num in self._skip_tokens]
        return ops, tf.stack(rows) > 0

    def call(
        self, images: tf.Tensor, tokens: tf.Tensor, dropout_seed: tf.Tensor | None = None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Computes one child.

        Args:
          images: uint8 [batch, height, width, channels], 0..255.
          tokens: int32 [num_tokens], of `space`.
          dropout_seed: int32 [2]; dropout is applied before the classifier when it is given.

        Returns:
          logits float32 [batch, num_classes], and the sum of squares of the weights this child is made of.
        """
        ops, skips = self._decode(tokens)
        x = tf.cast(self.normalization(images), self.computed_in)
        x = functions.convolve(x, self.stem_kernel)
        x = functions.batch_normalize(x, self.stem_gamma, self.stem_beta)
        squares = functions.sum_of_squares([self.stem_kernel, self.stem_gamma, self.stem_beta, self.classifier])
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
        features = tf.reduce_mean(tf.cast(x, tf.float32), axis=[1, 2])
        if dropout_seed is not None and self.network.dropout > 0:
            features = collectives.dropout(features, self.network.dropout, dropout_seed)
        return tf.matmul(features, self.classifier), squares

    def _run_stage(self, stage, first, last, ops, skips, x, nodes, squares):
        """Layers first .. last - 1 (from 0): one loop, whose body is one layer."""
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
        """Where in the list of nodes `node` lies at the resolution of `stage`."""
        return stage * (self.space.num_layers + 1) + node

    def _run_op(self, layer, op, x):
        """The sampled operation of `layer` on `x`: ReLU-1x1-BN, then the operation itself."""
        entry = self.entry.rows(layer * len(self.operations) + op)
        x = self.entry.compute(x, entry)

        def branch(operation, rows):
            return operation.compute(x, rows), functions.sum_of_squares(rows)

        branches = [functools.partial(branch, o, o.rows(layer)) for o in self.operations]
        y, squares = tf.switch_case(op, branches) if len(branches) > 1 else branches[0]()
        return y, squares + functions.sum_of_squares(entry)

    def _merge(self, offset, layer, bits, y, nodes):
        """ReLU-1x1-BN of the concatenation of `y` and the chosen nodes, as a sum over edges that visits only those."""
        own = layer * (layer + 1) // 2
        kernel = tf.gather(self.edge_kernels, own)
        gamma, beta = tf.gather(self.merge_gamma, layer), tf.gather(self.merge_beta, layer)
        chosen = tf.reshape(tf.where(bits), [-1])

        def add_edge(i, total, nodes, squares):
            bit = tf.cast(chosen[i], tf.int32)
            kernel = tf.gather(self.edge_kernels, own + 1 + bit)
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
        """Halves the last node, `x`, and every node that a later layer still uses, each with its own weights."""
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
