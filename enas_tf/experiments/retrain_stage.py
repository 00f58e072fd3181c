"""The stage retrain: a child is trained from scratch and tested once, at the end."""

import math

import keras

from enas_tf.errors import InputError, count_of, ref
from enas_tf.experiments.config import to_flagfile
from enas_tf.experiments.data_record import check_data, record_data
from enas_tf.experiments.inheritance import check_inheritance, check_searched, inherit
from enas_tf.experiments.memory import enough_memory
from enas_tf.experiments.objectives import measure_latency
from enas_tf.experiments.run import Run
from enas_tf.experiments.schedule import unended_schedule
from enas_tf.experiments.workdir import Workdir
from enas_tf.ops.costs import Cost
from enas_tf.pictures.drawing import draw, to_svg
from enas_tf.runtime import cluster
from enas_tf.runtime.checkpoints import Checkpoints
from enas_tf.runtime.files import replacement, write_json, write_text
from enas_tf.search.objective import COSTS, OBJECTIVE
from enas_tf.spaces.space import Buildable
from enas_tf.tasks.export import save_keras
from enas_tf.training.best import BestEpoch
from enas_tf.training.child import INHERIT, RETRAIN, ChildTrainer
from enas_tf.training.optimizers import RETRAIN_SGD


class RetrainStage:
    """A child of a run and what trains it."""

    def __init__(self, run: Run, architecture: Buildable):
        keras.utils.set_random_seed(run.seed)
        self.run, self.architecture = run, architecture
        self.cost = check_retraining(run, architecture)
        if run.config[INHERIT].inherit:
            check_searched(run)
        with enough_memory(f"the child: {self._size()}", "retrain", run.config), run.replicas.strategy.scope():
            self.child = self._build_child(dtype=run.config.run.precision, for_training=True)
            self.trainer = self._build_trainer()

    def _build_child(self, **options) -> keras.Model:
        networks = self.run.networks
        return networks.build_child(self.architecture, self.run.config[networks.child], self.run.shape, **options)

    def _build_trainer(self) -> ChildTrainer:
        run, networks, task, config = self.run, self.run.networks, self.run.task, self.run.config
        retrain = config[RETRAIN]
        trainee = networks.build_trainee(self.child, self.architecture, config[networks.child], run.shape)
        return ChildTrainer(
            task.child_problem(config, trainee, run.data, retrain.batch_size),
            task.validate(config, self.child, run.data, retrain.batch_size),
            retrain,
            config[RETRAIN_SGD],
            run.replicas,
            run.seed,
            averaging_patience=task.averaging_patience(config),
            best=self._build_best(),
        )

    def _build_best(self) -> BestEpoch | None:
        """Return what remembers the best epoch; None where no option asks for it."""
        run, task, retrain = self.run, self.run.task, self.run.config[RETRAIN]
        if not (retrain.keep_best or retrain.stop_patience):
            return None
        metric = f"valid_{task.judged_metric(run.config)}"
        return BestEpoch(self.child.weights, metric, task.is_higher_better, retrain.keep_best, retrain.stop_patience)

    def open(self, is_overwriting: bool) -> None:
        """Claim the workdir for this child and write down what it is. A search there keeps its own files."""
        run = self.run
        values = run.stage_values("retrain") | {"architecture": self.architecture.to_arc()}
        # A child of a search is trained on the data that the search has seen.
        for stage in ("search",) if is_overwriting else ("search", "retrain"):
            check_data(run, stage)
        run.open_stage("retrain", values, is_overwriting)
        record_data(run, "retrain")
        flagfile = to_flagfile(run.recorded_config)
        run.workdir.child.mkdir(parents=True, exist_ok=True)
        write_text(run.workdir.child_flags, flagfile)
        write_json(run.workdir.child / "architecture.json", self.architecture.to_json())
        if not run.workdir.checkpoints("search").exists():
            write_json(run.workdir.architecture, self.architecture.to_json())
            write_text(run.workdir.picture, to_svg(draw(self.architecture)))
            write_text(run.workdir.run_flags, flagfile)
            run.workdir.write_environment(run.seed, run.task.record(run.data))

    def checkpoints(self) -> Checkpoints:
        """Return the checkpoints of the retraining in the workdir."""
        return Checkpoints(self.run.workdir.checkpoints("retrain"), self.trainer.tracked)

    def retrain(self) -> dict:
        """Train from the newest checkpoint on, test once, write child.keras and metrics.json; return the metrics."""
        run, task, workdir = self.run, self.run.task, self.run.workdir
        if cluster.is_any(workdir.child_keras.exists() and workdir.child_metrics.exists()):
            run.reporter.say(f"retrain: finished, {workdir.child_keras} is there already")
            return workdir.child_record
        run.reporter.block("retrain", self._summary())
        checkpoints = self.checkpoints()
        run.say_position("retrain", checkpoints, run.config[RETRAIN].epochs)
        if run.config[INHERIT].inherit and checkpoints.latest_position() is None:
            inherit(run, self.child, self.architecture)
        with enough_memory(f"a step of the child: {self._size()}", "retrain", run.config):
            num_epochs = self.trainer.run(run.reporter, checkpoints)
        child = task.keep(self._build_stock_child(), run.data)
        tested, record, files = task.test_in_detail(child, run.data)
        with replacement(workdir.child_keras) as aside:
            save_keras(child, aside)
        for name, text in (files | dict([task.names(run.data)])).items():
            write_text(workdir.child / name, text)
        run.reporter.record_result("test", tested, num_epochs, self.cost.sizes)
        run.reporter.options(run.config.option_values())
        if not math.isfinite(tested["loss"]):
            run.reporter.say(
                "the training has diverged: the child's loss is not a number. A smaller "
                f"{ref('retrain_learning_rate')} may help."
            )
        metrics = finite(self._metrics(tested, child, num_epochs)) | record
        write_json(workdir.child_metrics, metrics)
        return metrics

    def _size(self) -> str:
        width = self.run.networks.size_in_words(self.architecture, self.run.config[self.run.networks.child])
        return f"{self.cost.parameters:,} parameters, {width}, {self.run.config[RETRAIN].batch_size} a batch"

    def _summary(self) -> dict[str, str]:
        run, networks = self.run, self.run.networks
        return {
            "child": f"{self.cost.parameters:,} parameters, {self.cost.flops:,} FLOPs per {run.task.unit}",
            "width": networks.size_in_words(self.architecture, run.config[networks.child]),
            **({} if self._follows_search else run.task.summary(run.config, run.data)),
            "trained on": run.task.data_in_words(run.config, run.data),
            **run.lowered("retrain"),
            "epochs": f"{run.config[RETRAIN].epochs} of {count_of(self.trainer.steps_per_epoch, 'step')}",
            **self._beyond_limits(),
            **unended_schedule(run.config, "retrain"),
        }

    def _beyond_limits(self) -> dict[str, str]:
        """Return the row about a child that exceeds a limit: it was named by hand, or has another size."""
        limits = self.run.config[OBJECTIVE].limits
        words = [f"{COSTS[n].format(c)}, more than {ref(f'max_{n}')}" for n, c in self.cost.sizes.items()
                 if c > limits.get(n, math.inf)]  # fmt: skip
        return {"beyond": "; ".join(words)} if words else {}

    @property
    def _follows_search(self) -> bool:
        """Whether a search in the workdir has reported the data."""
        return self.run.workdir.checkpoints("search").exists() or self.run.workdir.trials.exists()

    def _metrics(self, tested: dict[str, float], child: keras.Model, num_epochs: int) -> dict:
        run, metric = self.run, self.run.task.metric
        return {
            f"test_{metric}": tested[metric],
            **{f"test_{name}": value for name, value in tested.items() if name != metric},
            **self.trainer.valid,
            "parameters": self.cost.parameters,
            "flops": self.cost.flops,
            "export_max_difference": None,
            "arc": self.architecture.to_arc(),
            "trained_on": run.task.data_in_words(run.config, run.data),
            "epochs": num_epochs,
            "input": run.task.describe_input(child),
            **({"latency_ms": measure_latency(child)} if run.config[OBJECTIVE].needs_latency else {}),
        }

    def _build_stock_child(self) -> keras.Model:
        """Return the child as it is kept, with the trained weights: of stock layers, all in float32.

        Mixed precision and fused layers are ways to train. Not every place that serves a child is fast at the one and
        knows the other.
        """
        child = self._build_child()
        child.set_weights(self.child.get_weights())
        return child


def _check_best(run: Run) -> None:
    """Raise `InputError` where epochs are to be compared by images that the child is trained on."""
    retrain = run.config[RETRAIN]
    if (retrain.keep_best or retrain.stop_patience) and not run.task.holds_out(run.config):
        name = "retrain_keep_best" if retrain.keep_best else "retrain_stop_patience"
        raise InputError(
            f"{ref(name)} compares epochs by the validation part, and {ref('train_on')}=train+valid trains on it: "
            "leave it out, or train on the training part alone."
        )


def check_retraining(run: Run, architecture: Buildable) -> Cost:
    """Return the cost of the architecture's child.

    Raises:
      InputError: it cannot be trained with the options and the data of the run.
    """
    run.check_limits("retrain")
    config, networks = run.config, run.networks
    try:
        cost = networks.count(architecture, config[networks.child], run.shape)
        run.task.check_training(config, run.data, config[RETRAIN].batch_size)
    except InputError as error:
        # Components that a search uses too name its options; here the ones of retraining are meant.
        raise RETRAIN.name_options(networks.child.name_options(error)) from error
    _check_best(run)
    if config[INHERIT].inherit:
        check_inheritance(run, architecture)
    return cost


def finite(metrics: dict) -> dict:
    """Return the metrics with None for what is no number: JSON has no word for it."""
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in metrics.items()
    }


def check_is_architecture_of(workdir: Workdir, architecture: Buildable | None) -> None:
    """Raise `InputError` when the retrained child of `workdir` is of another architecture than the one asked for."""
    arc = workdir.child_record.get("arc")
    if architecture is not None and arc is not None and architecture.to_arc() != arc:
        raise InputError(
            f"the child in {workdir.child} is of the architecture '{arc}', not of '{architecture.to_arc()}': retrain "
            f"that one in a workdir of its own first, or leave out {ref('architecture')}."
        )
