"""The macro space: a whole convolutional network, layer by layer (Pham et al. 2018, section 2.3).

Nodes are numbered as in the paper: node 0 is the stem, node k is the output of layer k, counted from 1. Every layer
picks one operation, which runs on the output of the layer before it, and any subset of earlier nodes, which are
concatenated to the operation's result. Two readings of "any subset" exist, with the same number of bits:

    skip_sources="layers"     bit i of layer k is layer i + 1: layers 1 .. k-1, the one before included (the paper)
    skip_sources="reference"  bit i of layer k is node i: the stem and layers 1 .. k-2 (the authors' code,
                              general_child.py, `prev_layers`)
"""

import dataclasses
import functools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from enas_tf.errors import InputError, count_of, ref
from enas_tf.options import Group, option, require
from enas_tf.spaces.decisions import Decision, MarkNode, PickOp, PickSkips
from enas_tf.spaces.forms import check_node, check_size, read_list, read_name, read_words, to_tokens
from enas_tf.spaces.space import SPACES, Architecture, Buildable, Space, check_names
from enas_tf.spaces.vocabulary import LAYER_OPS

#: The operations of the paper.
MACRO_OPS = ("conv_3x3", "sep_conv_3x3", "conv_5x5", "sep_conv_5x5", "avg_pool_3x3", "max_pool_3x3")
SKIP_SOURCES = ("layers", "reference")
#: An arc string of the paper's reading opens with this word; one without it is the reference's.
LAYERS_PREFIX = "layers:"


@dataclasses.dataclass(frozen=True)
class MacroLayer:
    """One layer: the operation's name and the nodes concatenated to its result, in ascending order."""

    op: str
    skips: tuple[int, ...] = ()


@dataclasses.dataclass(frozen=True)
class MacroArchitecture(Architecture):
    """A network of the macro space. Layer k of the paper is `layers[k - 1]`."""

    layers: tuple[MacroLayer, ...]
    skip_sources: str = "layers"
    space_name = "macro"

    def __post_init__(self):
        require(
            self.skip_sources in SKIP_SOURCES, "skip_sources", self.skip_sources, f"one of {', '.join(SKIP_SOURCES)}"
        )
        for number, layer in enumerate(self.layers, start=1):
            allowed = skip_candidates(number, self.skip_sources)
            if layer.op not in LAYER_OPS:
                expected = ", ".join(LAYER_OPS)
                raise InputError(f"layer {number} has the operation {layer.op!r}: expected one of {expected}.")
            if list(layer.skips) != sorted(set(layer.skips)) or not set(layer.skips) <= set(allowed):
                raise InputError(
                    f"layer {number} has the skips {list(layer.skips)}: expected ascending numbers out of "
                    f"{list(allowed)} with {ref('skip_sources')}={self.skip_sources}."
                )

    @property
    def num_layers(self) -> int:
        return len(self.layers)

    def space(self) -> "MacroSpace":
        is_papers = all(layer.op in MACRO_OPS for layer in self.layers)
        ops = MACRO_OPS if is_papers else LAYER_OPS.names
        return MacroSpace(num_layers=self.num_layers, ops=ops, skip_sources=self.skip_sources)

    def to_json(self) -> dict[str, Any]:
        layers = [{"op": layer.op, "skips": list(layer.skips)} for layer in self.layers]
        return {"space": "macro", "skip_sources": self.skip_sources, "layers": layers, "arc": self.to_arc()}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "MacroArchitecture":
        try:
            rows = read_list(data, "layers")
            check_size(MacroSpace, "num_layers", len(rows))
            if not rows:
                raise ValueError("it has no layers")
            return cls(tuple(_read_layer(row) for row in rows), read_name(data, "skip_sources"))
        except (KeyError, TypeError, ValueError) as error:
            if isinstance(error, InputError):
                raise
            raise InputError(
                f"the macro architecture cannot be read ({type(error).__name__}: {error}): expected the keys "
                '"skip_sources" and "layers", a list of {"op": name, "skips": [node, ...]}.'
            ) from error

    def to_arc(self) -> str:
        words = []
        for number, layer in enumerate(self.layers, start=1):
            bits = (str(int(node in layer.skips)) for node in skip_candidates(number, self.skip_sources))
            words += [LAYER_OPS.to_word(layer.op), *bits]
        arc = " ".join(words)
        return arc if self.skip_sources == "reference" else f"{LAYERS_PREFIX} {arc}"

    @classmethod
    def from_arc(cls, arc: str) -> "MacroArchitecture":
        """Read `op skips op skips ...`: the reference's reading, or the paper's behind the word `layers:`."""
        is_papers = arc.strip().startswith(LAYERS_PREFIX)
        words = read_words(arc.strip().removeprefix(LAYERS_PREFIX), arc, LAYER_OPS)
        depth = max(1, (math.isqrt(8 * len(words) + 1) - 1) // 2)
        if depth * (depth + 1) // 2 != len(words):
            raise InputError(
                f"the arc string has {count_of(len(words), 'integer')}: expected n (n + 1) / 2 for a macro network of "
                f"n layers (one operation and k - 1 skips for layer k), such as {depth * (depth + 1) // 2} for {depth} "
                f"layers or {(depth + 1) * (depth + 2) // 2} for {depth + 1}."
            )
        check_size(MacroSpace, "num_layers", depth)
        sources = "layers" if is_papers else "reference"
        space = MacroSpace(num_layers=depth, ops=LAYER_OPS.names, skip_sources=sources)
        return space.decode(to_tokens(space, words, LAYER_OPS))

    def in_words(self) -> list[str]:
        lines = ["nodes: 0 is the stem, k is layer k; joined nodes are concatenated to the result of the operation"]
        for number, layer in enumerate(self.layers, start=1):
            source = node_name(number - 1)
            skips = f", joined with {', '.join(node_name(node) for node in layer.skips)}" if layer.skips else ""
            lines.append(f"layer {number}: {layer.op} of {source}{skips}")
        return lines


def _read_layer(row: dict[str, Any]) -> MacroLayer:
    return MacroLayer(read_name(row, "op"), tuple(check_node(node) for node in read_list(row, "skips")))


@dataclasses.dataclass(frozen=True)
class MacroSpace(Space):
    """All networks of `num_layers` layers over `ops`: len(ops)^L 2^(L (L - 1) / 2) of them."""

    num_layers: int = option(12, "depth of a macro network (12 in the paper's search); a multiple of 3", most=1_000)
    ops: tuple[str, ...] = option(MACRO_OPS, "operations of a layer of a macro network", items=LAYER_OPS)
    skip_sources: str = option(
        "layers",
        "what a skip bit means: layers = every earlier layer (the paper), reference = the stem and all but the "
        "previous layer (the authors' code)",
        choices=SKIP_SOURCES,
    )
    name, architecture = "macro", MacroArchitecture

    def __post_init__(self):
        require(self.num_layers >= 1, "num_layers", self.num_layers, "at least 1")
        check_names("ops", self.ops, LAYER_OPS)
        require(
            self.skip_sources in SKIP_SOURCES, "skip_sources", self.skip_sources, f"one of {', '.join(SKIP_SOURCES)}"
        )

    @functools.cached_property
    def decisions(self) -> tuple[Decision, ...]:
        program: list[Decision] = []
        for number in range(1, self.num_layers + 1):
            program += [
                PickOp(f"layer_{number}/op", self.ops),
                MarkNode(f"layer_{number}"),
                PickSkips(f"layer_{number}/skip", number - 1),
            ]
        return tuple(program)

    def decode(self, tokens: Sequence[int] | np.ndarray) -> MacroArchitecture:
        columns = self.columns(self.check_tokens(tokens))
        layers = []
        for number in range(1, self.num_layers + 1):
            op, bits = columns[f"layer_{number}/op"], columns[f"layer_{number}/skip"]
            candidates = skip_candidates(number, self.skip_sources)
            skips = tuple(node for node, bit in zip(candidates, bits, strict=True) if bit)
            layers.append(MacroLayer(self.ops[op], skips))
        return MacroArchitecture(tuple(layers), self.skip_sources)

    def encode(self, architecture: Buildable) -> np.ndarray:
        self.check_fits(architecture, num_layers="num_layers", skip_sources="skip_sources")
        assert isinstance(architecture, MacroArchitecture)
        tokens: list[int] = []
        for number, layer in enumerate(architecture.layers, start=1):
            if layer.op not in self.ops:
                raise InputError(f"layer {number} has the operation {layer.op}: the space has {', '.join(self.ops)}.")
            candidates = skip_candidates(number, self.skip_sources)
            tokens += [self.ops.index(layer.op), *(int(node in layer.skips) for node in candidates)]
        return np.array(tokens, np.int32)


MACRO = Group(MacroSpace(), stages=("search",))
SPACES.register("macro", [MACRO], help="a whole convolutional network, layer by layer")(MacroSpace)


def skip_candidates(number: int, skip_sources: str) -> range:
    """Return the nodes that layer `number` (from 1) may skip to, in the order of its bits."""
    return range(1, number) if skip_sources == "layers" else range(number - 1)


def node_name(node: int) -> str:
    return "the stem" if node == 0 else f"layer {node}"


def reduction_places(num_layers: int) -> tuple[int, int]:
    """Return the two layers (from 1) behind which height and width are halved: at 1/3 and 2/3 of the depth.

    Source: general_child.py, `pool_layers`.

    Raises:
      InputError: the depth has no such thirds.
    """
    if num_layers % 3:
        raise InputError(
            f"a network of {num_layers} layers ({ref('num_layers')}, or the length of the architecture) cannot be "
            "built: expected a multiple of 3, since reductions stand at 1/3 and 2/3 of the depth."
        )
    return num_layers // 3, 2 * (num_layers // 3)
