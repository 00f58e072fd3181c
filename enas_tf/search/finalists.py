"""The last stages of derive: the best candidates by shared weights are trained from scratch, shortly, and ranked again.

Shared weights rank badly where they are little trained. So a few candidates are trained for a sixteenth of the
retraining, the best third of them for a quarter, and the best of these is kept. Controls run along: some random
architectures, and the candidates with the fewest and the most FLOPs. They say how far shared weights could be trusted.
"""

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from enas_tf.search.candidates import Candidate
from enas_tf.search.executors.executor import Executor
from enas_tf.search.ledger import Ledger
from enas_tf.search.objective import Objective
from enas_tf.search.states import States
from enas_tf.search.trials import Failure, Measurement, Outcome, Trial

#: Shares of the retraining that finalists are trained for, and the part of them that is kept after the first stage.
_SHARES, _KEPT = (16, 4), 3


def budgets_for(retrain_epochs: int) -> tuple[int, ...]:
    """Return the epochs that finalists are trained for, ascending: one or two numbers."""
    return tuple(sorted({-(-retrain_epochs // share) for share in _SHARES}))


def num_kept(num: int) -> int:
    """Return how many of `num` finalists go on after the first budget."""
    return max(1, math.ceil(num / _KEPT))


@dataclasses.dataclass
class Finals:
    """Trains finalists.

    Attributes:
      executor: where they are trained.
      ledger: what was trained; the trials of a run that was stopped are not trained again.
      states: of the trainings that may be prolonged.
      budgets: in epochs, ascending.
      objective: what they are ranked by.
      purpose: that of the trials; one for each way of training, for the ledger may hold those of another.
      report: called with a finalist, its trial and its outcome, when each is known; at once where the ledger knows it.
    """

    executor: Executor
    ledger: Ledger
    states: States
    budgets: tuple[int, ...]
    objective: Objective
    report: Callable[[Candidate, Trial, Outcome], None]
    purpose: str = "finalist"

    def run(self, candidates: Sequence[Candidate], num: int) -> list[list[Candidate]]:
        """Train the best `num` of `candidates` (best first) and all that are controls.

        Returns:
          The finalists as each stage has ranked them, best first: by shared weights, then by each budget. Their `more`
          has the metric of each budget.
        """
        left = [c for place, c in enumerate(candidates) if place < num or "control" in c.more]
        stages = [left]
        for number in range(1, len(self.budgets) + 1):
            if number > 1:
                left = left[: num_kept(num)]
            left = self._rank(left, self.budgets[:number])
            stages.append(left)
        self.states.clear()
        return stages

    def _rank(self, candidates: list[Candidate], budgets: tuple[int, ...]) -> list[Candidate]:
        trials = [Trial(candidate.tokens, budgets, self.purpose) for candidate in candidates]
        outcomes = self._train(candidates, trials)
        name = stage_name(candidates[0].metric, budgets[-1])
        values = [o.value if isinstance(o, Measurement) else math.nan for o in outcomes]
        trained = [
            dataclasses.replace(candidate, more={**candidate.more, name: value})
            for candidate, value in zip(candidates, values, strict=True)
        ]
        by_value = [dataclasses.replace(c, value=value) for c, value in zip(trained, values, strict=True)]
        places = {c.tokens: place for place, c in enumerate(self.objective.rank(by_value))}
        return sorted(trained, key=lambda candidate: places[candidate.tokens])

    def _train(self, candidates: list[Candidate], trials: list[Trial]) -> list[Outcome]:
        """Train what the ledger does not know; return all outcomes in the order of `trials`."""
        found: dict[int, tuple[Candidate, int]] = {}
        outcomes: list[Outcome | None] = [None] * len(trials)
        for place, (candidate, trial) in enumerate(zip(candidates, trials, strict=True)):
            known = self.ledger.find(trial)
            if known is not None and known.outcome is not None:
                outcomes[place] = known.outcome
                self.report(candidate, trial, known.outcome)
                continue
            cost = {"parameters": candidate.cost.parameters, "flops": candidate.cost.flops}
            entry = self.ledger.begin(trial, candidate.architecture.to_arc(), cost)
            found[entry.number] = candidate, place
            self.executor.submit(self.states.job(entry.number, trial, self.ledger, trial.budgets != self.budgets))
        for _ in found:
            result = self.executor.next()
            if result.state is not None:
                self.states.save(result.number, result.state)
            candidate, place = found[result.number]
            self.ledger.finish(self.ledger.entries[result.number], result.outcome)
            outcomes[place] = result.outcome
            self.report(candidate, trials[place], result.outcome)
        return [outcome or Failure("crashed", "no result") for outcome in outcomes]


def stage_name(metric: str, epochs: int) -> str:
    """Return the name of a metric after so many epochs from scratch: valid_accuracy_4_epochs."""
    return f"{metric}_{epochs}_epoch{'' if epochs == 1 else 's'}"


def agreement(values: Mapping[tuple[int, ...], float], others: Mapping[tuple[int, ...], float]) -> float:
    """Return Kendall's tau-b of two metrics over the architectures that have both; NaN for fewer than three."""
    from scipy.stats import kendalltau  # Its import takes longer than what most commands do before they report.

    both = [tokens for tokens in values if tokens in others]
    if len(both) < 3:
        return math.nan
    pairs = np.array([(values[tokens], others[tokens]) for tokens in both])
    pairs = pairs[np.isfinite(pairs).all(axis=1)]
    return float(kendalltau(*pairs.T).statistic) if len(pairs) >= 3 else math.nan


def order_all(candidates: Sequence[Candidate], stages: Sequence[Sequence[Candidate]]) -> list[Candidate]:
    """Return all candidates, those that got furthest first, each group as its last stage has ranked it."""
    ordered: dict[tuple[int, ...], Candidate] = {}
    for stage in [*reversed(stages[1:]), candidates]:
        for candidate in stage:
            ordered.setdefault(candidate.tokens, candidate)
    return list(ordered.values())
