"""The recurrent space: a cell of a recurrent network (Pham et al. 2018, section 2.1).

Nodes are numbered as in the reference code, from 0; the paper counts from 1. Node 0 reads the input x_t and the state
h_(t-1) and picks an activation; every later node picks an earlier node and an activation, and every pair of nodes owns
its weight. The cell's output, and next state, is the mean of the nodes that nothing reads.

Two notations were published. The first repository has `f0 p1 f1 p2 f2 ...`, which a bare arc string means here. Google
Research's enas_lm has a node 0 that is always tanh and left out, numbers two activations the other way round, and puts
out the mean of all nodes but node 0: `p1 f1 p2 f2 ...`, here behind the word `enas_lm:`.
"""

import dataclasses
import functools
import math
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from enas_tf.errors import InputError, count_of
from enas_tf.options import Group, option, require, shorten
from enas_tf.spaces.decisions import Decision, MarkNode, PickNode, PickOp
from enas_tf.spaces.enas_lm import ENAS_LM_ACTIVATIONS, ENAS_LM_PREFIX, from_enas_lm, looks_like
from enas_tf.spaces.forms import check_size, read_list, read_name, read_node, read_words, to_tokens
from enas_tf.spaces.space import BASELINES, SPACES, Architecture, Baseline, Buildable, Space, check_names
from enas_tf.spaces.vocabulary import ACTIVATIONS

#: The activations of the paper.
PAPER_ACTIVATIONS = ("tanh", "relu", "identity", "sigmoid")
OUTPUTS = ("loose_ends", "all_but_first")
#: An arc string of a cell that puts out the mean of all nodes but the first opens with this word.
ALL_PREFIX = "all_but_first:"


@dataclasses.dataclass(frozen=True)
class RecurrentNode:
    """`activation` of node `previous`; of x_t and h_(t-1) where that is None."""

    activation: str
    previous: int | None = None


@dataclasses.dataclass(frozen=True)
class RecurrentArchitecture(Architecture):
    """The nodes of a cell, in order, and what it puts out."""

    nodes: tuple[RecurrentNode, ...]
    output: str = "loose_ends"
    space_name = "recurrent"

    def __post_init__(self):
        require(self.output in OUTPUTS, "output", self.output, f"one of {', '.join(OUTPUTS)}")
        if not self.nodes or self.nodes[0].previous is not None:
            raise InputError("a recurrent cell has nodes, and the first reads none: expected no previous node for it.")
        for number, node in enumerate(self.nodes):
            if node.activation not in ACTIVATIONS:
                raise InputError(
                    f"node {number} has the activation {node.activation!r}: expected one of {', '.join(ACTIVATIONS)}."
                )
            if number and (node.previous is None or not 0 <= node.previous < number):
                raise InputError(f"node {number} reads node {node.previous}: expected 0..{number - 1}.")

    @property
    def num_nodes(self) -> int:
        return len(self.nodes)

    @property
    def loose_ends(self) -> tuple[int, ...]:
        """The nodes that no other reads, ascending."""
        used = {node.previous for node in self.nodes}
        return tuple(number for number in range(self.num_nodes) if number not in used)

    @property
    def averaged(self) -> tuple[int, ...]:
        """The nodes whose mean is the output."""
        is_whole = self.output == "all_but_first" and self.num_nodes > 1
        return tuple(range(1, self.num_nodes)) if is_whole else self.loose_ends

    def space(self) -> "RecurrentSpace":
        is_papers = all(node.activation in PAPER_ACTIVATIONS for node in self.nodes)
        activations = PAPER_ACTIVATIONS if is_papers else ACTIVATIONS.names
        return RecurrentSpace(nodes=self.num_nodes, activations=activations, output=self.output)

    def to_json(self) -> dict[str, Any]:
        nodes = [dataclasses.asdict(node) for node in self.nodes]
        return {"space": "recurrent", "output": self.output, "nodes": nodes, "arc": self.to_arc()}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "RecurrentArchitecture":
        try:
            check_size(RecurrentSpace, "nodes", len(rows := read_list(data, "nodes")))
            nodes = (RecurrentNode(read_name(row, "activation"), read_node(row, "previous")) for row in rows)
            return cls(tuple(nodes), read_name(data, "output"))
        except (KeyError, TypeError) as error:
            raise InputError(
                f"the recurrent architecture cannot be read ({type(error).__name__}: {error}): expected the keys "
                '"output" and "nodes", a list of {"activation": name, "previous": node, null for the first}.'
            ) from error

    def to_arc(self) -> str:
        """Return the notation of the first repository."""
        words = []
        for node in self.nodes:
            words += [] if node.previous is None else [str(node.previous)]
            words.append(ACTIVATIONS.to_word(node.activation))
        arc = " ".join(words)
        return arc if self.output == "loose_ends" else f"{ALL_PREFIX} {arc}"

    def to_enas_lm(self) -> str | None:
        """Return the notation of enas_lm without its prefix.

        None for what it cannot say: a node 0 that is not tanh, a cell of one node, an activation of the user's own.
        """
        is_known = all(node.activation in ENAS_LM_ACTIVATIONS for node in self.nodes)
        if self.nodes[0].activation != "tanh" or self.num_nodes == 1 or not is_known:
            return None
        pairs = ((node.previous, ENAS_LM_ACTIVATIONS.index(node.activation)) for node in self.nodes[1:])
        return " ".join(str(number) for pair in pairs for number in pair)

    def other_forms(self) -> list[str]:
        arc = self.to_enas_lm() if self.output == "all_but_first" else None
        return [f"arc for enas_lm: {ENAS_LM_PREFIX} {arc}"] if arc else []

    @classmethod
    def from_arc(cls, arc: str) -> "RecurrentArchitecture":
        """Read either notation; raise `InputError`, and say which it looks like, when the length fits the other."""
        prefix, words = _split(arc)
        num = len(words)
        check_size(RecurrentSpace, "nodes", num // 2 + 1)
        if prefix == ENAS_LM_PREFIX:
            if not num or num % 2:
                raise InputError(
                    f"the arc string has {count_of(num, 'integer')} behind {ENAS_LM_PREFIX!r}: expected two for each "
                    f"node behind the first, an even number.{looks_like(num)}"
                )
            words = from_enas_lm(words)
        elif num % 2 == 0:
            raise InputError(
                f"the arc string has {count_of(num, 'integer')}: expected 2 n - 1 for a recurrent cell of n nodes (an "
                f"activation, then a previous node and an activation each), such as 23 for 12 nodes."
                f"{looks_like(num)}"
            )
        space = RecurrentSpace((len(words) + 1) // 2, ACTIVATIONS.names, "all_but_first" if prefix else "loose_ends")
        return space.decode(to_tokens(space, words, ACTIVATIONS))

    def in_words(self) -> list[str]:
        sources = ["x and h" if node.previous is None else f"node {node.previous}" for node in self.nodes]
        lines = [f"node {i}: {node.activation} of {sources[i]}" for i, node in enumerate(self.nodes)]
        meaning = "nodes: x is the input, h the last state; a node applies its activation to what it reads"
        return [meaning, *lines, f"output: mean of nodes {', '.join(str(node) for node in self.averaged)}"]


def _split(arc: str) -> tuple[str, list[str]]:
    """Return the prefix, with its colon, and the words after it."""
    text = arc.strip()
    prefix = next((prefix for prefix in (ENAS_LM_PREFIX, ALL_PREFIX) if text.startswith(prefix)), "")
    prefixes = f", perhaps behind {ENAS_LM_PREFIX!r} or {ALL_PREFIX!r}"
    return prefix, read_words(text.removeprefix(prefix), arc, ACTIVATIONS, prefixes)


@dataclasses.dataclass(frozen=True)
class LstmBaseline(Baseline):
    """An LSTM with as many parameters as a cell of `nodes` nodes."""

    nodes: int
    name, space_name = "lstm", "recurrent"

    def __post_init__(self):
        require(self.nodes >= 1, "nodes", self.nodes, "at least 1")
        check_size(RecurrentSpace, "nodes", self.nodes)

    @classmethod
    def beside(cls, space: Space) -> "LstmBaseline":
        return cls(space.nodes if isinstance(space, RecurrentSpace) else RecurrentSpace().nodes)

    def to_json(self) -> dict[str, Any]:
        return {"space": self.space_name, "baseline": self.name, "nodes": self.nodes, "arc": self.to_arc()}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "LstmBaseline":
        if type(data.get("nodes")) is not int:
            raise InputError('the LSTM cannot be read: expected the key "nodes", a whole number.')
        return cls(data["nodes"])

    def to_arc(self) -> str:
        return f"lstm:{self.nodes}"

    @classmethod
    def from_arc(cls, arc: str) -> "LstmBaseline":
        nodes = arc.strip().removeprefix("lstm:").strip()
        if not re.fullmatch("[0-9]{1,9}", nodes):
            raise InputError(f"the baseline {shorten(arc)!r} is not valid: expected lstm:8, say, for cells of 8 nodes.")
        return cls(int(nodes))

    def in_words(self) -> list[str]:
        return [f"baseline: an LSTM with as many parameters as a cell of {count_of(self.nodes, 'node')}"]


@dataclasses.dataclass(frozen=True)
class RecurrentSpace(Space):
    """All cells of `nodes` nodes: 4^N (N - 1)! token sequences; the paper counts 4^N N!, see `size_in_paper`."""

    nodes: int = option(
        8, "nodes of a recurrent cell (12 in the paper, 9 in the published cell of enas_lm)", most=1_000
    )
    activations: tuple[str, ...] = option(PAPER_ACTIVATIONS, "activations of the nodes", items=ACTIVATIONS)
    output: str = option(
        "loose_ends",
        "what a cell puts out, as a mean: loose_ends = nodes that nothing reads (the paper), all_but_first (enas_lm)",
        choices=OUTPUTS,
    )
    name, architecture = "recurrent", RecurrentArchitecture

    def __post_init__(self):
        require(self.nodes >= 1, "nodes", self.nodes, "at least 1")
        check_names("activations", self.activations, ACTIVATIONS)
        require(self.output in OUTPUTS, "output", self.output, f"one of {', '.join(OUTPUTS)}")

    @functools.cached_property
    def size_in_paper(self) -> int:
        """|activations|^N N!: 8e15 for the paper's 12 nodes. It lets the first node pick a previous one as well."""
        return len(self.activations) ** self.nodes * math.factorial(self.nodes)

    @functools.cached_property
    def decisions(self) -> tuple[Decision, ...]:
        """The program of the reference's controllers (ptb_enas_controller.py, enas_lm's controller.py)."""
        program: list[Decision] = []
        for number in range(self.nodes):
            name = f"node_{number}"
            program.append(MarkNode(name))
            if number:
                program.append(PickNode(f"{name}/previous", number, is_local=True))
            program.append(PickOp(f"{name}/activation", self.activations, vocabulary="activation"))
        return tuple(program)

    def decode(self, tokens: Sequence[int] | np.ndarray) -> RecurrentArchitecture:
        columns = self.columns(self.check_tokens(tokens))
        nodes = []
        for number in range(self.nodes):
            activation = self.activations[columns[f"node_{number}/activation"]]
            nodes.append(RecurrentNode(activation, int(columns[f"node_{number}/previous"]) if number else None))
        return RecurrentArchitecture(tuple(nodes), self.output)

    def encode(self, architecture: Buildable) -> np.ndarray:
        self.check_fits(architecture, nodes="num_nodes", output="output")
        assert isinstance(architecture, RecurrentArchitecture)
        tokens: list[int] = []
        for number, node in enumerate(architecture.nodes):
            if node.activation not in self.activations:
                raise InputError(
                    f"node {number} has the activation {node.activation}: the space has {', '.join(self.activations)}."
                )
            tokens += [] if node.previous is None else [node.previous]
            tokens.append(self.activations.index(node.activation))
        return np.array(tokens, np.int32)


BASELINES.register("lstm", help="an LSTM of as many parameters as a cell of the recurrent space")(LstmBaseline)
RECURRENT = Group(RecurrentSpace(), prefix="cell_", stages=("search",))
SPACES.register(
    "recurrent",
    [RECURRENT],
    help="the cell of a recurrent network, for language models",
    defaults={
        # enas_lm: child.py, controller.py and search.py, where the options are not those of LanguageConfig.
        "batch_size": 128,
        "epochs": 600,
        "learning_rate": 20.0,
        "restart_epochs": 0,
        "momentum": 0.0,
        "l2": 8e-7,
        "clip_norm": 0.1,
        "updates_per_epoch": 25,
        "samples_per_update": 10,
        # Its final training on a GPU.
        "retrain_epochs": 3000,
        "retrain_batch_size": 64,
        "retrain_learning_rate": 20.0,
        "retrain_restart_epochs": 0,
        "retrain_momentum": 0.0,
        "retrain_l2": 8e-7,
        "retrain_clip_norm": 0.25,
    },
)(RecurrentSpace)
