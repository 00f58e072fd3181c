"""The recurrent space of NAS: a cell that is a tree (Zoph and Le 2017, section 3.4).

Nodes are numbered from 0, the `base` leaves first, then each row above them; the last one is the root. A leaf combines
the input x_t and the output h_(t-1), each times a matrix of its own; an inner node k combines the nodes 2 (k - base)
and the next one. To combine is to add or to multiply elementwise, and an activation follows. The root is the output
h_t. One node's value is combined with the memory c_(t-1) and activated once more ("cell inject") before it is read,
and the value of one node before its activation is the memory c_t ("cell indices").

An arc string has a combination and an activation for each node, the same for the injection, the node of c_t, and the
node of the injection.
"""

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from enas_tf.errors import InputError, count_of
from enas_tf.options import Group, option, require
from enas_tf.spaces.decisions import Decision, PickOp
from enas_tf.spaces.forms import check_node, check_size, read_list, read_name, read_words
from enas_tf.spaces.space import SPACES, Architecture, Buildable, Space, check_names
from enas_tf.spaces.vocabulary import ACTIVATIONS, is_integer

#: Ways to combine, in the numbering of arc strings, and how words and pictures write them.
COMBINATIONS = {"add": "+", "multiply": "*"}
_NAMES = tuple(COMBINATIONS)
#: The activations of the paper, in its order.
NAS_ACTIVATIONS = ("identity", "tanh", "sigmoid", "relu")


@dataclasses.dataclass(frozen=True)
class TreeNode:
    """What a node does with the two values that it reads: `combination`, then `activation`."""

    combination: str
    activation: str

    def __post_init__(self):
        for what, value, known in (
            ("combination", self.combination, COMBINATIONS),
            ("activation", self.activation, ACTIVATIONS),
        ):
            if value not in known:
                raise InputError(f"a node has the {what} {value!r}: expected one of {', '.join(known)}.")


@dataclasses.dataclass(frozen=True)
class NasRecurrentArchitecture(Architecture):
    """A cell.

    Attributes:
      nodes: of the tree, 2 base - 1 of them.
      inject: how the memory c_(t-1) comes in.
      memory: the node whose value before its activation is c_t.
      inject_at: the node that the memory comes into.
    """

    nodes: tuple[TreeNode, ...]
    inject: TreeNode
    memory: int
    inject_at: int
    space_name = "nas_recurrent"

    def __post_init__(self):
        num = len(self.nodes)
        if num < 1 or num & (num + 1):
            raise InputError(f"the tree of a cell has {count_of(num, 'node')}: expected 1, 3, 7, 15 or so.")
        for what, node in (("c_t", self.memory), ("the injection", self.inject_at)):
            if not 0 <= node < num:
                raise InputError(f"the node of {what} is {node}: expected 0..{num - 1}.")

    @property
    def base(self) -> int:
        """Number of leaves."""
        return (len(self.nodes) + 1) // 2

    def children(self, number: int) -> tuple[int, ...]:
        """Return the two nodes that node `number` reads; none for a leaf."""
        first = 2 * (number - self.base)
        return (first, first + 1) if number >= self.base else ()

    def space(self) -> "NasRecurrentSpace":
        is_papers = all(node.activation in NAS_ACTIVATIONS for node in (*self.nodes, self.inject))
        return NasRecurrentSpace(self.base, NAS_ACTIVATIONS if is_papers else ACTIVATIONS.names)

    def to_json(self) -> dict[str, Any]:
        nodes = [dataclasses.asdict(node) for node in self.nodes]
        return {"space": "nas_recurrent", **dataclasses.asdict(self), "nodes": nodes, "arc": self.to_arc()}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "NasRecurrentArchitecture":
        try:
            rows = read_list(data, "nodes")
            check_size(NasRecurrentSpace, "base", (len(rows) + 1) // 2)
            nodes = tuple(_read_node(row) for row in rows)
            return cls(nodes, _read_node(data["inject"]), check_node(data["memory"]), check_node(data["inject_at"]))
        except (KeyError, TypeError) as error:
            raise InputError(
                f"the nas_recurrent architecture cannot be read ({type(error).__name__}: {error}): expected the keys "
                '"nodes", a list of {"combination": name, "activation": name}, "inject", one more of these, "memory" '
                'and "inject_at", numbers of nodes.'
            ) from error

    def to_arc(self) -> str:
        words = []
        for node in (*self.nodes, self.inject):
            words += [str(_NAMES.index(node.combination)), ACTIVATIONS.to_word(node.activation)]
        return " ".join([*words, str(self.memory), str(self.inject_at)])

    @classmethod
    def from_arc(cls, arc: str) -> "NasRecurrentArchitecture":
        words = read_words(arc, arc, ACTIVATIONS)
        base = (len(words) - 2) // 4
        check_size(NasRecurrentSpace, "base", base)
        if base < 1 or base & (base - 1) or len(words) != 4 * base + 2:
            raise InputError(
                f"the arc string has {count_of(len(words), 'integer')}: expected 4 b + 2 for a cell of base b, a power "
                "of 2 (two for each of 2 b - 1 nodes, two for the injection, two nodes), such as 34 for base 8."
            )
        space = NasRecurrentSpace(base, ACTIVATIONS.names)
        pairs = zip(space.decisions, words, strict=True)
        return space.decode([_to_token(decision, word) for decision, word in pairs])

    def in_words(self) -> list[str]:
        lines = ["nodes: x is the input, h the last output, c the last memory; each x and h has a matrix of its own"]
        for number, node in enumerate(self.nodes):
            read = [f"node {child}" for child in self.children(number)] or ["x", "h"]
            line = f"node {number}: {node.activation} of {f' {COMBINATIONS[node.combination]} '.join(read)}"
            if number == self.inject_at:
                line += f", then {self.inject.activation} of that {COMBINATIONS[self.inject.combination]} c"
            lines.append(line)
        return [*lines, f"memory: node {self.memory} before its activation", f"output: node {len(self.nodes) - 1}"]


def _read_node(row: dict[str, Any]) -> TreeNode:
    return TreeNode(read_name(row, "combination"), read_name(row, "activation"))


def _to_token(decision: Decision, word: str) -> int:
    """Return the token of a word of an arc string; -1, which no decision has, for one without a meaning."""
    assert isinstance(decision, PickOp)
    if decision.vocabulary != "activation":
        return int(word) if is_integer(word) else -1
    name = ACTIVATIONS.from_word(word)
    return -1 if name is None else decision.choices.index(name)


@dataclasses.dataclass(frozen=True)
class NasRecurrentSpace(Space):
    """All cells of `base` leaves: (2 |activations|)^(2 base) (2 base - 1)^2 of them, 6e16 in the paper."""

    base: int = option(8, "leaves of the tree of a NAS cell, a power of 2 (8 in the paper)", most=64)
    activations: tuple[str, ...] = option(NAS_ACTIVATIONS, "activations of the nodes", items=ACTIVATIONS)
    name, architecture = "nas_recurrent", NasRecurrentArchitecture

    def __post_init__(self):
        is_valid = self.base >= 1 and not self.base & (self.base - 1)
        require(is_valid, "base", self.base, "a power of 2, such as 8")
        check_names("activations", self.activations, ACTIVATIONS)

    @functools.cached_property
    def decisions(self) -> tuple[Decision, ...]:
        """The program of the paper, figure 5: the nodes by their numbers, cell inject, cell indices."""
        program: list[Decision] = []
        for name in (*(f"node_{number}" for number in range(self._num_nodes)), "inject"):
            program += [
                PickOp(f"{name}/combination", _NAMES, vocabulary="combination"),
                PickOp(f"{name}/activation", self.activations, vocabulary="activation"),
            ]
        numbers = tuple(map(str, range(self._num_nodes)))
        return (*program, *(PickOp(f"{name}/node", numbers, vocabulary="node") for name in ("memory", "inject")))

    @property
    def _num_nodes(self) -> int:
        return 2 * self.base - 1

    def decode(self, tokens: Sequence[int] | np.ndarray) -> NasRecurrentArchitecture:
        columns = self.columns(self.check_tokens(tokens))

        def node(name: str) -> TreeNode:
            activation = self.activations[columns[f"{name}/activation"]]
            return TreeNode(_NAMES[columns[f"{name}/combination"]], activation)

        nodes = tuple(node(f"node_{number}") for number in range(self._num_nodes))
        memory, inject_at = (int(columns[f"{name}/node"]) for name in ("memory", "inject"))
        return NasRecurrentArchitecture(nodes, node("inject"), memory, inject_at)

    def encode(self, architecture: Buildable) -> np.ndarray:
        self.check_fits(architecture, base="base")
        assert isinstance(architecture, NasRecurrentArchitecture)
        tokens: list[int] = []
        for node in (*architecture.nodes, architecture.inject):
            if node.activation not in self.activations:
                raise InputError(
                    f"a node has the activation {node.activation}: the space has {', '.join(self.activations)}."
                )
            tokens += [_NAMES.index(node.combination), self.activations.index(node.activation)]
        return np.array([*tokens, architecture.memory, architecture.inject_at], np.int32)


NAS_RECURRENT = Group(NasRecurrentSpace(), prefix="cell_", stages=("search",))
SPACES.register(
    "nas_recurrent",
    [NAS_RECURRENT],
    help="the cell of a recurrent network as a tree, for language models (NAS)",
    # SGD as for the recurrent space (enas_lm), whose children are trained by the same loop: what the paper says of its
    # own is that it is like that of the models of Zaremba et al. 2014.
    defaults={
        "learning_rate": 20.0,
        "momentum": 0.0,
        "l2": 8e-7,
        "clip_norm": 0.1,
        # From enas_lm's 0.04 a tree hardly learns in its first epoch: products of small numbers are smaller still.
        "init_scale": 0.1,
        "retrain_init_scale": 0.1,
        "retrain_epochs": 3000,
        "retrain_batch_size": 64,
        "retrain_learning_rate": 20.0,
        "restart_epochs": 0,
        "retrain_restart_epochs": 0,
        "retrain_momentum": 0.0,
        "retrain_l2": 8e-7,
        "retrain_clip_norm": 0.25,
    },
)(NasRecurrentSpace)
