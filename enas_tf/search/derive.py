"""Deriving an architecture: the best of N proposals by their evaluator (Pham et al. 2018, section 2.2)."""

import csv
import dataclasses
import io
import zlib
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from enas_tf.ops.costs import Cost
from enas_tf.options import Group, option, require
from enas_tf.runtime import cluster
from enas_tf.runtime.seeds import seed_for
from enas_tf.search.candidates import Candidate
from enas_tf.search.evaluators.evaluator import Evaluator
from enas_tf.search.limited import Limits
from enas_tf.search.objective import Objective
from enas_tf.search.searchers.searcher import Searcher
from enas_tf.spaces.space import Architecture, Space

#: One in so many of the proposals is a mutation of one of the best others, of which there are so many.
_MUTATED, _PARENTS = 5, 20


@dataclasses.dataclass(frozen=True)
class DeriveConfig:
    """How many proposals are ranked and on how much data (the paper: several, on one batch)."""

    derive_samples: int = option(
        500, "proposals that derive ranks: a fifth are mutations of the best of the others", most=1_000_000
    )
    derive_batches: int = option(
        2, "validation batches that derive ranks all proposals by; 0 = all (the paper: 1)", most=1_000_000
    )
    derive_kept: int = option(
        60, "the best so many of them are ranked again by the whole validation part", most=1_000_000
    )

    def __post_init__(self):
        require(self.derive_samples >= 1, "derive_samples", self.derive_samples, "at least 1")
        require(self.derive_batches >= 0, "derive_batches", self.derive_batches, "0 or more")
        require(self.derive_kept >= 1, "derive_kept", self.derive_kept, "at least 1")


#: No stage of its own: a finished search is ranked anew with other values.
DERIVE = Group(DeriveConfig(), stages=())


def derive(
    searcher: Searcher,
    evaluator: Evaluator,
    count: Callable[[Architecture], Cost],
    config: DeriveConfig,
    seed: int,
    advance: Callable[[int], None] = lambda num: None,
    limits: Limits | None = None,
) -> list[Candidate]:
    """Return the different ones of `derive_samples` proposals, best first by the objective of `limits`.

    The best `derive_kept` are ranked by the whole validation part, and stand before the others. Of equals the one with
    fewer FLOPs comes first. Scores that are not finite come last. What exceeds a limit is not judged.
    """
    objective = Objective(evaluator.is_higher_better) if limits is None else limits.objective

    def judge(tokens: np.ndarray, num_batches: int) -> Candidate:
        architecture, value = searcher.space.decode(tokens), evaluator.score(tokens, num_batches)
        advance(1)
        found = Candidate(architecture, tuple(tokens.tolist()), evaluator.metric, value, count(architecture))
        return objective.annotate(found)

    def is_allowed(tokens: np.ndarray) -> bool:
        return limits is None or not objective.refuses or limits.excess(searcher.space, tokens) is None

    num_mutated = config.derive_samples // _MUTATED
    num = config.derive_samples - num_mutated
    proposals = cluster.agree(searcher.candidates(tf.constant(num), seed_for(seed, "derive"))).numpy()
    found = [judge(tokens, config.derive_batches) for tokens in np.unique(proposals, axis=0)]
    ranked = objective.rank(found)
    for tokens in _mutate(searcher.space, ranked[:_PARENTS], num_mutated, seed):
        if is_allowed(tokens):
            found.append(judge(tokens, config.derive_batches))
    ranked = objective.rank(found)
    if not config.derive_batches:
        return objective.settle(ranked)
    best = [judge(np.array(c.tokens, np.int32), 0) for c in ranked[: config.derive_kept]]
    return objective.settle(objective.rank(best)) + ranked[config.derive_kept :]


def _mutate(space: Space, parents: list[Candidate], num: int, seed: int) -> np.ndarray:
    """Return up to `num` different mutations of candidates, none of which is one of them: int32 [n, num_tokens]."""
    rng = np.random.default_rng([seed, zlib.crc32(b"derive_mutations")])
    rows = np.array([c.tokens for c in parents], np.int32)
    mutated = np.unique(space.mutate(rows[np.arange(num) % len(rows)], rng), axis=0)
    return np.array([row for row in mutated if not (rows == row).all(axis=1).any()], np.int32)


def to_csv(candidates: list[Candidate]) -> str:
    """Return the text of candidates.csv: rank, arc, the metric (valid_accuracy, say), more of them, parameters, flops.

    An arc is read back as the same architecture (`architectures.read_architecture`).
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    more = list(dict.fromkeys(name for candidate in candidates for name in candidate.more))
    writer.writerow(["rank", "arc", candidates[0].metric, *more, "parameters", "flops"])
    for place, c in enumerate(candidates, start=1):
        others = [_shown(c.more.get(name, "")) for name in more]
        writer.writerow([place, c.architecture.to_arc(), f"{c.value:.6f}", *others, c.cost.parameters, c.cost.flops])
    return text.getvalue()


def _shown(value: float | str) -> str:
    if isinstance(value, str):
        return value
    # FLOPs are counted to the last one.
    return str(int(value)) if float(value).is_integer() else f"{value:.6g}"


def to_markdown(candidates: list[Candidate], num: int = 20) -> str:
    """Return a table of the best `num`, for TensorBoard."""
    metric = candidates[0].metric.replace("_", " ")
    rows = [f"| rank | {metric} | parameters | FLOPs | architecture |", "|---|---|---|---|---|"]
    for place, c in enumerate(candidates[:num], start=1):
        arc = f"`{c.architecture.to_arc()}`"
        rows.append(f"| {place} | {c.value:.4f} | {c.cost.parameters:,} | {c.cost.flops:,} | {arc} |")
    return "\n".join(rows)
