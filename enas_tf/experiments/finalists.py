"""The finalists of derive: which candidates are trained, and how far shared weights could be trusted."""

import dataclasses
import itertools
import math
import zlib
from collections.abc import Callable

import numpy as np

from enas_tf.errors import count_of
from enas_tf.experiments.memory import enough_memory
from enas_tf.experiments.recipes import build_executor, ledger_of
from enas_tf.experiments.run import Run
from enas_tf.ops.costs import Cost
from enas_tf.options import Config
from enas_tf.runtime.reporting import Reporter
from enas_tf.search.candidates import Candidate
from enas_tf.search.config import FINALISTS
from enas_tf.search.evaluators.evaluator import Evaluator
from enas_tf.search.evaluators.shared import SHARED
from enas_tf.search.finalists import Finals, agreement, budgets_for, num_kept, order_all, stage_name
from enas_tf.search.limited import Limits
from enas_tf.search.objective import PARETO, Objective
from enas_tf.search.states import States
from enas_tf.search.trials import Measurement, Outcome, Trial
from enas_tf.search.watching import watch
from enas_tf.spaces.space import Architecture
from enas_tf.training.child import RETRAIN
from enas_tf.training.optimizers import RETRAIN_SGD, SGD
from enas_tf.training.scratch import Training

#: Purpose of the random numbers that draw the random controls.
_CONTROLS = 1803


def choose_finalist(
    run: Run,
    evaluator: Evaluator,
    candidates: list[Candidate],
    count: Callable[[Architecture], Cost],
    limits: Limits,
) -> tuple[list[Candidate], dict[str, float]]:
    """Train the best candidates and the controls.

    Reports each finalist, and how well the rankings agree.

    Returns:
      All candidates, the winner first, and the numbers of the report.
    """
    config, num, budgets = run.config, run.config[FINALISTS].finalists, budgets_for(run.config[RETRAIN].epochs)
    ranked = _with_controls(run, evaluator, candidates, count, limits)
    total = _num_trainings(ranked, num, budgets)
    ledger, training = ledger_of(run), finalist_training(config)
    with (
        enough_memory("a finalist", "search", config),
        build_executor(run, training) as executor,
        run.reporter.progress("finalists", total, "trainings", watch(executor, ledger)) as advance,
    ):
        states, report = States(run.workdir.checkpoints("trials")), _reporting(run.reporter, total, advance)
        finals = Finals(executor, ledger, states, budgets, limits.objective, report, purpose_of(training))
        stages = finals.run(ranked, num)
    report_of = _report(run, stages, budgets)
    stages[-1] = _settle(limits.objective, stages[-1], stage_name(ranked[0].metric, budgets[-1]))
    return order_all(ranked, stages), report_of


def _reporting(
    reporter: Reporter, total: int, advance: Callable[[int], None]
) -> Callable[[Candidate, Trial, Outcome], None]:
    """Return what reports each of `total` trainings of finalists, and calls `advance(1)` after it."""
    # Those that the ledger knows are reported again: a run that was killed may not have reported its last one.
    reporter.truncate({"finalist": 0})
    places = itertools.count()

    def report(candidate: Candidate, trial: Trial, outcome: Outcome) -> None:
        if isinstance(outcome, Measurement):
            numbers = {candidate.metric: outcome.value, "loss": outcome.loss, "epochs": trial.epochs}
            sizes = {"shared_weights": candidate.value, "seconds": outcome.seconds, "flops": candidate.cost.flops}
            reporter.record("finalist", next(places), numbers | sizes, total, unit="finalist")
        else:
            reporter.say(f"finalist: {outcome.kind}: {outcome.reason}; it counts as the worst")
        advance(1)

    return report


def finalist_training(config: Config) -> Training:
    """Return how finalists are trained: as the search or retraining trains, whichever has smaller batches.

    Of so few epochs, those with more steps tell more. A language model may need small batches to leave the plateau of
    word frequencies at all.
    """
    if config[SHARED].batch_size < config[RETRAIN].batch_size:
        return Training(config[SHARED].batch_size, config[SGD])
    return Training(config[RETRAIN].batch_size, config[RETRAIN_SGD])


def purpose_of(training: Training) -> str:
    """Return the purpose of finalists' trials: derive may be run again with other options of retraining."""
    return f"finalist {zlib.crc32(repr((training.batch_size, training.sgd)).encode()):08x}"


def _num_trainings(ranked: list[Candidate], num: int, budgets: tuple[int, ...]) -> int:
    """Return how many trainings the best `num` and the controls take."""
    first = sum("control" in c.more or place < num for place, c in enumerate(ranked))
    return first + min(first, num_kept(num)) * len(budgets[1:])


def _settle(objective: Objective, finalists: list[Candidate], name: str) -> list[Candidate]:
    """Return those of the last stage, the chosen one first; the Pareto set is that of their metric `name`."""
    trained = [dataclasses.replace(c, value=float(c.more[name])) for c in finalists]
    values = {c.tokens: c.value for c in finalists}
    return [dataclasses.replace(c, value=values[c.tokens]) for c in objective.settle(trained)]


def _with_controls(
    run: Run,
    evaluator: Evaluator,
    candidates: list[Candidate],
    count: Callable[[Architecture], Cost],
    limits: Limits,
) -> list[Candidate]:
    """Return the candidates, best first, with the controls named among them: some more are random."""
    named = {
        min(candidates, key=lambda c: (c.cost.flops, c.tokens)).tokens: "fewest FLOPs",
        max(candidates, key=lambda c: (c.cost.flops, c.tokens)).tokens: "most FLOPs",
    }
    found = {candidate.tokens: candidate for candidate in candidates}
    random = np.random.default_rng([run.seed, _CONTROLS])
    for tokens in limits.random(run.space, run.config[FINALISTS].random_finalists, random):
        key, architecture = tuple(tokens.tolist()), run.space.decode(tokens)
        if key not in found:
            value = evaluator.score(tokens)
            other = Candidate(architecture, key, evaluator.metric, value, count(architecture))
            found[key] = limits.objective.annotate(other)
        named[key] = "random"
    marked = [_unmarked(c).with_more({"control": named[c.tokens]} if c.tokens in named else {}) for c in found.values()]
    # Candidates that were ranked by fewer batches stay behind.
    order = {candidate.tokens: place for place, candidate in enumerate(candidates)}
    known = [candidate for candidate in marked if candidate.tokens in order]
    return known + limits.objective.rank([c for c in marked if c.tokens not in order])


def _unmarked(candidate: Candidate) -> Candidate:
    """Return the candidate without its place in the Pareto set by shared weights: finalists have one of their own."""
    more = {name: value for name, value in candidate.more.items() if name != PARETO}
    return dataclasses.replace(candidate, more=more)


def _report(run: Run, stages: list[list[Candidate]], budgets: tuple[int, ...]) -> dict[str, float]:
    """Say how well each ranking agrees with the next, and where the controls stand; return the numbers."""
    metric = stages[0][0].metric
    values = [{candidate.tokens: candidate.value for candidate in stages[0]}]
    values += [
        {c.tokens: float(c.more[stage_name(metric, epochs)]) for c in stage}
        for epochs, stage in zip(budgets, stages[1:], strict=True)
    ]
    names, found = ["shared weights", *(count_of(epochs, "epoch") for epochs in budgets)], {}
    for place, (before, after) in enumerate(itertools.pairwise(values)):
        tau = agreement(before, after)
        words = f"{tau:.2f}" if math.isfinite(tau) else "not defined"
        pair = f"{names[place]} and {names[place + 1]}"
        run.reporter.say(f"finalists: Kendall's tau of {pair}: {words} ({count_of(len(after), 'architecture')})")
        if math.isfinite(tau):
            found[f"tau_{'shared' if place == 0 else budgets[place - 1]}_{budgets[place]}"] = tau
    places = {c.tokens: place for place, c in enumerate(stages[1], start=1)}
    controls = [candidate for candidate in stages[1] if "control" in candidate.more]
    words = ", ".join(f"{places[c.tokens]} ({c.more['control']})" for c in controls)
    run.reporter.say(f"finalists: places of the controls among {len(places)} after {names[1]}: {words}")
    random = [places[c.tokens] for c in controls if c.more["control"] == "random"]
    if random:
        found["mean_place_of_random"] = float(np.mean(random))
    return found | {"num_finalists": len(places)}
