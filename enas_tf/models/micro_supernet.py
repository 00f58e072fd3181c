"""The micro supernet: every network of cells of a `MicroSpace` in one Keras layer, of which a call computes just one.

A network is a stem, then three stages of `cells_per_stage` normal cells with a reduction cell between each two; a
reduction cell doubles the channels. All normal cells are built alike, each with weights of its own, and so are the two
reduction cells. Departures from the reference's search network (micro_child.py), so that what is searched is what is
retrained: the operations on a reduction cell's inputs have a stride, as in its final network (its search network
reduces one input first); a cell's output is always brought to the cell's width by a 1x1 convolution, as in its search
network; the stem is projected to the network's width twice, once as the output of each of the two cells before the
first. There is no auxiliary classifier in the search: the weights of the reference's never learn, and push the shared
ones all the same.
"""

import itertools

import keras
import tensorflow as tf

from enas_tf.layers import collectives, functions
from enas_tf.models.images import STEMS, ImageConfig, NetworkConfig, check_halvings
from enas_tf.models.micro_cells import CellStack, read_cells
from enas_tf.ops.operations import Convolution, FactorizedReduction
from enas_tf.spaces.micro import MicroSpace

#: Reduction cells of a network; each doubles the channels.
NUM_REDUCTIONS = 2


def check_size(image: ImageConfig, channels: int, stem: str) -> None:
    """Raises `InputError` when the images cannot be halved as often as the network does."""
    halvings = sum(strides == 2 for _, strides in STEMS[stem])
    check_halvings(image, 2 * channels, num_halvings=halvings + NUM_REDUCTIONS)


class MicroSupernet(keras.layers.Layer):
    """`supernet(images, tokens)` is the child of `tokens` applied to `images`, with shared weights.

    Args:
      space: what can be built.
      network: size and dropout.
      image: shape, statistics and classes of the images.
      dtype: a Keras policy. With mixed_bfloat16 or mixed_float16 weights, batch statistics and logits
        stay float32, all else is computed in the shorter type.
    """

    def __init__(self, space: MicroSpace, network: NetworkConfig, image: ImageConfig, dtype: str = "float32"):
        # The layer's own policy stays float32, since Keras would cast whole banks: functions cast the rows that they
        # use.
        super().__init__(name="supernet")
        self.computed_in = keras.DTypePolicy(dtype).compute_dtype
        self.space, self.network, self.image = space, network, image
        check_size(image, network.channels, network.stem)
        self.normalization = keras.layers.Normalization(mean=image.mean, variance=image.variance, dtype="float32")
        # Built here, outside of any trace: it keeps tensors, not variables.
        self.normalization.build((None, image.height, image.width, image.channels))
        self._build_stem()
        widths = [network.channels * 2**stage for stage in range(NUM_REDUCTIONS + 1)]
        self.stages = [
            CellStack(space, network.cells_per_stage, width, name=f"stage_{i}") for i, width in enumerate(widths)
        ]
        self.entries, self.reductions, self.shortcuts = [], [], []
        for i, (inputs, width) in enumerate(itertools.pairwise(widths)):
            self.entries.append(Convolution(2, width, 1, inputs, name=f"reduction_{i}_entries"))
            self.reductions.append(CellStack(space, 1, width, strides=2, name=f"reduction_{i}"))
            self.shortcuts.append(FactorizedReduction(1, width, inputs, name=f"reduction_{i}_shortcut"))
        self.classifier = self.add_weight(
            name="classifier", shape=(widths[-1], image.num_classes), initializer=functions.he_normal(widths[-1])
        )
        self.built = True

    def _build_stem(self) -> None:
        inputs, self.stem = self.image.channels, []
        for i, (multiple, _) in enumerate(STEMS[self.network.stem]):
            channels = multiple * self.network.channels
            self.stem.append(
                (
                    self.add_weight(
                        name=f"stem_{i}", shape=(3, 3, inputs, channels), initializer=functions.he_normal(9 * inputs)
                    ),
                    self.add_weight(name=f"stem_{i}_gamma", shape=(channels,), initializer="ones"),
                    self.add_weight(name=f"stem_{i}_beta", shape=(channels,), initializer="zeros"),
                )
            )
            inputs = channels
        # One row for the output of each of the two cells that the first one looks back on.
        self.projections = Convolution(2, self.network.channels, 1, inputs, name="projections")

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
        normal, reduction = read_cells(self.space, tokens)
        before, last = self._enter(tf.cast(self.normalization(images), self.computed_in))
        squares = self._sum_of_constant_squares()
        for i, stage in enumerate(self.stages):
            before, last, added = stage(before, last, normal)
            squares += added
            if i < NUM_REDUCTIONS:
                entries, shortcut = self.entries[i], self.shortcuts[i]
                wide = [entries.compute(x, entries.rows(k)) for k, x in enumerate((before, last))]
                before = shortcut.compute(last, shortcut.rows(0))
                _, last, added = self.reductions[i](*wide, reduction)
                squares += added
        features = tf.reduce_mean(tf.cast(tf.nn.relu(last), tf.float32), axis=[1, 2])
        if dropout_seed is not None and self.network.dropout > 0:
            features = collectives.dropout(features, self.network.dropout, dropout_seed)
        return tf.matmul(features, self.classifier), squares

    def _enter(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """The stem and its two projections. A ReLU stands between convolutions, none behind the last."""
        for i, ((kernel, gamma, beta), (_, strides)) in enumerate(
            zip(self.stem, STEMS[self.network.stem], strict=True)
        ):
            x = functions.convolve(tf.nn.relu(x) if i else x, kernel, strides)
            x = functions.batch_normalize(x, gamma, beta)
        before, last = (self.projections.compute(x, self.projections.rows(i)) for i in range(2))
        return before, last

    def _sum_of_constant_squares(self) -> tf.Tensor:
        """Of the weights that every child is made of: every cell's inputs are read or part of its output."""
        layers = [self.projections, *self.entries, *self.shortcuts]
        weights = [bank for layer in layers for bank in layer.banks]
        weights += [weight for part in self.stem for weight in part]
        return functions.sum_of_squares([*weights, self.classifier])
