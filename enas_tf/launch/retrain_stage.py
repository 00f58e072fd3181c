"""The stages retrain (which tests at its end) and export, from a configuration."""

import dataclasses
import json
import math

import keras

from enas_tf.data.pipeline import evaluation_batches, steps_per_epoch
from enas_tf.errors import InputError
from enas_tf.export import export_saved_model, save_keras
from enas_tf.launch.config import stage_values, to_flagfile
from enas_tf.launch.run import Run, size_in_words
from enas_tf.launch.workdir import Workdir
from enas_tf.models.costs import Cost
from enas_tf.models.families import FAMILIES
from enas_tf.options import renamed
from enas_tf.pictures import draw, to_svg
from enas_tf.spaces.decisions import Architecture
from enas_tf.training.checkpoints import Checkpoints
from enas_tf.training.files import write_json, write_text
from enas_tf.training.retrain import ChildTrainer, compile_measure, training_split


class RetrainStage:
    """A child of a run and what trains, tests and exports it."""

    def __init__(self, run: Run, architecture: Architecture):
        config = run.config
        keras.utils.set_random_seed(config.run.seed)
        self.run, self.architecture = run, architecture
        family = FAMILIES[architecture.space_name]
        self.cost = check_retraining(run, architecture)
        self.child = family.build_child(architecture, config.child, run.image)
        trainee = family.trainee(self.child, architecture, config.child, run.image)
        self.trainer = ChildTrainer(
            trainee, run.data, config.retrain, config.retrain_sgd, config.augmentation, config.run.seed
        )

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
            run.workdir.write_environment(run.config.run.seed, run.data)

    def checkpoints(self) -> Checkpoints:
        return Checkpoints(self.run.workdir.checkpoints("retrain"), self.trainer.tracked)

    def retrain(self) -> dict:
        """Trains on from the newest checkpoint, tests once, writes child.keras and metrics.json; the metrics."""
        run, config, data = self.run, self.run.config, self.run.data
        if run.workdir.child_keras.exists() and run.workdir.child_metrics.exists():
            run.reporter.say(f"retrain: {run.workdir.child_keras} is there already")
            return json.loads(run.workdir.child_metrics.read_text())
        run.reporter.block(
            "retrain",
            {
                "child": f"{self.cost.parameters:,} parameters, {self.cost.flops:,} FLOPs per image",
                "width": size_in_words(self.architecture.space_name, config.child),
                "data": f"{len(self.trainer.train):,} images of {config.retrain.train_on}",
                "epochs": f"{config.retrain.retrain_epochs} of {self.trainer.steps_per_epoch} steps",
            },
        )
        self.trainer.run(run.reporter, self.checkpoints())
        tested = self.trainer.measure(evaluation_batches(data.test, 256))
        save_keras(self.child, run.workdir.child_keras)
        write_text(run.workdir.labels, "\n".join(data.class_names) + "\n")
        metrics = {
            "test_accuracy": tested["accuracy"],
            "test_loss": tested["loss"],
            "parameters": self.cost.parameters,
            "flops": self.cost.flops,
            "export_max_difference": None,
            "arc": self.architecture.to_arc(),
            "train_on": config.retrain.train_on,
            "epochs": config.retrain.retrain_epochs,
        }
        run.reporter.truncate({"test": 0})
        run.reporter.record("test", 0, tested, 1)
        if not math.isfinite(tested["loss"]):
            run.reporter.say("the training has diverged: the child's loss is not a number. A smaller "
                             "--retrain_learning_rate may help.")  # fmt: skip
        write_json(run.workdir.child_metrics, finite(metrics))
        return metrics


def check_retraining(run: Run, architecture: Architecture) -> Cost:
    """The cost of the architecture's child; raises `InputError` when the run's data and flags cannot train it."""
    config = run.config
    try:
        cost = FAMILIES[architecture.space_name].count(architecture, config.child, run.image)
        steps_per_epoch(training_split(run.data, config.retrain), config.retrain.retrain_batch_size)
    except InputError as error:
        # Components that a search uses too name its flags; here the ones of retraining are meant.
        names = [*(field.name for field in dataclasses.fields(config.child)), "batch_size"]
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
    workdir, data = run.workdir, run.data
    # The metrics are written last.
    if not (workdir.child_keras.exists() and workdir.child_metrics.exists()):
        raise InputError(
            f"{workdir.path} holds no retrained child: expected child/child.keras, as "
            "`python -m enas_tf.launch.retrain --workdir=...` leaves it."
        )
    child = keras.models.load_model(workdir.child_keras)
    if child.input_shape[1:] != data.image_shape or child.output_shape[-1] != data.num_classes:
        raise InputError(
            f"the child in {workdir.child} tells {child.output_shape[-1]} classes apart in images of "
            f"{list(child.input_shape[1:])}, but --dataset={data.name} has {data.num_classes} classes and images of "
            f"{list(data.image_shape)}: leave out the flags of data, to use what the child was trained on."
        )
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
    """Writes the SavedModel of the workdir's child; the largest difference between the two models' logits."""
    child = load_child(run)
    metrics = json.loads(run.workdir.child_metrics.read_text())
    # Noted after the SavedModel stands in its place.
    if metrics["export_max_difference"] is not None and run.workdir.saved_model.exists():
        run.reporter.say(f"export: {run.workdir.saved_model} is there already")
        return metrics["export_max_difference"]
    difference = export_saved_model(child, run.workdir.saved_model, run.data.test.images[:64])
    write_json(run.workdir.child_metrics, metrics | {"export_max_difference": difference})
    run.reporter.say(
        f"export: {run.workdir.saved_model}, logits differ from the Keras model's by up to {difference:.2g}"
    )
    return difference


def measure_child(run: Run) -> dict[str, float]:
    """Accuracy and loss of the workdir's child on the test part."""
    return compile_measure(load_child(run))(evaluation_batches(run.data.test, 256))
