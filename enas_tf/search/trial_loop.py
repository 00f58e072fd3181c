"""The search by trials: proposals are trained from scratch, several at once, and the searcher learns from the results.

The ledger is the only memory. A run that resumes goes through the same loop from its beginning: it takes proposals and
results from the ledger where that has them, so that nothing that was trained is trained again.
"""

import collections
import dataclasses
import math
from collections.abc import Callable, Sequence

import tensorflow as tf

from enas_tf.errors import InputError, ref
from enas_tf.ops.costs import Cost
from enas_tf.runtime.reporting import Reporter
from enas_tf.runtime.seeds import seed_for
from enas_tf.runtime.stopping import Budget
from enas_tf.search.executors.executor import Executor
from enas_tf.search.halving import Halving, Levels, expected_number
from enas_tf.search.ledger import Entry, Ledger
from enas_tf.search.limited import Limits
from enas_tf.search.outlook import probabilities, show
from enas_tf.search.searchers.searcher import Searcher
from enas_tf.search.states import States
from enas_tf.search.trials import REFUSED, Failure, Measurement, Outcome, Trial
from enas_tf.search.watching import watch
from enas_tf.spaces.space import Architecture


@dataclasses.dataclass(frozen=True)
class TrialPlan:
    """What a search by trials is told.

    Attributes:
      num_trials: how many architectures are proposed.
      metric: the name of what trials measure.
      per_update: how many of them make up one update of the searcher.
      ahead: how many updates' proposals are under way at once: 1 where they wait for the results of the update before.
      halving: the budgets.
      max_failures: the search ends when so many trials in a row have failed alike.
    """

    num_trials: int
    metric: str
    per_update: int
    ahead: int
    halving: Halving
    max_failures: int


class TrialSearch:
    """Runs a search by trials. Its results do not depend on the executor, nor on the order in which results come.

    The results of updates are learned in their order, one at a time, and after each the next proposals are made. So a
    proposal is a function of the results of all updates but the last `ahead`. A searcher that proposes levels knows all
    results of the levels before.

    Args:
      searcher: who proposes.
      plan: how much.
      executor: where trials run.
      ledger: what was tried.
      states: of trials that may be prolonged.
      count: returns the cost of an architecture's child.
      reward: returns the reward of a value of the metric.
      seed: the seed of the run.
      reporter: where results are reported.
      budget: the time that the search may take.
      limits: what is not to be trained, and what is made of rewards; None for all, as they are.
    """

    def __init__(
        self,
        searcher: Searcher,
        plan: TrialPlan,
        executor: Executor,
        ledger: Ledger,
        states: States,
        count: Callable[[Architecture], Cost],
        reward: Callable[[float], float],
        seed: int,
        reporter: Reporter,
        budget: Budget | None = None,
        limits: Limits | None = None,
    ):
        self._limits = limits
        self._budget = budget or Budget()
        self.searcher, self.plan, self.executor, self.ledger = searcher, plan, executor, ledger
        self._states, self._count, self._reward, self._seed, self._reporter = states, count, reward, seed, reporter
        self._space = searcher.space
        self._begun: list[Entry] = []
        self._submitted: set[Trial] = set()
        #: Numbers of the trials of each update that is under way, the oldest first.
        self._groups: collections.deque[list[Entry]] = collections.deque()
        #: What was proposed and has not begun.
        self._proposed: collections.deque[Trial] = collections.deque()
        self._known = self._num_proposed = self._num_updates = 0
        self._levels = Levels()
        self._alike: tuple[str, int] = ("", 0)
        self._num_reported = {phase: reporter.num_epochs(phase) for phase in ("trial", "controller")}
        self._total = expected_number(plan.num_trials, plan.halving)

    def run(self) -> None:
        """Run until all trials are done.

        Raises:
          InputError: so many trials have failed alike that the search is not worth going on.
          StopEarly: the budget is spent, or a listener ends the search. The ledger has all results so far.
        """
        with self._reporter.progress("trials", self._total, "trials", watch(self.executor, self.ledger)) as advance:
            while True:
                while len(self._groups) < self.plan.ahead and (group := self._next_group()):
                    self._groups.append(group)
                if not self._groups:
                    break
                self._wait_for(self._groups[0])
                self._learn(self._groups.popleft(), advance)
        self._states.clear()

    def _next_group(self) -> list[Entry]:
        """Begin the trials of another update; return them, or nothing where there is none to begin now."""
        recorded, place = self.ledger.of("search"), len(self._begun)
        # What an earlier run has begun is begun again in the same order, whatever its number of trials at once was.
        is_known = place < len(recorded)
        if is_known and recorded[place].trial.budgets != self.plan.halving.first:
            return [self._begin(recorded[place].trial)]
        if not is_known and (longer := self.plan.halving.promote(self._begun, self._known)):
            return [self._begin(longer)]
        if not self._proposed:
            self._proposed.extend(self._propose())
        num = min(self.plan.per_update, len(self._proposed))
        return [self._begin(self._proposed.popleft()) for _ in range(num)]

    def _propose(self) -> list[Trial]:
        """Return the trials of an update, or those of a level once all of the level before are known."""
        left, is_level = self.plan.num_trials - self._num_proposed, self.searcher.proposes_levels
        if not left or (is_level and self._groups):
            return []
        space = self._space.stage(self._num_proposed)
        if space != self.searcher.space:
            if self._groups:
                return []  # The searcher first learns from what is under way.
            self.searcher = self.searcher.carried_to(space)
        num = left if is_level else min(self.plan.per_update, left)
        recorded = self.ledger.of("search")[len(self._begun) : len(self._begun) + num]
        trials = [entry.trial for entry in recorded]
        # How many trials a level has, the searcher alone knows.
        if len(trials) < num or is_level:
            tokens = self.searcher.propose(tf.constant(num), seed_for(self._seed, "trials", self._num_proposed))
            proposed = [Trial(tuple(row), self.plan.halving.first) for row in tokens.numpy().tolist()]
            trials = trials[: len(proposed)] + proposed[len(trials) :]
        self._num_proposed += len(trials)
        return trials

    def _begin(self, trial: Trial) -> Entry:
        """Write down a trial and submit it, unless the ledger knows its outcome."""
        recorded, place = self.ledger.of("search"), len(self._begun)
        entry = recorded[place] if place < len(recorded) else self._add(trial)
        trial = entry.trial
        self._begun.append(entry)
        if entry.outcome is None:
            same = self.ledger.find(trial)
            if same is not None and same.outcome is not None:
                self.ledger.finish(entry, same.outcome)
            elif self._limits and (reason := self._limits.refusal(self.searcher.space, trial.tokens)):
                self.ledger.finish(entry, Failure(REFUSED, reason))
            elif trial not in self._submitted:  # Otherwise it is under way.
                self._submitted.add(trial)
                keeps_state = trial.budgets != self.plan.halving.budgets
                self.executor.submit(self._states.job(entry.number, trial, self.ledger, keeps_state))
        return entry

    def _add(self, trial: Trial) -> Entry:
        architecture = self._space.decode(trial.tokens)
        cost = self._count(architecture)
        return self.ledger.add(trial, architecture.to_arc(), {"parameters": cost.parameters, "flops": cost.flops})

    def _wait_for(self, group: Sequence[Entry]) -> None:
        """Take results until those of `group` are there."""
        while any(entry.outcome is None for entry in group):
            result = self.executor.next()
            if result.state is not None:
                self._states.save(result.number, result.state)
            trial = self.ledger.entries[result.number].trial
            for entry in (entry for group in self._groups for entry in group):
                if entry.trial == trial and entry.outcome is None:
                    self.ledger.finish(entry, result.outcome)
            self._budget.check()

    def _learn(self, group: list[Entry], advance: Callable[[int], None]) -> None:
        """Let the searcher learn from the results of an update, and report them."""
        rewards = [self._reward_of(entry) for entry in group]
        tokens = tf.constant([entry.trial.tokens for entry in group], tf.int32)
        levelled = [self._levels.level(entry.trial, reward) for entry, reward in zip(group, rewards, strict=True)]
        metrics = self.searcher.update(tokens, tf.constant(levelled, tf.float32))
        numbers = {name: float(value) for name, value in metrics.items() if math.isfinite(float(value))}
        numbers.pop("nonfinite_rewards", None)
        for entry, reward in zip(group, rewards, strict=True):
            self._report(self._known, entry, reward, numbers if len(group) == 1 else {})
            self._count_failures(entry.outcome)
            self._known += 1
            advance(1)
        if len(group) > 1:
            self._report_update(numbers)
        self._num_updates += 1

    def _reward_of(self, entry: Entry) -> float:
        if not isinstance(entry.outcome, Measurement):
            return math.nan
        reward = self._reward(entry.outcome.value)
        return reward if self._limits is None else self._limits.shaped(self.searcher.space, entry.trial.tokens, reward)

    def _report(self, place: int, entry: Entry, reward: float, numbers: dict[str, float]) -> None:
        outcome = entry.outcome
        if place < self._num_reported["trial"]:
            return
        if isinstance(outcome, Failure):
            self._reporter.say(f"trial {place + 1}: {outcome.kind}: {outcome.reason}; it counts as the worst")
            return
        assert isinstance(outcome, Measurement)
        numbers = {key: value for key, value in numbers.items() if key != "reward"}
        found = {self.plan.metric: outcome.value, "loss": outcome.loss, "reward": reward, "epochs": entry.trial.epochs}
        sizes = {"seconds": outcome.seconds, **entry.cost}
        self._reporter.record("trial", place, found | numbers | sizes, max(self._total, place + 1), unit="trial")

    def _report_update(self, numbers: dict[str, float]) -> None:
        """Report what an update of several trials has made of the searcher."""
        total = -(-self.plan.num_trials // self.plan.per_update)
        if self._num_updates < self._num_reported["controller"]:
            return
        outlook = self.searcher.outlook(seed_for(self._seed, "report", self._num_updates))
        if outlook is not None:
            # First: a run that resumes knows by the record that all of it was reported.
            self._reporter.keep_policy(self._num_updates, probabilities(outlook))
            show(outlook, self.searcher.space, self._num_updates, total, self._reporter.tensorboard)
        self._reporter.record("controller", self._num_updates, numbers, total, self.searcher.metric_descriptions)
        if problem := self.searcher.find_problem(numbers):
            self._reporter.say(problem)

    def _count_failures(self, outcome: Outcome | None) -> None:
        """Raise `InputError` when too many trials in a row have failed alike."""
        if not isinstance(outcome, Failure):
            self._alike = ("", 0)
        if not isinstance(outcome, Failure) or outcome.kind == REFUSED:
            return
        kind, num = self._alike
        self._alike = (outcome.kind, num + 1 if kind == outcome.kind else 1)
        if self._alike[1] >= self.plan.max_failures:
            raise InputError(
                f"{self._alike[1]} trials in a row have failed alike ({outcome.kind}: {outcome.reason}): expected some "
                f"that do not. {_CURES.get(outcome.kind, _CURES['crashed'])} {ref('max_failures')} says how many are "
                "too many."
            )


_CURES = {
    "diverged": f"Lower {ref('learning_rate')} or {ref('clip_norm')}.",
    "memory": f"Lower {ref('batch_size')} or the size of the networks, or run fewer at once ({ref('parallel')}).",
    "crashed": "Mend what the reason says.",
}
