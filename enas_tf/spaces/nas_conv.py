"""The convolutional space of NAS: a whole network of convolutions of searched shapes (Zoph and Le 2017, section 3.3).

Layers are numbered from 1. Each is a convolution whose height, width and number of filters are searched, with batch
normalisation and ReLU, and reads any subset of the layers before it, concatenated. The program of decisions would
leave networks that are none; they are repaired as in the paper: a layer that reads no other reads the image, all
layers that nothing reads are concatenated before the classifier, and what is smaller is padded with zeros.

An arc string has the word `3x5x24` for a layer of 24 filters of 3x5, `3x5x24/2x1` where it has strides, and behind it
a bit for each earlier layer; the word `pool` stands for a max pooling.
"""

import dataclasses
import functools
import re
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from enas_tf.errors import InputError, count_of, ref
from enas_tf.options import Group, option, require, shorten
from enas_tf.spaces.decisions import Decision, MarkNode, PickOp, PickSkips
from enas_tf.spaces.forms import check_node, check_numbers, check_size, read_list
from enas_tf.spaces.space import SPACES, Architecture, Buildable, Space

#: The heights and widths, the numbers of filters and the strides of the paper.
PAPER_SIZES, PAPER_FILTERS, STRIDES = ("1", "3", "5", "7"), ("24", "36", "48", "64"), ("1", "2", "3")
#: The largest height or width, and number of filters, of a layer.
MOST_SIZE, MOST_FILTERS = 99, 100_000
#: The word of arc strings for a max pooling behind the layer before it.
POOL = "pool"
_LAYER = re.compile("([0-9]{1,9})x([0-9]{1,9})x([0-9]{1,9})(?:/([0-9]{1,9})x([0-9]{1,9}))?")


@dataclasses.dataclass(frozen=True)
class NasConvLayer:
    """One layer: height, width and number of its filters, the layers that it reads, ascending, and its strides."""

    height: int
    width: int
    filters: int
    inputs: tuple[int, ...] = ()
    strides: tuple[int, int] = (1, 1)

    def to_word(self) -> str:
        """Return the word of an arc string."""
        strides = "" if self.strides == (1, 1) else "/{}x{}".format(*self.strides)
        return f"{self.height}x{self.width}x{self.filters}{strides}"


@dataclasses.dataclass(frozen=True)
class NasConvArchitecture(Architecture):
    """The layers of a network, and the numbers of the layers behind which a max pooling stands, ascending."""

    layers: tuple[NasConvLayer, ...]
    pools: tuple[int, ...] = ()
    space_name = "nas_conv"

    def __post_init__(self):
        if not self.layers:
            raise InputError("a network of the nas_conv space has layers: expected at least one.")
        for number, layer in enumerate(self.layers, start=1):
            _check_layer(number, layer)
        _check_ascending(self.pools, range(1, self.num_layers), "the max poolings stand behind the layers")

    @property
    def num_layers(self) -> int:
        return len(self.layers)

    @property
    def loose_ends(self) -> tuple[int, ...]:
        """The layers that no other reads, ascending: the classifier reads them."""
        read = {node for layer in self.layers for node in layer.inputs}
        return tuple(number for number in range(1, self.num_layers + 1) if number not in read)

    def space(self) -> "NasConvSpace":
        sizes = {side for layer in self.layers for side in (layer.height, layer.width)}
        return NasConvSpace(
            num_layers=self.num_layers,
            filter_sizes=_with(PAPER_SIZES, sizes),
            filters=_with(PAPER_FILTERS, {layer.filters for layer in self.layers}),
            search_strides=any(layer.strides != (1, 1) for layer in self.layers),
            pool_after=tuple(map(str, self.pools)),
        )

    def to_json(self) -> dict[str, Any]:
        layers = [
            dataclasses.asdict(layer) | {"inputs": list(layer.inputs), "strides": list(layer.strides)}
            for layer in self.layers
        ]
        return {"space": "nas_conv", "layers": layers, "pools": list(self.pools), "arc": self.to_arc()}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "NasConvArchitecture":
        try:
            rows = read_list(data, "layers")
            check_size(NasConvSpace, "num_layers", len(rows))
            return cls(tuple(_read_layer(row) for row in rows), _read_numbers(data, "pools"))
        except (KeyError, TypeError, ValueError) as error:
            if isinstance(error, InputError):
                raise
            raise InputError(
                f"the nas_conv architecture cannot be read ({type(error).__name__}: {error}): expected the keys "
                '"pools", a list of layers, and "layers", a list of {"height": number, "width": number, '
                '"filters": number, "inputs": [layer, ...], "strides": [number, number]}.'
            ) from error

    def to_arc(self) -> str:
        words = []
        for number, layer in enumerate(self.layers, start=1):
            words += [layer.to_word(), *(str(int(node in layer.inputs)) for node in range(1, number))]
            words += [POOL] if number in self.pools else []
        return " ".join(words)

    @classmethod
    def from_arc(cls, arc: str) -> "NasConvArchitecture":
        """Read `3x3x24 5x5x36 1 pool 7x1x48 0 1`: the words of layers, each with its bits behind it."""
        words = arc.split()
        layers: list[NasConvLayer] = []
        pools: list[int] = []
        while words:
            check_size(NasConvSpace, "num_layers", len(layers) + 1)
            word = words.pop(0)
            match = _LAYER.fullmatch(word)
            bits, words = words[: len(layers)], words[len(layers) :]
            if not match or len(bits) < len(layers) or not set(bits) <= {"0", "1"}:
                given = shorten(" ".join([word, *bits]))
                raise InputError(
                    f"layer {len(layers) + 1} of the arc string is {given!r}: expected height, width and number of "
                    f"filters such as 3x5x24, or 3x5x24/2x1 with strides, and {count_of(len(layers), 'bit')} (0 or 1) "
                    "behind it, one for each earlier layer."
                )
            height, width, filters, *strides = (int(number or 1) for number in match.groups())
            inputs = tuple(node for node, bit in enumerate(bits, start=1) if bit == "1")
            layers.append(NasConvLayer(height, width, filters, inputs, (strides[0], strides[1])))
            if words[:1] == [POOL]:
                pools.append(len(layers))
                words = words[1:]
        return cls(tuple(layers), tuple(pools))

    def in_words(self) -> list[str]:
        lines = ["layers: a convolution, batch normalisation and ReLU; what a layer reads is concatenated"]
        for number, layer in enumerate(self.layers, start=1):
            strides = "" if layer.strides == (1, 1) else ", stride {}x{}".format(*layer.strides)
            shape = f"{count_of(layer.filters, 'filter')} of {layer.height}x{layer.width}{strides}"
            lines.append(f"layer {number}: {shape}, on {_in_words(layer.inputs) or 'the image'}")
            lines += [f"pooling: behind layer {number}, of all that is read later"] if number in self.pools else []
        return [*lines, f"classifier: on {_in_words(self.loose_ends)}"]


def _in_words(layers: Sequence[int]) -> str:
    """Return "layers 1, 2"; nothing for none."""
    return f"layer{'s' if len(layers) > 1 else ''} {', '.join(map(str, layers))}" if layers else ""


def _with(choices: Iterable[str], used: Iterable[int]) -> tuple[str, ...]:
    """Return the choices and what else is used, ascending."""
    return tuple(map(str, sorted({*map(int, choices), *used})))


def _check_layer(number: int, layer: NasConvLayer) -> None:
    for what, value, most in (
        ("height", layer.height, MOST_SIZE),
        ("width", layer.width, MOST_SIZE),
        ("filters", layer.filters, MOST_FILTERS),
        *(("stride", stride, len(STRIDES)) for stride in layer.strides),
    ):
        if not 1 <= value <= most:
            raise InputError(f"layer {number} has {what}={shorten(value)}: expected 1..{most:,}.")
    _check_ascending(layer.inputs, range(1, number), f"layer {number} reads the layers")


def _check_ascending(numbers: Sequence[int], allowed: range, what: str) -> None:
    if list(numbers) != sorted(set(numbers)) or not all(number in allowed for number in numbers):
        some = f"{allowed.start}..{allowed.stop - 1}" if allowed else "none"
        raise InputError(f"{what} {shorten(list(numbers))}: expected ascending numbers out of {some}.")


def _read_numbers(row: dict[str, Any], key: str) -> tuple[int, ...]:
    return tuple(check_node(number) for number in read_list(row, key))


def _read_layer(row: dict[str, Any]) -> NasConvLayer:
    height, width, filters = (check_node(row[key]) for key in ("height", "width", "filters"))
    down, right = _read_numbers(row, "strides")
    return NasConvLayer(height, width, filters, _read_numbers(row, "inputs"), (down, right))


@dataclasses.dataclass(frozen=True)
class NasConvSpace(Space):
    """All networks of `num_layers` layers. The defaults are those of the paper's first network."""

    num_layers: int = option(15, "depth of a NAS network (15, 20 and 39 in the paper)", most=1_000)
    filter_sizes: tuple[str, ...] = option(PAPER_SIZES, "heights and widths of the filters of a layer")
    filters: tuple[str, ...] = option(PAPER_FILTERS, "numbers of filters of a layer")
    search_strides: bool = option(False, "layers pick their strides too, out of 1, 2 and 3 for each side")
    pool_after: tuple[str, ...] = option(
        (), "numbers of the layers behind which a max pooling halves height and width (the paper: 13,24 of 39)"
    )
    grow_every: int = option(
        0, "in a search by trials, the depth grows to num_layers after every N of them (NAS: 1600); 0 = it is fixed"
    )
    grow_from: int = option(6, "depth of the first trials where it grows", most=1_000)
    grow_by: int = option(2, "layers that are added each time where the depth grows", most=1_000)
    name, architecture = "nas_conv", NasConvArchitecture

    def __post_init__(self):
        require(self.num_layers >= 1, "num_layers", self.num_layers, "at least 1")
        check_numbers("filter_sizes", self.filter_sizes, MOST_SIZE)
        check_numbers("filters", self.filters, MOST_FILTERS)
        if self.pool_after:
            check_numbers("pool_after", self.pool_after, self.num_layers - 1)
            require(list(self.pools) == sorted(self.pools), "pool_after", ",".join(self.pool_after), "ascending ones")
        require(self.grow_every >= 0, "grow_every", self.grow_every, "0 or more")
        require(self.grow_by >= 1, "grow_by", self.grow_by, "at least 1")
        most = self.num_layers if self.grow_every else 1_000
        require(1 <= self.grow_from <= most, "grow_from", self.grow_from, f"1..{most}")

    def stage(self, num_proposed: int) -> "NasConvSpace":
        """Return the space of the depth that a search has reached."""
        if not self.grow_every:
            return self
        return self._of_depth(self.grow_from + self.grow_by * (num_proposed // self.grow_every))

    def _of_depth(self, depth: int) -> "NasConvSpace":
        """Return the space of the first layers alone, whose program is the beginning of this one's."""
        if depth >= self.num_layers:
            return self
        pools = tuple(str(place) for place in self.pools if place < depth)
        return dataclasses.replace(self, num_layers=depth, pool_after=pools, grow_every=0)

    @functools.cached_property
    def _shallower(self) -> list["NasConvSpace"]:
        """The stages before the last."""
        depths = range(self.grow_from, self.num_layers, self.grow_by) if self.grow_every else ()
        return [self._of_depth(depth) for depth in depths]

    @property
    def pools(self) -> tuple[int, ...]:
        """The layers behind which a max pooling stands."""
        return tuple(map(int, self.pool_after))

    @functools.cached_property
    def _picks(self) -> dict[str, tuple[str, ...]]:
        """What a layer picks, in the order of the paper, and out of what."""
        strides = {"stride_height": STRIDES, "stride_width": STRIDES} if self.search_strides else {}
        return {"height": self.filter_sizes, "width": self.filter_sizes, **strides, "filters": self.filters}

    @functools.cached_property
    def decisions(self) -> tuple[Decision, ...]:
        program: list[Decision] = []
        for number in range(1, self.num_layers + 1):
            name = f"layer_{number}"
            program += [PickOp(f"{name}/{what}", choices, vocabulary=what) for what, choices in self._picks.items()]
            program += [MarkNode(name), PickSkips(f"{name}/skip", number - 1)]
        return tuple(program)

    def decode(self, tokens: Sequence[int] | np.ndarray) -> NasConvArchitecture:
        for space in self._shallower:
            if len(tokens) == space.num_tokens:
                return space.decode(tokens)
        columns, layers = self.columns(self.check_tokens(tokens)), []
        for number in range(1, self.num_layers + 1):
            picked = {what: int(choices[columns[f"layer_{number}/{what}"]]) for what, choices in self._picks.items()}
            strides = picked.pop("stride_height", 1), picked.pop("stride_width", 1)
            inputs = tuple(node for node, bit in enumerate(columns[f"layer_{number}/skip"], start=1) if bit)
            layers.append(NasConvLayer(**picked, inputs=inputs, strides=strides))
        return NasConvArchitecture(tuple(layers), self.pools)

    def encode(self, architecture: Buildable) -> np.ndarray:
        for space in self._shallower:
            if space.num_layers == getattr(architecture, "num_layers", None):
                return space.encode(architecture)
        self.check_fits(architecture, num_layers="num_layers")
        assert isinstance(architecture, NasConvArchitecture)
        if architecture.pools != self.pools:
            its, mine = (",".join(map(str, pools)) or "none" for pools in (architecture.pools, self.pools))
            raise InputError(f"the architecture has {ref('pool_after')}={its}, but the space has {mine}.")
        tokens: list[int] = []
        for number, layer in enumerate(architecture.layers, start=1):
            strides = dict(zip(("stride_height", "stride_width"), layer.strides, strict=True))
            values = dataclasses.asdict(layer) | strides
            if not self.search_strides and layer.strides != (1, 1):
                raise InputError(f"layer {number} has strides: {ref('search_strides')} makes a space that has them.")
            for what, choices in self._picks.items():
                if str(values[what]) not in choices:
                    raise InputError(f"layer {number} has {what}={values[what]}: the space has {', '.join(choices)}.")
                tokens.append(choices.index(str(values[what])))
            tokens += [int(node in layer.inputs) for node in range(1, number)]
        return np.array(tokens, np.int32)


NAS_CONV = Group(NasConvSpace(), stages=("search",))
SPACES.register(
    "nas_conv",
    [NAS_CONV],
    help="a whole convolutional network whose layers have searched shapes (NAS)",
    # The training of a child in the paper, and that of the best one.
    defaults={"learning_rate": 0.1, "l2": 1e-4, "retrain_learning_rate": 0.1, "retrain_l2": 1e-4},
)(NasConvSpace)
