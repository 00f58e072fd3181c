"""The stages search and derive.

Everything that can be wrong with the input is found while objects are built, before a stage touches the disk.
"""

import dataclasses
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from enas_tf.errors import InputError, count_of, ref
from enas_tf.experiments.advice import advice_of
from enas_tf.experiments.data_record import check_data
from enas_tf.experiments.finalists import choose_finalist, finalist_training, purpose_of
from enas_tf.experiments.memory import enough_memory
from enas_tf.experiments.objectives import ChildCosts
from enas_tf.experiments.recipes import check_executor
from enas_tf.experiments.run import Run, size_in_words
from enas_tf.experiments.run_config import AUTO
from enas_tf.experiments.run_record import RunRecord
from enas_tf.experiments.schedule import epochs_in_words, times_in_words, unended_schedule
from enas_tf.experiments.warm_start import WarmStart
from enas_tf.ops.costs import Cost
from enas_tf.pictures.drawing import draw, to_pixels, to_svg
from enas_tf.runtime.checkpoints import Checkpoints, Position
from enas_tf.runtime.chief import is_chief
from enas_tf.runtime.devices import device_names, peak_memory
from enas_tf.runtime.files import write_json, write_text
from enas_tf.runtime.stopping import Budget
from enas_tf.search.candidates import Candidate
from enas_tf.search.config import FINALISTS, SEARCH, SearchConfig
from enas_tf.search.derive import DERIVE, derive, to_csv, to_markdown
from enas_tf.search.estimate import estimate
from enas_tf.search.evaluators.evaluator import EVALUATORS, Evaluator
from enas_tf.search.finalists import budgets_for
from enas_tf.search.limited import LimitedSearcher, Limits
from enas_tf.search.loop import search
from enas_tf.search.objective import OBJECTIVE, Objective, in_words
from enas_tf.search.searchers.searcher import SEARCHERS, Searcher
from enas_tf.spaces.space import Architecture
from enas_tf.training.child import RETRAIN
from enas_tf.training.health import Recovery


class SearchStage:
    """The searcher and the evaluator of a run, and how far they have come."""

    def __init__(self, run: Run, is_overwriting: bool = False):
        has_finalists = FINALISTS in run.config.values and run.config[FINALISTS].finalists > 0
        run.check_limits("search", *(["retrain"] if has_finalists else []))
        check_executor(run)
        options = run.config.run
        if SEARCHERS[options.searcher].proposes_levels and not EVALUATORS[options.evaluator].has_trials:
            raise InputError(
                f"{ref('searcher')}={options.searcher} proposes level by level and ends, which a search by epochs "
                f"cannot: expected {ref('evaluator')}=scratch instead of {options.evaluator}."
            )
        keras.utils.set_random_seed(options.seed)
        self.run = run
        with enough_memory("the searcher and the evaluator", "search", run.config):
            searched = run.config.replace({SEARCH: self._search_config()})
            self.searcher: Searcher = SEARCHERS[options.searcher].build(run.space, searched)
            self.evaluator: Evaluator = EVALUATORS[options.evaluator].build(run)
        self._costs, is_higher_better = ChildCosts(run, is_new=is_overwriting), self.evaluator.is_higher_better
        objective = Objective(is_higher_better, run.config[OBJECTIVE], self._costs, self.evaluator.merit)
        self.limits = Limits(objective, self.searcher.space, options.seed)
        if objective.config.limits or objective.shapes_rewards:
            self.searcher = LimitedSearcher(self.searcher, self.limits, shapes=not self.evaluator.has_trials)
        self.recovery = Recovery("search")
        self._position: Position | None = None
        self._warm_start: WarmStart | None = None

    def prepare_start(self, is_overwriting: bool) -> None:
        """Look for what a search that begins takes from another one; raise `InputError` where that cannot be."""
        has_begun = (self.run.workdir.checkpoints("search") / "checkpoint").exists()
        if self.run.config[SEARCH].start_from and (is_overwriting or not has_begun):
            self._warm_start = WarmStart(self.run, self.searcher, self.evaluator)

    def _search_config(self) -> SearchConfig:
        """Return how long the search is, as the searcher is told."""
        return self.run.config[SEARCH]

    @property
    def num_epochs(self) -> int:
        """The length of the search: what derive follows."""
        return self.run.config[SEARCH].epochs if self._position is None else self._position.epoch

    @property
    def is_within_epoch(self) -> bool:
        """Whether the search has ended early within an epoch: its number does not say what derive follows."""
        return self._position is not None and self._position.step > 0

    def checkpoints(self) -> Checkpoints:
        """Return the checkpoints of the search in the workdir."""
        tracked = {**self.searcher.tracked, **self.evaluator.tracked, "recovery": self.recovery.tracked}
        return Checkpoints(self.run.workdir.checkpoints("search"), tracked)

    def search(self) -> None:
        """Search from the newest checkpoint on."""
        run, config, checkpoints = self.run, self.run.config[SEARCH], self.checkpoints()
        self._costs.save()
        run.reporter.block("search", self._summary())
        run.say_position("search", checkpoints, config.epochs)
        if self._warm_start is not None and checkpoints.latest_position() is None:
            self._warm_start.apply()
        with enough_memory(f"a step of the search: {self._step_in_words()}", "search", run.config):
            self._position = search(
                self.searcher,
                self.evaluator,
                config,
                run.seed,
                run.reporter,
                checkpoints,
                self.recovery,
                Budget(run.config.run.max_minutes),
            )
        self._say_refused()
        if self._position.epoch < config.epochs:
            step = f" and {count_of(self._position.step, 'step')}" if self._position.step else ""
            self._say_early(f"{self._position.epoch} of {count_of(config.epochs, 'epoch')}{step}")

    def _say_early(self, done: str) -> None:
        """Say that the search has ended before its time, after what is `done`."""
        minutes = self.run.config.run.max_minutes
        why = "" if minutes is None else f" ({ref('max_minutes')}={minutes:g})"
        self.run.reporter.say(
            f"search: ended early after {done}{why}; derive goes on with what is best so far. The same search again "
            "resumes from here."
        )

    def _say_refused(self) -> None:
        if self.limits.num_refused:
            judged = f"{self.limits.num_refused:,} of {count_of(self.limits.num_judged, 'proposal')}"
            self.run.reporter.say(f"limits: {judged} exceeded one, and others were drawn in their place")

    def _step_in_words(self) -> str:
        return ", ".join(f"{name} of {words}" for name, words in self.evaluator.summary().items())

    def dry_run(self) -> None:
        """Print what the search would take: sizes, memory and time, measured over a few steps."""
        run, config = self.run, self.run.config[SEARCH]
        with enough_memory(f"a step of the search: {self._step_in_words()}", "search", run.config):
            measured = estimate(self.searcher, self.evaluator, config, run.seed)
        costs = [
            self._count(run.space.decode(tokens)) for tokens in run.space.random_tokens(20, np.random.default_rng(0))
        ]
        parameters, flops = ([getattr(cost, name) for cost in costs] for name in ("parameters", "flops"))
        rows = self._summary()
        del rows["workdir"]
        if kept := self.evaluator.weights:
            size = count_bytes(kept) / 2**20
            rows["weights"] = f"{size:.1f} MiB with the optimizer's; each step makes their gradient too"
        rows |= {
            "children": f"{min(parameters):,} to {max(parameters):,} parameters, {min(flops):,} to {max(flops):,} "
            f"FLOPs per {run.task.unit} (20 random ones, at the searched width)",
            "peak memory": ", ".join(f"{name} {gib:.2f} GiB" for name, gib in peak_memory().items()),
            **times_in_words(measured, self.evaluator.num_steps(0), config),
            **self._advice(),
        }
        run.reporter.block("dry run: nothing is written", rows)

    def _advice(self) -> dict[str, str]:
        """Return the row about another design that would suit the length of the search better, if one would."""
        advice, name = advice_of(self.run.config), self.run.config.run.evaluator
        if name != "shared" or advice.evaluator == name:
            return {}
        return {"advice": f"{ref('evaluator')}={AUTO}, which takes {advice.evaluator}, since {advice.reason}"}

    def _count(self, architecture: Architecture) -> Cost:
        """Return the cost of a child at the searched width."""
        run = self.run
        child = run.networks.as_child(run.config[run.networks.network])
        return run.networks.count(architecture, child, run.shape)

    def _summary(self) -> dict[str, str]:
        run, config = self.run, self.run.config[SEARCH]
        searcher, words = run.config.run.searcher, self.searcher.in_words
        return {
            "devices": device_names(run.replicas.num),
            **run.task.summary(run.config, run.data),
            "space": f"{run.space.name}: {size_in_words(run.space.size)}",
            **self.evaluator.summary(),
            **run.lowered("search"),
            "searcher": f"{searcher}: {words}" if words else searcher,
            **self._limits_in_words(),
            "epochs": epochs_in_words(config, self.evaluator.num_steps(0)),
            **unended_schedule(run.config, "search"),
            **({} if self._warm_start is None else {"starts from": self._warm_start.in_words}),
            "workdir": str(run.workdir.path),
        }

    def _limits_in_words(self) -> dict[str, str]:
        rows = in_words(self.run.config[OBJECTIVE])
        if self.limits.objective.refuses:
            share = self.limits.share
            rows["limits"] += f"; {share:.{0 if share >= 0.01 else 1}%} of random architectures keep them"
        return rows | self._costs.summary()

    def restore(self) -> Position:
        """Take searcher and evaluator from the workdir; return how far the search had come.

        Raises:
          InputError: no search was saved there, or one with other options. With another validation part, say, weights
            would be judged on images that they were trained on.
        """
        self.run.workdir.check_stage("search", self.run.stage_values("search"))
        check_data(self.run, "search")
        position = self.checkpoints().restore_latest()
        if position is None:
            raise InputError(
                f"{self.run.workdir} holds no searched weights: expected checkpoints/search, as "
                "`python -m enas_tf.launch.search --workdir=...` leaves it."
            )
        return position

    def is_derived(self, num_epochs: int) -> bool:
        """Return whether the workdir's architecture was derived after so many epochs, by the same options."""
        return self.run.workdir.derived.get("derived") == self._derivation(num_epochs)

    def _derivation(self, num_epochs: int) -> dict[str, Any]:
        config = self.run.config
        found = {"searched_epochs": num_epochs} | dataclasses.asdict(config[DERIVE]) | self._objectives()
        if num := config[FINALISTS].finalists * (FINALISTS in config.values):
            found |= {"finalists": num, "finalist_epochs": list(budgets_for(config[RETRAIN].epochs))}
            found["finalist_training"] = purpose_of(finalist_training(config))
        return found

    def _objectives(self) -> dict[str, Any]:
        """Return what of the objective derive alone reads, where it is not the metric alone."""
        config = self.run.config[OBJECTIVE]
        if not config.objective:
            return {}
        # Another size of the child has other costs.
        sizes = {found.name: value for found, value in self.run.config.options() if "retrain" in found.stages}
        own = {found.name: sizes[found.name] for found in self.run.networks.child.options if found.name in sizes}
        return {"objective": list(config.objective), "choose": config.choose, "child": own}

    def derive(self, num_epochs: int) -> None:
        """Rank proposals after `num_epochs` of search; write the candidates, the best architecture and its picture."""
        self.run.lock()
        self._costs.save()
        candidates, metrics = self._candidates()
        self._write(candidates, metrics, num_epochs)

    def _candidates(self) -> tuple[list[Candidate], dict[str, float]]:
        """Return candidates, finalists first, then the best ones; and what is reported of finalists."""
        run, config = self.run, self.run.config[DERIVE]
        words = f"the rewards of derive: {self._step_in_words()}"
        with (
            run.reporter.progress("derive", config.derive_samples, "proposals") as advance,
            enough_memory(words, "search", run.config),
        ):
            candidates = derive(self.searcher, self.evaluator, self._count, config, run.seed, advance, self.limits)
        if FINALISTS in run.config.values and run.config[FINALISTS].finalists:
            return choose_finalist(run, self.evaluator, candidates, self._count, self.limits)
        return candidates, {}

    def _write(self, candidates: list[Candidate], metrics: dict[str, float], num_epochs: int) -> None:
        run, best = self.run, candidates[0]
        write_text(run.workdir.candidates, to_csv(candidates))
        figure = draw(best.architecture)
        write_text(run.workdir.picture, to_svg(figure))
        values = np.array([candidate.value for candidate in candidates])
        ends = (values.max(), values.min()) if self.evaluator.is_higher_better else (values.min(), values.max())
        summary = {
            "num_candidates": len(candidates),
            f"best_{best.metric}": ends[0],
            f"mean_{best.metric}": values.mean(),
            f"worst_{best.metric}": ends[1],
        }
        reward = RunRecord(run.workdir.path).best_reward if is_chief() else None
        rewards = {} if reward is None else {"best_reward": reward}
        run.reporter.record_result("derive", summary | metrics, num_epochs, rewards)
        width = run.networks.size_in_words(best.architecture, run.networks.as_child(run.config[run.networks.network]))
        run.reporter.say(f"derive: {run.workdir.candidates}, with parameters and FLOPs at the searched width: {width}")
        run.reporter.tensorboard.image("derive", "architecture", to_pixels(figure), num_epochs)
        run.reporter.tensorboard.text("derive", "candidates", to_markdown(candidates), num_epochs, width)
        run.reporter.options(run.config.option_values())
        # Written last: its presence says that derive is done.
        derived = {best.metric: best.value, "derived": self._derivation(num_epochs)}
        write_json(run.workdir.architecture, best.architecture.to_json() | derived)


def count_bytes(variables: list) -> int:
    """Return the bytes of the values of variables."""
    return sum(int(np.prod(v.shape)) * tf.as_dtype(v.dtype).size for v in variables)
