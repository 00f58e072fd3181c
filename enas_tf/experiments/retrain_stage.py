"""The stages retrain (which tests at its end) and export, from a configuration."""

import dataclasses
import json
import math

import keras
import numpy as np

from enas_tf.errors import InputError
from enas_tf.experiments.config import stage_values, to_flagfile
from enas_tf.experiments.run import Run, size_in_words
from enas_tf.experiments.workdir import Workdir
from enas_tf.models.families import FAMILIES
from enas_tf.ops.costs import Cost
from enas_tf.options import renamed
from enas_tf.pictures import draw, to_svg
from enas_tf.runtime import cluster
from enas_tf.runtime.checkpoints import Checkpoints
from enas_tf.runtime.chief import is_chief
from enas_tf.runtime.files import write_json, write_text
from enas_tf.spaces.decisions import Architecture
from enas_tf.tasks.export import sample_ids, save_keras
from enas_tf.tasks.tasks import check_data


class RetrainStage:
    """A child of a run and what trains, tests and exports it."""

    def __init__(self, run: Run, architecture: Architecture):
        config = run.config
        keras.utils.set_random_seed(config.run.seed)
        self.run, self.architecture = run, architecture
        family = FAMILIES[architecture.space_name]
        self.cost = check_retraining(run, architecture)
        child, shape = run.task.child(config), run.shape
        with run.replicas.strategy.scope():
            self.child = family.build_child(architecture, child, shape, dtype=config.run.precision, for_training=True)
            trainee = family.trainee(self.child, architecture, child, shape)
            self.trainer = run.task.trainer(config, trainee, run.data, run.replicas)

    def open(self, is_overwriting: bool) -> None:
        """Claims the workdir for this child and leaves there what it is. A search there keeps its own files."""
        run = self.run
        values = stage_values(run.config, "retrain") | {"architecture": self.architecture.to_arc()}
        run.workdir.open_stage("retrain", values, is_overwriting)
        flagfile = to_flagfile(run.config)
        run.workdir.child.mkdir(parents=True, exist_ok=True)
        write_text(run.workdir.child_flags, flagfile)
        write_json(run.workdir.child / "architecture.json", self.architecture.to_json())
        if not run.workdir.checkpoints("search").exists():
            write_json(run.workdir.architecture, self.architecture.to_json())
            write_text(run.workdir.picture, to_svg(draw(self.architecture)))
            write_text(run.workdir.run_flags, flagfile)
            run.workdir.write_environment(run.config.run.seed, run.task.record(run.data))

    def checkpoints(self) -> Checkpoints:
        return Checkpoints(self.run.workdir.checkpoints("retrain"), self.trainer.tracked)

    def retrain(self) -> dict:
        """Trains on from the newest checkpoint, tests once, writes child.keras and metrics.json; the metrics."""
        run, config, task = self.run, self.run.config, self.run.task
        if cluster.is_any(run.workdir.child_keras.exists() and run.workdir.child_metrics.exists()):
            run.reporter.say(f"retrain: {run.workdir.child_keras} is there already")
            return json.loads(run.workdir.child_metrics.read_text())
        run.reporter.block(
            "retrain",
            {
                "child": f"{self.cost.parameters:,} parameters, {self.cost.flops:,} FLOPs per {task.unit}",
                "width": size_in_words(self.architecture, task.child(config)),
                "data": task.data_in_words(config, run.data),
                "epochs": f"{config.retrain.retrain_epochs} of {self.trainer.steps_per_epoch} steps",
            },
        )
        self.trainer.run(run.reporter, self.checkpoints())
        child = self._stock_child()
        tested = task.test(child, run.data)
        save_keras(child, run.workdir.child_keras)
        name, text = task.names(run.data)
        write_text(run.workdir.child / name, text)
        metrics = {
            f"test_{task.metric}": tested[task.metric],
            "test_loss": tested["loss"],
            "parameters": self.cost.parameters,
            "flops": self.cost.flops,
            "export_max_difference": None,
            "arc": self.architecture.to_arc(),
            "trained_on": task.data_in_words(config, run.data),
            "epochs": config.retrain.retrain_epochs,
        }
        run.reporter.truncate({"test": 0})
        run.reporter.record("test", 0, tested, 1)
        if not math.isfinite(tested["loss"]):
            run.reporter.say("the training has diverged: the child's loss is not a number. A smaller "
                             "--retrain_learning_rate may help.")  # fmt: skip
        write_json(run.workdir.child_metrics, finite(metrics))
        return metrics

    def _stock_child(self) -> keras.Model:
        """The child as it is kept, with the weights of the one that was trained: of stock layers, all in float32.

        Mixed precision and fused layers are ways to train; not every place that serves a child is fast at the one and
        knows the other.
        """
        run = self.run
        family = FAMILIES[self.architecture.space_name]
        child = family.build_child(self.architecture, run.task.child(run.config), run.shape)
        child.set_weights(self.child.get_weights())
        return child


def check_retraining(run: Run, architecture: Architecture) -> Cost:
    """The cost of the architecture's child; raises `InputError` when the run's data and flags cannot train it."""
    config, child = run.config, run.task.child(run.config)
    try:
        cost = FAMILIES[architecture.space_name].count(architecture, child, run.shape)
        run.task.check_training(config, run.data)
    except InputError as error:
        # Components that a search uses too name its flags; here the ones of retraining are meant.
        names = [*(field.name for field in dataclasses.fields(child)), "batch_size"]
        raise renamed(error, names, "retrain_") from error
    return cost


def finite(metrics: dict) -> dict:
    """The metrics with None for what is no number: JSON has no word for it."""
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in metrics.items()
    }


def load_child(run: Run) -> keras.Model:
    """The retrained child of the workdir; raises `InputError` when there is none, or the data are not its kind."""
    workdir = run.workdir
    # The metrics are written last.
    if not (workdir.child_keras.exists() and workdir.child_metrics.exists()):
        raise InputError(
            f"{workdir.path} holds no retrained child: expected child/child.keras, as "
            "`python -m enas_tf.launch.retrain --workdir=...` leaves it."
        )
    child = keras.models.load_model(workdir.child_keras)
    check_data(run.task, child, run.data, workdir.child)
    return child


def check_is_architecture_of(workdir: Workdir, architecture: Architecture | None) -> None:
    """Raises `InputError` when the retrained child of `workdir` is of another architecture than the one asked for."""
    arc = json.loads(workdir.child_metrics.read_text())["arc"] if workdir.child_metrics.exists() else None
    if architecture is not None and arc is not None and architecture.to_arc() != arc:
        raise InputError(
            f"the child in {workdir.child} is of the architecture '{arc}', not of '{architecture.to_arc()}': retrain "
            "that one in a workdir of its own first, or leave out --architecture."
        )


def export(run: Run) -> float:
    """Writes the SavedModel of the workdir's child; the largest difference between the two models' numbers.

    Of several processes the chief alone does it; the others return 0.
    """
    if not is_chief():
        return 0.0
    child = load_child(run)
    metrics = json.loads(run.workdir.child_metrics.read_text())
    # Noted after the SavedModel stands in its place.
    if metrics["export_max_difference"] is not None and run.workdir.saved_model.exists():
        run.reporter.say(f"export: {run.workdir.saved_model} is there already")
        return metrics["export_max_difference"]
    difference = run.task.export(child, run.workdir.saved_model, run.data)
    write_json(run.workdir.child_metrics, metrics | {"export_max_difference": difference})
    run.reporter.say(
        f"export: {run.workdir.saved_model}, its numbers differ from the Keras model's by up to {difference:.2g}"
    )
    return difference


def write_sample(run: Run, prompt: str, num: int) -> str:
    """`prompt` and `num` tokens that the workdir's language model goes on with; raises `InputError` for others."""
    if run.task.metric != "perplexity":
        raise InputError("--sample is for language models: expected a workdir of --space=recurrent.")
    child, vocabulary = load_child(run), run.data.vocabulary
    begun = vocabulary.encode(prompt)
    if vocabulary.tokens == "word" and not prompt.endswith("\n"):
        begun = begun[:-1]  # A text of words ends its last line; a prompt is gone on with in its line.
    # Characters of a text without lines have no end of line.
    line = vocabulary.unknown if vocabulary.end_of_line is None else vocabulary.end_of_line
    start = np.array([line, *begun], np.int32)
    ids = sample_ids(child, start, num, vocabulary.unknown, run.config.run.seed)
    return vocabulary.decode(np.concatenate([begun, ids]))


def measure_child(run: Run) -> dict[str, float]:
    """The task's metric and the loss of the workdir's child on the test part."""
    return run.task.test(load_child(run), run.data)
