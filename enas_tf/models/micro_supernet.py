"""The micro supernet: every network of cells of a `MicroSpace` in one Keras layer, of which a call computes just one.

All normal cells are built alike, each with weights of its own, and so are the two reduction cells. Departures from the
reference's search network (micro_child.py), so that what is searched is what is retrained: the operations on a
reduction cell's inputs have a stride, as in its final network (its search network reduces one input first); a cell's
output is always brought to the cell's width by a 1x1 convolution, as in its search network; the stem is projected to
the network's width twice, once as the output of each of the two cells before the first. There is no auxiliary
classifier in the search: the weights of the reference's never learn, and push the shared ones all the same.
"""

import itertools

import tensorflow as tf

from enas_tf.layers import functions
from enas_tf.models.cell_config import NUM_REDUCTIONS, STEMS, CellNetworkConfig, check_size
from enas_tf.models.image_supernet import ImageSupernet
from enas_tf.models.images import ImageConfig
from enas_tf.models.micro_cells import CellStack
from enas_tf.models.sampled_cells import read_cells
from enas_tf.ops.convolution import ConvolutionBank
from enas_tf.ops.reduction import ReductionBank
from enas_tf.spaces.cells import NUM_INPUTS
from enas_tf.spaces.micro import MicroSpace


class MicroSupernet(ImageSupernet):
    """The networks of a `MicroSpace`; raises `InputError` for images that cannot be halved as often as they do."""

    def __init__(self, space: MicroSpace, network: CellNetworkConfig, image: ImageConfig, dtype: str = "float32"):
        check_size(image, network.channels, network.stem)
        super().__init__(space, network, image, dtype)
        self._build_stem()
        widths = [network.channels * 2**stage for stage in range(NUM_REDUCTIONS + 1)]
        self.stages = [
            CellStack(space, network.cells_per_stage, width, name=f"stage_{i}") for i, width in enumerate(widths)
        ]
        self.entries, self.reductions, self.shortcuts = [], [], []
        for i, (inputs, width) in enumerate(itertools.pairwise(widths)):
            self.entries.append(ConvolutionBank(NUM_INPUTS, width, 1, inputs, name=f"reduction_{i}_entries"))
            self.reductions.append(CellStack(space, 1, width, strides=2, name=f"reduction_{i}"))
            self.shortcuts.append(ReductionBank(1, width, inputs, name=f"reduction_{i}_shortcut"))
        self.classifier = self.add_classifier(widths[-1])
        self.built = True

    def _build_stem(self) -> None:
        inputs, self.stem = self.image.channels, []
        for i, (multiple, _) in enumerate(STEMS[self.network.stem]):
            channels = multiple * self.network.channels
            self.stem.append(self.add_convolution(f"stem_{i}", inputs, channels))
            inputs = channels
        # One row for the output of each of the two cells that the first one looks back on.
        self.projections = ConvolutionBank(NUM_INPUTS, self.network.channels, 1, inputs, name="projections")

    def call(self, images, tokens, dropout_seed=None):
        cells = read_cells(self.space, tokens)
        before, last = self._enter(self.standardize(images))
        squares = self._sum_of_constant_squares()
        for i, stage in enumerate(self.stages):
            before, last, added = stage(before, last, cells["normal"])
            squares += added
            if i < NUM_REDUCTIONS:
                entries, shortcut = self.entries[i], self.shortcuts[i]
                wide = [entries.compute(x, entries.rows(k)) for k, x in enumerate((before, last))]
                before = shortcut.compute(last, shortcut.rows(0))
                _, last, added = self.reductions[i](*wide, cells["reduction"])
                squares += added
        return self.classify(tf.nn.relu(last), self.classifier, dropout_seed), squares

    def _enter(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Apply the stem, with a ReLU between its convolutions, and return its two projections."""
        for i, ((kernel, gamma, beta), (_, strides)) in enumerate(
            zip(self.stem, STEMS[self.network.stem], strict=True)
        ):
            x = functions.convolve(tf.nn.relu(x) if i else x, kernel, strides)
            x = functions.batch_normalize(x, gamma, beta)
        before, last = (self.projections.compute(x, self.projections.rows(i)) for i in range(NUM_INPUTS))
        return before, last

    def _sum_of_constant_squares(self) -> tf.Tensor:
        """Return the sum of squares of the weights that every child has, since each cell uses both of its inputs."""
        banks = [self.projections, *self.entries, *self.shortcuts]
        weights = [stack for bank in banks for stack in bank.stacks]
        weights += [weight for part in self.stem for weight in part]
        return functions.sum_of_squares([*weights, self.classifier])
