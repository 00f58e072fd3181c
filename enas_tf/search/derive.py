"""Deriving an architecture: the best of N proposals by their evaluator (Pham et al. 2018, section 2.2)."""

import csv
import dataclasses
import io
import math
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from enas_tf.ops.costs import Cost
from enas_tf.options import Group, option, require
from enas_tf.runtime import cluster
from enas_tf.runtime.seeds import seed_for
from enas_tf.search.evaluators.evaluator import Evaluator
from enas_tf.search.searchers.searcher import Searcher
from enas_tf.spaces.space import Architecture


@dataclasses.dataclass(frozen=True)
class DeriveConfig:
    """How many proposals are ranked and on how much data (the paper: several, on one batch)."""

    derive_samples: int = option(100, "proposals that derive ranks", most=1_000_000)
    derive_batches: int = option(0, "validation batches that derive ranks by; 0 = all (the paper: 1)", most=1_000_000)

    def __post_init__(self):
        require(self.derive_samples >= 1, "derive_samples", self.derive_samples, "at least 1")
        require(self.derive_batches >= 0, "derive_batches", self.derive_batches, "0 or more")


#: No stage of its own: a finished search is ranked anew with other values.
DERIVE = Group(DeriveConfig(), stages=())


@dataclasses.dataclass(frozen=True)
class Candidate:
    """A ranked proposal.

    Attributes:
      metric: the name of `value`, what the evaluator scores by.
      cost: of its child at the searched size.
    """

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
    """Return the different ones of `derive_samples` proposals, best first.

    Of equals the one with fewer FLOPs comes first. Scores that are not finite come last.
    """
    tokens = cluster.agree(searcher.candidates(tf.constant(config.derive_samples), seed_for(seed, "derive")))
    candidates = []
    for proposal in np.unique(tokens.numpy(), axis=0):
        architecture = searcher.space.decode(proposal)
        value = evaluator.score(proposal, config.derive_batches)
        proposal = tuple(proposal.tolist())
        candidates.append(Candidate(architecture, proposal, evaluator.metric, value, count(architecture)))
        advance(1)
    return rank(candidates, evaluator.is_higher_better)


def rank(candidates: list[Candidate], is_higher_better: bool) -> list[Candidate]:
    """Return the candidates, best first."""
    sign = -1 if is_higher_better else 1

    def key(candidate: Candidate):
        is_odd = not math.isfinite(candidate.value)
        return is_odd, 0.0 if is_odd else sign * candidate.value, candidate.cost.flops, candidate.tokens

    return sorted(candidates, key=key)


def to_csv(candidates: list[Candidate]) -> str:
    """Return the text of candidates.csv: rank, arc, the metric (valid_accuracy, say), parameters, flops.

    An arc is read back as the same architecture (`architectures.read_architecture`).
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["rank", "arc", candidates[0].metric, "parameters", "flops"])
    for place, c in enumerate(candidates, start=1):
        writer.writerow([place, c.architecture.to_arc(), f"{c.value:.6f}", c.cost.parameters, c.cost.flops])
    return text.getvalue()


def to_markdown(candidates: list[Candidate], num: int = 20) -> str:
    """Return a table of the best `num`, for TensorBoard."""
    metric = candidates[0].metric.replace("_", " ")
    rows = [f"| rank | {metric} | parameters | FLOPs | architecture |", "|---|---|---|---|---|"]
    for place, c in enumerate(candidates[:num], start=1):
        arc = f"`{c.architecture.to_arc()}`"
        rows.append(f"| {place} | {c.value:.4f} | {c.cost.parameters:,} | {c.cost.flops:,} | {arc} |")
    return "\n".join(rows)
