"""A space of one's own in one file: a stack of dense layers, each with an activation that is searched.

python -m enas_tf.launch.search --import=own_space.py --space=stack --dataset=digits --workdir=DIR --then=retrain
"""

import dataclasses
import functools

import keras
import numpy as np
import tensorflow as tf

from enas_tf.models.networks import NETWORKS, Networks
from enas_tf.ops.costs import Cost
from enas_tf.options import Group, option, require
from enas_tf.spaces.decisions import PickOp
from enas_tf.spaces.space import SPACES, Architecture, Space

ACTIVATIONS = {"relu": tf.nn.relu, "tanh": tf.tanh, "sigmoid": tf.sigmoid}
NAMES = tuple(ACTIVATIONS)


@dataclasses.dataclass(frozen=True)
class StackArchitecture(Architecture):
    """The activation of each layer."""

    activations: tuple[str, ...]
    space_name = "stack"

    def space(self):
        return StackSpace(depth=len(self.activations))

    def to_json(self):
        return {"space": "stack", "activations": list(self.activations), "arc": self.to_arc()}

    @classmethod
    def from_json(cls, data):
        return cls(tuple(data["activations"]))

    def to_arc(self):
        return " ".join(str(NAMES.index(name)) for name in self.activations)

    @classmethod
    def from_arc(cls, arc):
        numbers = [int(number) for number in arc.split()]
        return StackSpace(depth=len(numbers)).decode(numbers)

    def in_words(self):
        return [f"layer {number}: {name}" for number, name in enumerate(self.activations, start=1)]


@dataclasses.dataclass(frozen=True)
class StackSpace(Space):
    """All stacks of `depth` layers."""

    depth: int = option(3, "number of layers")
    name, architecture = "stack", StackArchitecture

    def __post_init__(self):
        require(self.depth >= 1, "depth", self.depth, "at least 1")

    @functools.cached_property
    def decisions(self):
        return tuple(PickOp(f"layer_{number}/activation", NAMES) for number in range(self.depth))

    def decode(self, tokens):
        return StackArchitecture(tuple(NAMES[token] for token in self.check_tokens(tokens)))

    def encode(self, architecture):
        return np.array([NAMES.index(name) for name in architecture.activations], np.int32)


@dataclasses.dataclass(frozen=True)
class StackConfig:
    """How wide a stack is."""

    units: int = option(16, "units of each layer")


class StackSupernet(keras.layers.Layer):
    """Every stack of a space; its layers share their weights whatever their activation is."""

    def __init__(self, space, network, shape):
        super().__init__(name="supernet")
        self.space = space
        sizes = [shape.height * shape.width * shape.channels, *[network.units] * space.depth, shape.num_classes]
        self.kernels = [
            self.add_weight(name=f"kernel_{i}", shape=sizes[i : i + 2], initializer=keras.initializers.HeNormal(seed=i))
            for i in range(len(sizes) - 1)
        ]
        self.built = True

    def call(self, images, tokens, dropout_seed=None):
        x = tf.reshape(tf.cast(images, tf.float32) / 255.0, [tf.shape(images)[0], self.kernels[0].shape[0]])
        for number, kernel in enumerate(self.kernels[:-1]):
            x = tf.matmul(x, kernel)
            x = tf.switch_case(tokens[number], [functools.partial(call, x) for call in ACTIVATIONS.values()])
        return tf.matmul(x, self.kernels[-1]), tf.add_n([tf.reduce_sum(tf.square(k)) for k in self.kernels])


class StackNetworks(Networks):
    """Stacks for images."""

    task = "classification"
    network = Group(StackConfig(), prefix="stack_", stages=("search",))
    child = Group(StackConfig(units=32), prefix="retrain_stack_", stages=("retrain",))

    def build_supernet(self, space, network, shape, dtype="float32"):
        return StackSupernet(space, network, shape)

    def build_child(self, architecture, child, shape, dtype="float32", for_training=False):
        inputs = keras.Input((shape.height, shape.width, shape.channels), dtype="uint8")
        x = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(inputs))
        for name in architecture.activations:
            x = keras.layers.Dense(child.units, activation=name, use_bias=False)(x)
        return keras.Model(inputs, keras.layers.Dense(shape.num_classes, use_bias=False, name="logits")(x))

    def count(self, architecture, child, shape):
        sizes = [shape.height * shape.width * shape.channels, *[child.units] * len(architecture.activations)]
        costs = [Cost.dense(*pair) for pair in zip(sizes, [*sizes[1:], shape.num_classes], strict=True)]
        return sum(costs, Cost())

    def as_child(self, network):
        return network

    def size_in_words(self, architecture, child):
        return f"{child.units} units"


SPACE = Group(StackSpace(), prefix="stack_", stages=("search",))
SPACES.register("stack", [SPACE], help="a stack of dense layers", defaults={"epochs": 2})(StackSpace)
NETWORKS.register("stack", [StackNetworks.network, StackNetworks.child])(StackNetworks())
