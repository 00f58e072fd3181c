"""Published tables of trained networks as spaces and evaluators: what a searcher proposes is looked up.

The reward is what one training reached, the truth what others did: luck is not counted as skill. The tables are not
part of this repository (docs/searchers.md says where they come from).
"""

import csv
import dataclasses
import functools
from pathlib import Path

import numpy as np
import tensorflow as tf

from enas_tf.errors import InputError
from enas_tf.search.evaluators.evaluator import Evaluator
from enas_tf.spaces.decisions import PickOp
from enas_tf.spaces.space import Architecture, Space

EDGES = tuple(f"edge_{start}_{end}" for end in (1, 2, 3) for start in range(end))
NAS_BENCH_201_OPS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
NAS_BENCH_MACRO_OPS = ("identity", "mobile_3x3_expand_3", "mobile_5x5_expand_6")


@dataclasses.dataclass(frozen=True)
class TableArchitecture(Architecture):
    """An operation for each place of a row of a table."""

    ops: tuple[str, ...]
    places: tuple[str, ...]
    choices: tuple[str, ...]
    space_name = "table"

    def space(self):
        return TableSpace(self.places, self.choices)

    def to_json(self):
        return {"space": "table", "ops": list(self.ops), "places": list(self.places), "choices": list(self.choices)}

    @classmethod
    def from_json(cls, data):
        return cls(*(tuple(data[name]) for name in ("ops", "places", "choices")))

    def to_arc(self):
        return " ".join(self.ops)

    @classmethod
    def from_arc(cls, arc):
        raise InputError("an arc does not say what its table is: read the row of the table.")

    def in_words(self):
        return [f"{place}: {op}" for place, op in zip(self.places, self.ops, strict=True)]


@dataclasses.dataclass(frozen=True)
class TableSpace(Space):
    """The rows of a table: at each place one of the same operations."""

    places_of_ops: tuple[str, ...]
    choices: tuple[str, ...]
    name, architecture = "table", TableArchitecture

    @functools.cached_property
    def decisions(self):
        return tuple(PickOp(place, self.choices) for place in self.places_of_ops)

    def decode(self, tokens):
        ops = tuple(self.choices[token] for token in self.check_tokens(tokens))
        return TableArchitecture(ops, self.places_of_ops, self.choices)

    def encode(self, architecture):
        return np.array([self.choices.index(op) for op in architecture.ops], np.int32)


@dataclasses.dataclass(frozen=True)
class Table:
    """All architectures of a small space, trained.

    Attributes:
      rewards: float64 [size], percent, by the index of the tokens (`index`).
      truths: float64 [size], percent, of other trainings or other images.
    """

    space: TableSpace
    rewards: np.ndarray
    truths: np.ndarray

    def index(self, tokens: np.ndarray) -> np.ndarray:
        """Return the places of tokens int32 [..., num_tokens] in the columns, int64 [...]."""
        return np.ravel_multi_index(tuple(np.moveaxis(tokens, -1, 0)), self.space.token_ranges)


class TableEvaluator(Evaluator):
    """Looks rewards up."""

    metric, is_higher_better = "table_accuracy", True

    def __init__(self, table: Table):
        self.table = table

    @classmethod
    def build(cls, run):
        return cls(run.data)

    def evaluate(self, tokens):
        return tf.constant(self.table.rewards[self.table.index(np.asarray(tokens))], tf.float32)

    def score(self, tokens, num_batches=0):
        return float(self.table.rewards[self.table.index(tokens)])


def build_table(space: TableSpace, rows: list[tuple[list[int], float, float]], name: str) -> Table:
    """Return the table of (tokens, reward, truth); raise `InputError` unless every architecture has one row."""
    rewards, truths = np.full(space.size, np.nan), np.full(space.size, np.nan)
    table = Table(space, rewards, truths)
    for tokens, reward, truth in rows:
        place = table.index(np.array(tokens))
        rewards[place], truths[place] = reward, truth
    if len(rows) != space.size or np.isnan(rewards).any():
        raise InputError(f"{name} has {len(rows)} rows: expected one for each of {space.size} architectures.")
    return table


def read_nas_bench_201(directory: Path) -> Table:
    """Read the figures of 12 epochs on CIFAR-10 (Dong and Yang 2020); the truth is the accuracy on the test part."""
    space, rows = TableSpace(EDGES, NAS_BENCH_201_OPS), []
    for row in _read(directory / "nas_bench_201_12epochs.csv"):
        ops = [edge.partition("~")[0] for node in row["cell"].split("+") for edge in node.strip("|").split("|")]
        tokens = [NAS_BENCH_201_OPS.index(op) for op in ops]
        rows.append((tokens, float(row["cifar10_valid"]), float(row["cifar10_test"])))
    return build_table(space, rows, "nas_bench_201")


def read_nas_bench_macro(directory: Path) -> Table:
    """Read the test accuracies of three trainings (Su et al. 2021); the truth is the mean of the second and third."""
    space = TableSpace(tuple(f"layer_{number}" for number in range(1, 9)), NAS_BENCH_MACRO_OPS)
    rows = []
    for row in _read(directory / "nas_bench_macro.csv"):
        first, *others = (float(row[f"test_accuracy_{number}"]) for number in (1, 2, 3))
        rows.append(([int(digit) for digit in row["arch"]], first, sum(others) / 2))
    return build_table(space, rows, "nas_bench_macro")


def _read(path: Path) -> list[dict[str, str]]:
    if not path.is_file():
        raise InputError(f"{path.absolute()} is not there: expected a published table (docs/searchers.md).")
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


#: Tables by name.
TABLES = {"nas_bench_201": read_nas_bench_201, "nas_bench_macro": read_nas_bench_macro}
