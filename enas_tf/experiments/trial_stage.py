"""The stage search where each proposal is trained from scratch: it fills the ledger, and derive reads that."""

import functools
import itertools

import numpy as np

from enas_tf.errors import InputError, count_of, ref
from enas_tf.experiments.data_record import check_data
from enas_tf.experiments.memory import enough_memory
from enas_tf.experiments.recipes import build_executor, build_from, ledger_of, recipe_of
from enas_tf.experiments.run import Run, size_in_words
from enas_tf.experiments.schedule import trial_times_in_words
from enas_tf.experiments.search_stage import SearchStage
from enas_tf.ops.costs import Cost
from enas_tf.runtime import cluster
from enas_tf.runtime.checkpoints import Position
from enas_tf.runtime.devices import device_names, peak_memory
from enas_tf.runtime.stopping import Budget, StopEarly
from enas_tf.search.candidates import Candidate
from enas_tf.search.config import SearchConfig
from enas_tf.search.estimate import time_trial
from enas_tf.search.evaluators.scratch import SCRATCH, ScratchEvaluator, check_searcher
from enas_tf.search.executors.executor import EXECUTION
from enas_tf.search.halving import expected_number
from enas_tf.search.ledger import Entry, Ledger
from enas_tf.search.searchers.searcher import SEARCHERS
from enas_tf.search.states import States
from enas_tf.search.trial_loop import TrialPlan, TrialSearch
from enas_tf.search.trials import Measurement


class TrialStage(SearchStage):
    """The searcher, the trials and the ledger of a run."""

    evaluator: ScratchEvaluator

    def __init__(self, run: Run, is_overwriting: bool = False):
        if cluster.num_workers() > 1:
            raise InputError(
                f"{ref('evaluator')}={run.config.run.evaluator} trains each trial in one process, but this run has "
                f"{cluster.num_workers()}: start one process, with {ref('executor')}=processes or ray for several "
                "trials at once."
            )
        super().__init__(run, is_overwriting)
        # A size that does not fit the data is refused here, before a worker finds out.
        first, networks = run.space.decode(np.zeros([run.space.num_tokens], np.int32)), run.networks
        networks.count(first, networks.as_child(run.config[networks.network]), run.shape)
        searcher = self.searcher
        compares_trials = searcher.learns_from_batches or searcher.proposes_levels
        check_searcher(compares_trials, self.evaluator.config, run.config.run.searcher)
        if searcher.most_proposals is not None:
            self.evaluator.limit(searcher.most_proposals)
        if run.space.stage(0) != run.space and (self.evaluator.config.halving or not self.searcher.can_grow):
            able = ", ".join(name for name in SEARCHERS if SEARCHERS[name].can_grow)
            raise InputError(
                f"a space that grows ({ref('grow_every')}) is not for {ref('searcher')}={run.config.run.searcher} "
                f"with {ref('halving')}={self.evaluator.config.halving}: expected a searcher out of {able}, and "
                f"{ref('halving')}=0."
            )

    @functools.cached_property
    def ledger(self) -> Ledger:
        """The trials in the workdir."""
        return ledger_of(self.run)

    @property
    def num_epochs(self):
        return sum(entry.outcome is not None for entry in self.ledger.of("search"))

    def _search_config(self):
        config = self.run.config[SCRATCH]
        num = config.samples_per_update if SEARCHERS[self.run.config.run.searcher].learns_from_batches else 1
        return SearchConfig(1, -(-config.trials // num), num)

    def _plan(self) -> TrialPlan:
        config, execution, per_update = self.evaluator.config, self.run.config[EXECUTION], self._search_config()
        num = per_update.samples_per_update
        # Workers that an update leaves idle begin the next ones, as NAS's replicas of the controller do.
        ahead = max(1, execution.parallel // num)
        return TrialPlan(
            config.trials, self.evaluator.metric, num, ahead, self.evaluator.halving, execution.max_failures
        )

    def search(self) -> None:
        """Train what the ledger does not know yet."""
        run, states = self.run, States(self.run.workdir.checkpoints("trials"))
        self._costs.save()
        run.reporter.block("search", self._summary())
        if found := sum(entry.outcome is not None for entry in self.ledger.of("search")):
            run.reporter.say(f"search: resumes, {count_of(found, 'trial')} of it are known")
        with (
            enough_memory("a trial", "search", run.config),
            build_executor(run, self.evaluator.training) as executor,
        ):
            trials = TrialSearch(
                self.searcher,
                self._plan(),
                executor,
                self.ledger,
                states,
                self._count,
                self.evaluator.reward,
                run.seed,
                run.reporter,
                Budget(run.config.run.max_minutes),
                self.limits,
            )
            try:
                trials.run()
            except StopEarly:
                num = sum(entry.outcome is not None for entry in self.ledger.of("search"))
                self._say_early(count_of(num, "trial"))
            self._say_refused()

    def dry_run(self) -> None:
        """Print what the search would take, from a few steps of one trial."""
        run, config, halving = self.run, self.evaluator.config, self.evaluator.halving
        runner = build_from(recipe_of(run, self.evaluator.training))
        timed = time_trial(runner, run.space.random_tokens(1, np.random.default_rng(0))[0])
        epochs, num = 0, config.trials
        for shorter, longer in itertools.pairwise((0, *halving.budgets)):
            epochs += num * (longer - shorter)
            num //= max(1, halving.factor)
        seconds = epochs * timed.epoch + expected_number(config.trials, halving) * config.num_measured * timed.measuring
        rows = self._summary()
        del rows["workdir"]
        memory = ", ".join(f"{name} {gib:.2f} GiB" for name, gib in peak_memory().items())
        parallel = 1 if run.config.run.executor == "serial" else run.config[EXECUTION].parallel
        rows |= {"peak memory": memory, **trial_times_in_words(timed, seconds, parallel, runner.is_disposable)}
        run.reporter.block("dry run: nothing is written", rows)

    def _summary(self) -> dict[str, str]:
        run = self.run
        searcher, words = run.config.run.searcher, self.searcher.in_words
        parallel = run.config[EXECUTION].parallel
        return {
            "devices": device_names(run.replicas.num),
            **run.task.summary(run.config, run.data),
            "space": f"{run.space.name}: {size_in_words(run.space.size)}",
            **self.evaluator.summary(),
            **run.lowered("search"),
            "searcher": f"{searcher}: {words}" if words else searcher,
            **self._limits_in_words(),
            "executor": f"{run.config.run.executor}, {count_of(parallel, 'trial')} at once",
            "workdir": str(run.workdir.path),
        }

    def restore(self) -> Position:
        self.run.workdir.check_stage("search", self.run.stage_values("search"))
        check_data(self.run, "search")
        if not any(isinstance(entry.outcome, Measurement) for entry in self.ledger.of("search")):
            raise InputError(
                f"{self.run.workdir} holds no finished trial: expected trials.jsonl, as "
                "`python -m enas_tf.launch.search --workdir=...` leaves it."
            )
        return Position(self.num_epochs)

    def _derivation(self, num_epochs):
        return {"trials": num_epochs} | self._objectives()

    def _candidates(self) -> tuple[list[Candidate], dict[str, float]]:
        """Return the architectures of the ledger by their metric.

        Those of the last level come first, where there are levels, and then those of the largest budget.
        """
        longest: dict[str, Entry] = {}
        for entry in self.ledger.of("search"):
            known = longest.get(entry.arc)
            if isinstance(entry.outcome, Measurement) and (known is None or entry.trial.epochs > known.trial.epochs):
                longest[entry.arc] = entry
        if not longest:
            raise InputError(f"{self.run.workdir}: no trial has been finished, so nothing can be derived.")
        space, objective = self.run.space, self.limits.objective
        ranked: list[Candidate] = []
        groups = {(len(entry.trial.tokens), entry.trial.epochs) for entry in longest.values()}
        for num_tokens, epochs in sorted(groups, reverse=True):
            candidates = [
                objective.annotate(
                    Candidate(
                        space.decode(entry.trial.tokens),
                        entry.trial.tokens,
                        self.evaluator.metric,
                        entry.outcome.value if isinstance(entry.outcome, Measurement) else float("nan"),
                        Cost(entry.cost["parameters"], entry.cost["flops"]),
                        {"epochs": epochs},
                    )
                )
                for entry in longest.values()
                if (len(entry.trial.tokens), entry.trial.epochs) == (num_tokens, epochs)
            ]
            # Those of the first group alone compare with each other and have been trained the longest.
            ranked += objective.rank(candidates) if ranked else objective.settle(objective.rank(candidates))
        return ranked, {}
