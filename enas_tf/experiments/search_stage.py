"""The stages search and derive, from a configuration.

Everything that can be wrong with the input is found while objects are built, before a stage touches the disk.
"""

import dataclasses
import json

import keras
import numpy as np
import tensorflow as tf

from enas_tf.errors import InputError
from enas_tf.experiments.config import stage_values, to_flagfile
from enas_tf.experiments.retrain_stage import check_retraining
from enas_tf.experiments.run import Run, format_size
from enas_tf.ops.costs import Cost
from enas_tf.pictures import draw, to_pixels, to_svg
from enas_tf.runtime import cluster
from enas_tf.runtime.checkpoints import Checkpoints
from enas_tf.runtime.devices import device_names, peak_memory
from enas_tf.runtime.files import write_json, write_text
from enas_tf.search.derive import Candidate, derive, to_csv, to_markdown
from enas_tf.search.estimate import estimate
from enas_tf.search.evaluators.shared import Evaluator
from enas_tf.search.loop import search
from enas_tf.search.searchers.reinforce import Searcher, build_searcher
from enas_tf.spaces.decisions import Architecture
from enas_tf.training.health import Recovery


@dataclasses.dataclass
class SearchStage:
    """Searcher, supernet and evaluator of a run."""

    run: Run
    searcher: Searcher
    evaluator: Evaluator
    recovery: Recovery

    @classmethod
    def build(cls, run: Run) -> "SearchStage":
        config = run.config
        keras.utils.set_random_seed(config.run.seed)
        searcher = build_searcher(config.run.searcher, run.space, config.controller, config.reinforce)
        with run.replicas.strategy.scope():
            network = run.task.network(config)
            supernet = run.family.supernet(run.space, network, run.shape, dtype=config.run.precision)
            evaluator = run.task.evaluator(config, supernet, run.data, run.replicas)
        return cls(run, searcher, evaluator, Recovery("search"))

    def checkpoints(self) -> Checkpoints:
        tracked = {**self.searcher.tracked, **self.evaluator.tracked, "recovery": self.recovery.tracked}
        return Checkpoints(self.run.workdir.checkpoints("search"), tracked)

    def search(self) -> None:
        """Searches on from the newest checkpoint."""
        run, config, checkpoints = self.run, self.run.config, self.checkpoints()
        run.reporter.block("search", self._summary())
        seed = config.run.seed
        search(self.searcher, self.evaluator, config.search, seed, run.reporter, checkpoints, self.recovery)

    def dry_run(self) -> None:
        """Prints what the search would take: sizes, memory and time, measured over a few steps."""
        run, config = self.run, self.run.config
        measured = estimate(self.searcher, self.evaluator, config.search, config.run.seed)
        num_steps = self.evaluator.num_steps(0)
        epoch = measured.epoch(num_steps, config.search)
        costs = [
            self._count(run.space.decode(tokens)) for tokens in run.space.random_tokens(20, np.random.default_rng(0))
        ]
        parameters, flops = ([getattr(cost, name) for cost in costs] for name in ("parameters", "flops"))
        rows = self._summary()
        del rows["workdir"]
        kept = [*self.evaluator.supernet.variables, *self.evaluator.optimizer.variables]
        rows |= {
            "weights": f"{count_bytes(kept) / 2**20:.1f} MiB with the optimizer's; each step makes their gradient too",
            "children": f"{min(parameters):,} to {max(parameters):,} parameters, {min(flops):,} to {max(flops):,} "
            f"FLOPs per {run.task.unit} (20 random ones, at the searched width)",
            "peak memory": ", ".join(f"{name} {gib:.2f} GiB" for name, gib in peak_memory().items()),
            "first step": f"{measured.first_step:.1f} s",
            "a step": f"{measured.step:.3f} s",
            "a reward": f"{measured.reward:.3f} s",
            "an epoch": f"{_in_words(epoch)}: {_in_words(num_steps * measured.step)} of steps, the rest updates",
            "the search": f"{_in_words(epoch * config.search.epochs)}, derive aside",
        }
        run.reporter.block("dry run: nothing is written", rows)

    def _count(self, architecture: Architecture) -> Cost:
        """The cost of a child at the searched width."""
        run = self.run
        return run.family.count(architecture, run.task.searched_child(run.config), run.shape)

    def _summary(self) -> dict[str, str]:
        config, supernet = self.run.config, self.evaluator.supernet
        controller = self.searcher.tracked.get("controller")
        return {
            "devices": device_names(self.run.replicas.num),
            **self.run.task.summary(config, self.run.data),
            "space": f"{config.run.space}: {format_size(self.run.space.size)} architectures",
            "supernet": f"{count_parameters(supernet):,} parameters",
            "searcher": config.run.searcher
            + (f": controller of {count_parameters(controller):,} parameters" if controller else ""),
            "epochs": f"{config.search.epochs} of {self.evaluator.steps_per_epoch} steps and "
            f"{config.search.updates_per_epoch} updates of {config.search.samples_per_update} proposals",
            "workdir": str(self.run.workdir.path),
        }

    def restore(self) -> None:
        """Takes searcher and shared weights from the workdir.

        Raises `InputError` when no search was saved there, or one with other flags: with another validation part, say,
        weights would be judged on images that they were trained on.
        """
        self.run.workdir.check_stage("search", stage_values(self.run.config, "search"))
        if self.checkpoints().restore_latest() is None:
            raise InputError(
                f"{self.run.workdir.path} holds no searched weights: expected checkpoints/search, as "
                "`python -m enas_tf.launch.search --workdir=...` leaves it."
            )

    def is_derived(self) -> bool:
        """Whether the workdir's architecture was derived from as many epochs as are done now, by the same flags."""
        path = self.run.workdir.architecture
        return path.exists() and json.loads(path.read_text()).get("derived") == self._derivation()

    def _derivation(self) -> dict[str, int]:
        steps = int(self.evaluator.optimizer.iterations.numpy())
        epochs = steps // self.evaluator.steps_per_epoch
        return {"searched_epochs": epochs} | dataclasses.asdict(self.run.config.derive)

    def derive(self) -> None:
        """Ranks proposals and writes the candidates, the best architecture and its picture."""
        run, config = self.run, self.run.config
        with run.reporter.progress("derive", config.derive.derive_samples) as advance:
            candidates = derive(self.searcher, self.evaluator, self._count, config.derive, config.run.seed, advance)
        self._write(candidates)

    def _write(self, candidates: list[Candidate]) -> None:
        run, best = self.run, candidates[0]
        write_text(run.workdir.candidates, to_csv(candidates))
        figure = draw(best.architecture)
        write_text(run.workdir.picture, to_svg(figure))
        values = np.array([candidate.value for candidate in candidates])
        metrics = {
            "num_candidates": len(candidates),
            f"best_{best.metric}": best.value,
            f"mean_{best.metric}": values.mean(),
            f"worst_{best.metric}": candidates[-1].value,
        }
        run.reporter.truncate({"derive": 0})
        run.reporter.record("derive", 0, metrics, 1)
        run.reporter.image("derive", "architecture", to_pixels(figure), 0)
        run.reporter.text("derive", "candidates", to_markdown(candidates), 0)
        # Written last: its presence says that derive is done.
        derived = {best.metric: best.value, "derived": self._derivation()}
        write_json(run.workdir.architecture, best.architecture.to_json() | derived)


def start_search(run: Run, is_overwriting: bool, is_retraining: bool) -> SearchStage:
    """Builds the search and claims the workdir for it. What retraining would refuse later is refused now."""
    if is_retraining:
        check_retraining(run, run.space.decode([0] * run.space.num_tokens))
    stage = SearchStage.build(run)
    if is_retraining and not is_overwriting:
        run.workdir.check_stage("retrain", stage_values(run.config, "retrain"))
    run.workdir.open_stage("search", stage_values(run.config, "search"), is_overwriting)
    write_text(run.workdir.run_flags, to_flagfile(run.config))
    run.workdir.write_environment(run.config.run.seed, run.task.record(run.data))
    cluster.barrier()
    return stage


def _in_words(seconds: float) -> str:
    """A time as people read it: 12.3 s, 4.5 min, 6.7 h, 8.9 days."""
    for unit, size in (("days", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.1f} s"


def count_bytes(variables: list) -> int:
    """Of the values of variables."""
    return sum(int(np.prod(v.shape)) * tf.as_dtype(v.dtype).size for v in variables)


def count_parameters(layer: keras.layers.Layer) -> int:
    return sum(int(np.prod(variable.shape)) for variable in layer.trainable_variables)
