"""The training form of a child of cells: it adds drop-path and an auxiliary classifier, which the child does not keep.

Both belong to a second functional model that is made of the child's own layers. Drop-path is an input of that model: a
factor for every example and operation, drawn outside as a function of a seed.
"""

import abc

import keras
import tensorflow as tf

from enas_tf.layers.collectives import draw_rows
from enas_tf.layers.stock import Layers
from enas_tf.models.cell_config import CellChildConfig
from enas_tf.models.images import ImageConfig
from enas_tf.models.trainee import ImageTrainee
from enas_tf.ops.op import CELL_OPS
from enas_tf.spaces.cells import CellArchitecture

#: What the names of the auxiliary classifier's layers begin with; none of them is in the child.
AUXILIARY = "auxiliary"


class CellTrainee(ImageTrainee, abc.ABC):
    """A child with drop-path and, unless its weight is 0, an auxiliary classifier.

    Subclasses say how its cells are connected.

    Attributes:
      early_padding: how the last convolution of the auxiliary classifier pads its input, which is as large as its
        kernel.
      classifier_has_bias: whether classifiers have one.
    """

    early_padding = "same"
    classifier_has_bias = False

    def __init__(self, child: keras.Model, architecture: CellArchitecture, config: CellChildConfig, image: ImageConfig):
        super().__init__(child)
        self.config = config
        self.layers = Layers(child, child.get_layer("stem_0_conv").dtype_policy, for_training=True)
        kinds = self.kinds_of_cells(architecture)
        self.num_cells = len(kinds)
        self.cells: list[int] = []  # The cell that each path of drop-path lies in.
        num_paths = _count_paths(architecture, kinds)
        images = keras.Input(child.input_shape[1:], dtype="uint8")
        factors = keras.Input((num_paths,), name="path_factors")

        def drop_path(y, cell):
            path = len(self.cells)
            self.cells.append(cell)
            if config.drop_path_keep == 1.0:
                return y
            return y * keras.ops.cast(keras.ops.reshape(factors[:, path], (-1, 1, 1, 1)), y.dtype)

        outputs = self.connect_cells(images, architecture, image, drop_path)
        last = self.layers.relu(outputs[-1], "last")
        logits = [self.layers.classify(last, image.num_classes, config.dropout, use_bias=self.classifier_has_bias)]
        if config.auxiliary_weight:
            logits.append(self._classify_early(outputs[self.early_cell(architecture)], image.num_classes))
        self.model = keras.Model([images, factors], logits)

    @abc.abstractmethod
    def kinds_of_cells(self, architecture: CellArchitecture) -> list[str]:
        """Return the kind of each cell of the child in order."""

    @abc.abstractmethod
    def connect_cells(self, images, architecture: CellArchitecture, image: ImageConfig, drop_path) -> list:
        """Return the outputs of all cells on `images`; `drop_path` is applied to (result, number of the cell)."""

    @abc.abstractmethod
    def early_cell(self, architecture: CellArchitecture) -> int:
        """Return the number of the cell that the auxiliary classifier reads."""

    def _classify_early(self, x, num_classes: int):
        """Return the logits of the auxiliary classifier: pooling, a 1x1 convolution, a convolution of all that is left.

        Source: micro_child.py and slim's nasnet.py. For images smaller than CIFAR's the 5x5 window of the pooling
        shrinks to what is there.
        """
        layers, name = self.layers, AUXILIARY
        size = min(5, *x.shape[1:3])
        x = layers.relu(x, name)
        x = layers.get(keras.layers.AveragePooling2D, f"{name}_window", pool_size=size, strides=3, padding="valid")(x)
        x = layers.normalize(layers.convolve(x, 128, 1, f"{name}_narrow"), f"{name}_narrow")
        x = layers.relu_convolve_normalize(x, 768, x.shape[1:3], f"{name}_wide", padding=self.early_padding)
        x = layers.relu(x, f"{name}_last")
        return layers.classify(x, num_classes, 0.0, f"{name}_", use_bias=self.classifier_has_bias)

    @property
    def trainable_variables(self) -> list:
        return self.model.trainable_variables

    @property
    def layers_in_training(self):
        return self.model.layers

    @property
    def tracked(self):
        """The layers of the child, and those that only the auxiliary classifier needs."""
        mine = {layer.name for layer in self.child.layers}
        extra = [layer for layer in self.model.layers if layer.name not in mine]
        return {**super().tracked, **{layer.name: layer for layer in extra if layer.variables}}

    def keep_probabilities(self, progress: tf.Tensor) -> tf.Tensor:
        """Return the probability of keeping each path, float32 [paths].

        It is 1 at the beginning; at the end it falls from 1 before the first cell to `drop_path_keep` in the last.

        Source: micro_child.py, `_apply_drop_path`: depth times progress.
        """
        depth = (tf.constant(self.cells, tf.float32) + 1.0) / self.num_cells
        return 1.0 - tf.minimum(progress, 1.0) * depth * (1.0 - self.config.drop_path_keep)

    def predict(self, images, progress, seed):
        factors = self.path_factors(tf.shape(images)[0], progress, seed)
        logits = self.model([images, factors], training=True)
        if not self.config.auxiliary_weight:
            return [(logits, 1.0)]
        return [(logits[0], 1.0), (logits[1], self.config.auxiliary_weight)]

    def path_factors(self, num: tf.Tensor, progress: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Return factors float32 [num, paths]: 0 with the probability of dropping, else what keeps the mean at 1."""
        keep = self.keep_probabilities(progress)
        uniforms = draw_rows(lambda rows: tf.random.stateless_uniform([rows, len(self.cells)], seed), num)
        return tf.where(uniforms < keep, 1.0 / keep, 0.0)


def _count_paths(architecture: CellArchitecture, kinds: list[str]) -> int:
    """Return how many operations drop-path acts on: all but identities, as in the reference."""
    cells = {
        kind: sum(CELL_OPS[op].drops_path for b in cell.blocks for op in b.ops)
        for kind, cell in architecture.cells.items()
    }
    return sum(cells[kind] for kind in kinds)
