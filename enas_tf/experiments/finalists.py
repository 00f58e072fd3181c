"""The finalists of derive: which candidates are trained, and how far shared weights could be trusted."""

import itertools
import math
from collections.abc import Callable

import numpy as np

from enas_tf.errors import count_of
from enas_tf.experiments.memory import enough_memory
from enas_tf.experiments.recipes import build_executor, ledger_of
from enas_tf.experiments.run import Run
from enas_tf.ops.costs import Cost
from enas_tf.search.config import FINALISTS
from enas_tf.search.derive import Candidate, rank
from enas_tf.search.evaluators.evaluator import Evaluator
from enas_tf.search.evaluators.shared import SHARED
from enas_tf.search.finalists import Finals, agreement, budgets_for, num_kept, order_all, stage_name
from enas_tf.search.states import States
from enas_tf.search.trials import Measurement, Outcome, Trial
from enas_tf.spaces.space import Architecture
from enas_tf.training.child import RETRAIN
from enas_tf.training.optimizers import SGD
from enas_tf.training.scratch import Training

#: Purpose of the random numbers that draw the random controls.
_CONTROLS = 1803


def choose_finalist(
    run: Run, evaluator: Evaluator, candidates: list[Candidate], count: Callable[[Architecture], Cost]
) -> tuple[list[Candidate], dict[str, float]]:
    """Train the best candidates and the controls.

    Reports each finalist, and how well the rankings agree.

    Returns:
      All candidates, the winner first, and the numbers of the report.
    """
    config, num = run.config, run.config[FINALISTS].finalists
    budgets = budgets_for(config[RETRAIN].epochs)
    ranked = _with_controls(run, evaluator, candidates, count)
    total = sum("control" in c.more or place < num for place, c in enumerate(ranked))
    total += min(total, num_kept(num)) * len(budgets[1:])
    ledger = ledger_of(run)
    reported = 0
    # Those that the ledger knows are reported again: a run that was killed may not have reported its last one.
    run.reporter.truncate({"finalist": 0})

    def report(candidate: Candidate, trial: Trial, outcome: Outcome) -> None:
        nonlocal reported
        if isinstance(outcome, Measurement):
            numbers = {candidate.metric: outcome.value, "loss": outcome.loss, "epochs": trial.epochs}
            sizes = {"shared_weights": candidate.value, "seconds": outcome.seconds, "flops": candidate.cost.flops}
            run.reporter.record("finalist", reported, numbers | sizes, total, unit="finalist")
            reported += 1
        else:
            run.reporter.say(f"finalist: {outcome.kind}: {outcome.reason}; it counts as the worst")

    training = Training(config[SHARED].batch_size, config[SGD])
    with enough_memory("a finalist", "search", config), build_executor(run, training) as executor:
        states = States(run.workdir.checkpoints("trials"))
        finals = Finals(executor, ledger, states, budgets, evaluator.is_higher_better, report)
        stages = finals.run(ranked, num)
    return order_all(ranked, stages), _report(run, stages, budgets)


def _with_controls(
    run: Run, evaluator: Evaluator, candidates: list[Candidate], count: Callable[[Architecture], Cost]
) -> list[Candidate]:
    """Return the candidates, best first, with the controls named among them: two more are random."""
    named = {
        min(candidates, key=lambda c: (c.cost.flops, c.tokens)).tokens: "fewest FLOPs",
        max(candidates, key=lambda c: (c.cost.flops, c.tokens)).tokens: "most FLOPs",
    }
    found = {candidate.tokens: candidate for candidate in candidates}
    for tokens in run.space.random_tokens(2, np.random.default_rng([run.seed, _CONTROLS])):
        key, architecture = tuple(tokens.tolist()), run.space.decode(tokens)
        if key not in found:
            value = evaluator.score(tokens)
            found[key] = Candidate(architecture, key, evaluator.metric, value, count(architecture))
        named[key] = "random"
    marked = [
        Candidate(c.architecture, c.tokens, c.metric, c.value, c.cost, {**c.more, "control": named[c.tokens]})
        if c.tokens in named
        else c
        for c in found.values()
    ]
    # Candidates that were ranked by fewer batches stay behind.
    order = {candidate.tokens: place for place, candidate in enumerate(candidates)}
    known = [candidate for candidate in marked if candidate.tokens in order]
    return known + rank([c for c in marked if c.tokens not in order], evaluator.is_higher_better)


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
    return found | {"num_finalists": len(places), "mean_place_of_random": float(np.mean(random))}
