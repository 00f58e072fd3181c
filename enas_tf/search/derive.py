"""Deriving an architecture: the best of N proposals by shared weights (Pham et al. 2018, section 2.2)."""

import csv
import dataclasses
import io
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from enas_tf.ops.costs import Cost
from enas_tf.options import option, require
from enas_tf.runtime import cluster
from enas_tf.runtime.seeds import seed_for
from enas_tf.search.evaluators.shared import Evaluator
from enas_tf.search.searchers.reinforce import Searcher
from enas_tf.spaces.decisions import Architecture


@dataclasses.dataclass(frozen=True)
class DeriveConfig:
    """How many proposals are ranked and on how much data (the paper: several, on one batch)."""

    derive_samples: int = option(100, "proposals that derive ranks")
    derive_batches: int = option(0, "validation batches that derive ranks by; 0 = all (the paper: 1)")

    def __post_init__(self):
        require(self.derive_samples >= 1, "derive_samples", self.derive_samples, "at least 1")
        require(self.derive_batches >= 0, "derive_batches", self.derive_batches, "0 or more")


@dataclasses.dataclass(frozen=True)
class Candidate:
    """A proposal, the metric of its evaluator by shared weights, and the cost of its child at the searched width."""

    architecture: Architecture
    tokens: tuple[int, ...]
    metric: str
    value: float
    cost: Cost


def derive(
    searcher: Searcher,
    evaluator: Evaluator,
    count: Callable[[Architecture], Cost],
    config: DeriveConfig,
    seed: int,
    advance: Callable[[int], None] = lambda num: None,
) -> list[Candidate]:
    """The different ones of `derive_samples` proposals, best first; of equals the one with fewer FLOPs is first."""
    tokens = cluster.agree(searcher.propose(tf.constant(config.derive_samples), seed_for(seed, "derive")))
    candidates = []
    for proposal in np.unique(tokens.numpy(), axis=0):
        architecture = searcher.space.decode(proposal)
        value = evaluator.score(proposal, config.derive_batches)
        proposal = tuple(proposal.tolist())
        candidates.append(Candidate(architecture, proposal, evaluator.metric, value, count(architecture)))
        advance(1)
    sign = -1 if evaluator.is_higher_better else 1
    return sorted(candidates, key=lambda c: (sign * c.value, c.cost.flops, c.tokens))


def to_csv(candidates: list[Candidate]) -> str:
    """The text of candidates.csv: rank, the metric (valid_accuracy, say), parameters, flops, tokens."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["rank", candidates[0].metric, "parameters", "flops", "tokens"])
    for rank, c in enumerate(candidates, start=1):
        row = [rank, f"{c.value:.6f}", c.cost.parameters, c.cost.flops, " ".join(map(str, c.tokens))]
        writer.writerow(row)
    return text.getvalue()


def to_markdown(candidates: list[Candidate], num: int = 20) -> str:
    """A table of the best `num`, for TensorBoard."""
    metric = candidates[0].metric.replace("_", " ")
    rows = [f"| rank | {metric} | parameters | FLOPs | architecture |", "|---|---|---|---|---|"]
    for rank, c in enumerate(candidates[:num], start=1):
        arc = f"`{c.architecture.to_arc()}`"
        rows.append(f"| {rank} | {c.value:.4f} | {c.cost.parameters:,} | {c.cost.flops:,} | {arc} |")
    return "\n".join(rows)
