"""Every space once, with the small networks that the laws are tried on. A space that is not here fails."""

import dataclasses
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from enas_tf.models.cell_config import CellChildConfig, CellNetworkConfig
from enas_tf.models.images import ImageConfig
from enas_tf.models.language import LanguageConfig, TextShape
from enas_tf.models.macro_config import MacroChildConfig, MacroNetworkConfig
from enas_tf.models.nas_conv_config import NasConvConfig
from enas_tf.models.nasnet_config import NasnetChildConfig, NasnetNetworkConfig
from enas_tf.models.networks import NETWORKS, Networks
from enas_tf.spaces.macro import MACRO_OPS, MacroSpace
from enas_tf.spaces.micro import MicroSpace
from enas_tf.spaces.nas_conv import NasConvSpace
from enas_tf.spaces.nas_recurrent import NasRecurrentSpace
from enas_tf.spaces.nasnet import NasnetSpace
from enas_tf.spaces.pnas import PnasSpace
from enas_tf.spaces.recurrent import RecurrentSpace
from enas_tf.spaces.space import Space
from enas_tf.spaces.vocabulary import CELL_OPS
from enas_tf.training.runners import has_supernet


@dataclasses.dataclass(frozen=True)
class Case:
    """A space small enough to list, one large enough to be interesting, and what its networks are built with."""

    name: str
    tiny: Space
    space: Space
    network: Any
    child: Any
    shape: ImageConfig | TextShape
    #: How many vectors of the width of a language model its state has.
    vectors: int = 1

    @property
    def networks(self) -> Networks:
        return NETWORKS[self.space.name]

    @property
    def has_supernet(self) -> bool:
        return has_supernet(self.networks)

    def build_supernet(self, dtype: str = "float32"):
        return self.networks.build_supernet(self.space, self.network, self.shape, dtype)

    def build_child(self, architecture, dtype: str = "float32"):
        return self.networks.build_child(architecture, self.child, self.shape, dtype)

    def inputs(self, num: int) -> list[np.ndarray]:
        """Return `num` random inputs of a child: images, or rows of ids and a state."""
        random = np.random.default_rng(0)
        if isinstance(self.shape, TextShape):
            ids = random.integers(0, self.shape.vocabulary_size, (num, 5), dtype=np.int32)
            return [ids, random.normal(size=(num, self.vectors * self.network.units)).astype(np.float32)]
        shape = (num, self.shape.height, self.shape.width, self.shape.channels)
        return [random.integers(0, 256, shape, dtype=np.uint8)]

    def run_supernet(self, supernet, inputs, tokens):
        """Return logits and the sum of squares of the chosen weights."""
        found, squares = supernet(*inputs, tokens)
        return (found if isinstance(found, tf.Tensor) else supernet.logits(found.dropped)), squares

    def run_child(self, child, inputs):
        """Return logits in training mode."""
        found = child(inputs if len(inputs) > 1 else inputs[0], training=True)
        return found[0] if isinstance(found, list | tuple) else found


IMAGE = ImageConfig(8, 8, 3, num_classes=5, mean=(120.0, 110.0, 100.0), variance=(3000.0, 3500.0, 4000.0))


def macro_case(name: str, **options) -> Case:
    """Return a case of the macro space; `options` are those of the space."""
    return Case(
        name=f"macro-{name}",
        tiny=MacroSpace(**options | {"num_layers": 3, "ops": MACRO_OPS[:2]}),
        space=MacroSpace(**options),
        network=MacroNetworkConfig(channels=6, dropout=0.0),
        child=MacroChildConfig(channels=6, dropout=0.0),
        shape=IMAGE,
    )


def micro_case(name: str, **options) -> Case:
    """Return a case of the micro space; `options` are those of the space.

    The tiny space has the operation that the law of learning rewards last.
    """
    return Case(
        name=f"micro-{name}",
        tiny=MicroSpace(blocks=1, ops=("identity", "sep_conv_3x3")),
        space=MicroSpace(**options),
        network=CellNetworkConfig(channels=4, dropout=0.0, cells_per_stage=2),
        child=CellChildConfig(channels=4, dropout=0.0, cells_per_stage=2),
        shape=IMAGE,
    )


#: Those of which FLOPs are exact where odd sizes are halved. (Of a dilated convolution TensorFlow computes a padding,
#: too, where a size is odd.)
#: Of the operations of NASNet one of each kind: more of them take long to trace (tests/ops tries all).
NASNET_KINDS = ("identity", "dilated_3x3", "conv_1x3_3x1", "max_pool_3x3", "sep_conv_3x3")


def nasnet_case(tiny: Space, space: Space, stem: str = "cifar", **options) -> Case:
    """Return a case of a space of NASNet's family; `options` are those of its networks."""
    sizes = {"channels": 8, "dropout": 0.0, "cells_per_stage": 1, "stem": stem, **options}
    return Case(
        name=f"{space.name}-{stem}",
        tiny=tiny,
        space=space,
        network=NasnetNetworkConfig(**sizes),
        child=NasnetChildConfig(**sizes),
        # The stem for large images leaves 16 of 33 pixels, which four cells halve.
        shape=IMAGE if stem == "cifar" else dataclasses.replace(IMAGE, height=33, width=33),
    )


def recurrent_case(output: str) -> Case:
    """Return a case of the recurrent space."""
    network = LanguageConfig(units=6, init_scale=0.3)
    return Case(
        name=f"recurrent-{output}",
        tiny=RecurrentSpace(nodes=3, activations=("tanh", "sigmoid"), output=output),
        space=RecurrentSpace(nodes=5, output=output),
        network=network,
        child=network,
        shape=TextShape(vocabulary_size=11),
    )


def nas_conv_case(name: str, **options) -> Case:
    """Return a case of the nas_conv space, which has no supernet; `options` are those of the space."""
    return Case(
        name=f"nas_conv-{name}",
        tiny=NasConvSpace(num_layers=2, filter_sizes=("1", "3"), filters=("2", "4")),
        space=NasConvSpace(**options),
        network=NasConvConfig(),
        child=NasConvConfig(more_filters=1),
        shape=IMAGE,
    )


def nas_recurrent_case(name: str, base: int, **options) -> Case:
    """Return a case of the nas_recurrent space, which has no supernet; `options` are those of the space."""
    network = LanguageConfig(units=6, init_scale=0.3)
    return Case(
        name=f"nas_recurrent-{name}",
        tiny=NasRecurrentSpace(base=1),
        space=NasRecurrentSpace(base, **options),
        network=network,
        child=network,
        shape=TextShape(vocabulary_size=11),
        vectors=2,
    )


CASES = [
    macro_case("layers", num_layers=6, skip_sources="layers"),
    macro_case("reference", num_layers=6, skip_sources="reference"),
    micro_case("paper", blocks=3),
    micro_case("other", blocks=2, ops=CELL_OPS.names[4:10], merge="all"),
    nasnet_case(NasnetSpace(blocks=1, ops=("identity", "sep_conv_3x3")), NasnetSpace(blocks=3, ops=NASNET_KINDS)),
    nasnet_case(
        NasnetSpace(blocks=1, ops=("identity", "sep_conv_3x3"), merge="all"),
        NasnetSpace(blocks=2, merge="1+3/0+2+3", ops=("identity", "conv_1x1", "max_pool_5x5", "sep_conv_3x3")),
        stem="imagenet",
        skip_reduction_input=True,
        stem_channels=5,
    ),
    nasnet_case(
        PnasSpace(blocks=2, ops=("identity", "sep_conv_3x3")),
        PnasSpace(blocks=3, ops=("identity", "avg_pool_3x3", "conv_1x7_7x1", "sep_conv_5x5")),
    ),
    nas_conv_case("paper", num_layers=3, filters=("3", "4", "6")),
    nas_conv_case("strides", num_layers=4, filters=("3", "6"), search_strides=True, pool_after=("2",)),
    nas_recurrent_case("paper", base=4),
    nas_recurrent_case("bent", base=2, activations=("tanh", "sigmoid")),
    recurrent_case("loose_ends"),
    recurrent_case("all_but_first"),
]


SHARING = [case for case in CASES if case.has_supernet]
#: Cases whose children are trained from scratch even in a search.
SEPARATE = [case for case in CASES if not case.has_supernet]


# The fixtures are those of a module so that the tests of a case follow each other and can share what was traced.


@pytest.fixture(params=CASES, ids=lambda case: case.name, scope="module")
def case(request) -> Case:
    return request.param


#: Cases whose networks have many parts: the graph of one takes half a minute. Others try the same layers.
LARGE = ("micro-paper", "nasnet-cifar", "nasnet-imagenet")


@pytest.fixture(
    params=[pytest.param(c, marks=[pytest.mark.slow] if c.name in LARGE else []) for c in SHARING],
    ids=lambda case: case.name,
    scope="module",
)
def shared_case(request) -> Case:
    """A case with a supernet."""
    return request.param


@pytest.fixture(params=SEPARATE, ids=lambda case: case.name, scope="module")
def separate_case(request) -> Case:
    """A case without a supernet."""
    return request.param


#: One of each kind of network. On the others, `-m slow` tries what takes long, and policies: they know a space by its
#: decisions, of which two tiny spaces each have the same.
FIRST = ("macro-layers", "nas_conv-strides", "nas_recurrent-paper", "recurrent-loose_ends")


def mostly_slow(cases: list[Case]) -> list:
    """Return the cases as parameters, of which those that are not `FIRST` are slow."""
    return [pytest.param(case, marks=[] if case.name in FIRST else [pytest.mark.slow]) for case in cases]


@pytest.fixture(params=mostly_slow(CASES), ids=lambda case: case.name, scope="module")
def costly_case(request) -> Case:
    return request.param


@pytest.fixture(params=mostly_slow(SHARING), ids=lambda case: case.name, scope="module")
def costly_shared_case(request) -> Case:
    """A case with a supernet."""
    return request.param


@pytest.fixture(scope="session")
def case_list() -> list[Case]:
    return CASES
