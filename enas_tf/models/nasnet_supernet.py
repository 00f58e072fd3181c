"""The supernet of NASNet's family: every network of a `NasnetSpace` or `PnasSpace` in one layer; a call computes one.

Each cell of the network has weights of its own for every edge. One trace serves every architecture, but the graph grows
with the number of cells: most of them read outputs of other widths and sizes. There is no drop-path and no auxiliary
classifier.
"""

import tensorflow as tf

from enas_tf.errors import InputError, ref
from enas_tf.layers import collectives, functions
from enas_tf.models.image_supernet import ImageSupernet
from enas_tf.models.images import ImageConfig
from enas_tf.models.nasnet_cells import Output, SearchedCell
from enas_tf.models.nasnet_config import (
    STEM_KERNEL,
    NasnetNetworkConfig,
    Place,
    check_size,
    place_cells,
    stem_channels,
)
from enas_tf.models.sampled_cells import SampledCell, read_cells
from enas_tf.options import require
from enas_tf.spaces.cell_space import CellSpace
from enas_tf.spaces.cells import NUM_INPUTS


class NasnetSupernet(ImageSupernet):
    """The networks of cells whose outputs are concatenations.

    Raises:
      InputError: the stem cannot read the images, or a width or a size that is halved is odd.
    """

    space: CellSpace
    network: NasnetNetworkConfig

    def __init__(self, space: CellSpace, network: NasnetNetworkConfig, image: ImageConfig, dtype: str = "float32"):
        check_size(image, network)
        super().__init__(space, network, image, dtype)
        self.places = place_cells(network, space.architecture.kinds)
        sides = self._check_halvings()
        self.stem = self.add_convolution("stem", image.channels, stem_channels(network))
        num_nodes = space.blocks + NUM_INPUTS
        # Of each output how many nodes it may join, and their channels: of the stem's, then of those of the cells.
        widths = [(1, stem_channels(network)), *((num_nodes, place.channels) for place in self.places)]
        self.cells = []
        for number, place in enumerate(self.places):
            before = None
            if place.before is not None:
                before = (*widths[place.before], sides[place.before] != sides[place.last])
            self.cells.append(SearchedCell(space, place, widths[place.last], before, name=f"cell_{number}"))
        nodes, channels = widths[-1]
        shape = (nodes, channels, image.num_classes)
        self.classifier = self.add_weight(name="classifier", shape=shape, initializer=functions.he_normal(channels))
        self.bias = self.add_weight(name="bias", shape=(image.num_classes,), initializer="zeros")
        self.built = True

    def _check_halvings(self) -> list[tuple[int, int]]:
        """Return height and width of the output of the stem and of each cell; refuse what cannot be halved."""
        image, large = self.image, self.network.stem == "imagenet"
        sides = [tuple((side - STEM_KERNEL) // 2 + 1 if large else side for side in (image.height, image.width))]
        for place in self.places:
            height, width = sides[place.last]
            if place.strides == 2:
                if height % 2 or width % 2:
                    raise InputError(
                        f"images of {image.height}x{image.width} pixels are {height}x{width} where a cell halves them, "
                        f"which shared weights cannot do: expected even numbers there, or {ref('evaluator')}=scratch "
                        f"with {ref('trial_model')}=keras."
                    )
                is_even, expected = place.channels % 2 == 0, "even numbers of filters where cells halve the image"
                require(is_even, "channels", self.network.channels, expected)
            sides.append((height // place.strides, width // place.strides))
        return sides

    def call(self, images, tokens, dropout_seed=None):
        sampled = read_cells(self.space, tokens)
        outputs, squares = [Output.of(self._enter(self.standardize(images)))], [functions.sum_of_squares(self.stem)]
        for place, cell, is_live in zip(self.places, self.cells, live_cells(self.places, sampled), strict=True):
            before = None if place.before is None else outputs[place.before]
            output, added = cell.run(outputs[place.last], before, sampled[place.kind])
            outputs.append(output)
            squares.append(tf.where(is_live, added, 0.0))
        squares += [
            functions.masked_squares(self.classifier.value[None], outputs[-1].is_joined),
            2.0 * tf.nn.l2_loss(self.bias),
        ]
        return self._classify_nodes(outputs[-1], dropout_seed), tf.add_n(squares)

    def _enter(self, x: tf.Tensor) -> tf.Tensor:
        kernel, gamma, beta = self.stem
        if self.network.stem == "imagenet":
            x = tf.nn.conv2d(x, tf.cast(kernel, x.dtype), strides=2, padding="VALID")
        else:
            x = functions.convolve(x, kernel)
        return functions.batch_normalize(x, gamma, beta)

    def _classify_nodes(self, output: Output, dropout_seed: tf.Tensor | None) -> tf.Tensor:
        """Return the logits, float32 [batch, num_classes]: the sum over the joined nodes of their own matrix."""

        def classify(x, node):
            features = tf.reduce_mean(tf.cast(tf.nn.relu(x), tf.float32), axis=[1, 2])
            if dropout_seed is not None and self.network.dropout > 0:
                seed = tf.random.experimental.stateless_fold_in(dropout_seed, node)
                features = collectives.dropout(features, self.network.dropout, seed)
            return tf.matmul(features, self.classifier[node])

        logits, zero = output.sum(classify)
        return logits + self.bias + zero


def live_cells(places: list[Place], sampled: dict[str, SampledCell]) -> list[tf.Tensor]:
    """Return of each cell whether the last one depends on it, a bool scalar (`nasnet_config.live_cells`)."""
    live = [tf.constant(False)] * len(places) + [tf.constant(True)]
    for number in reversed(range(len(places))):
        place, nodes = places[number], sampled[places[number].kind].is_live
        live[place.last] |= live[number + 1] & nodes[0]
        before = place.last if place.before is None else place.before
        live[before] |= live[number + 1] & nodes[1]
    return live[1:]
