"""The stages of a run, from a configuration: search, derive, retrain, test, export.

Everything that can be wrong with the input is found while objects are built, before a stage touches the disk.
"""

import dataclasses
import decimal
import functools
import json
import math
from pathlib import Path

import keras
import numpy as np

from enas_tf.data.images import ImageData
from enas_tf.data.pipeline import evaluation_batches, steps_per_epoch
from enas_tf.data.sources import load_images
from enas_tf.errors import InputError
from enas_tf.export import export_saved_model, save_keras
from enas_tf.launch.config import Config, stage_values, to_flagfile
from enas_tf.launch.workdir import Workdir
from enas_tf.models.costs import Cost
from enas_tf.models.families import FAMILIES, Family
from enas_tf.models.images import ChildConfig, ImageConfig
from enas_tf.options import renamed
from enas_tf.pictures import draw, to_pixels, to_svg
from enas_tf.search.derive import Candidate, derive, to_csv, to_markdown
from enas_tf.search.evaluators import SharedWeightsEvaluator
from enas_tf.search.loop import search
from enas_tf.search.searchers import Searcher, build_searcher
from enas_tf.spaces.architectures import read_architecture
from enas_tf.spaces.decisions import Architecture, Space
from enas_tf.training.checkpoints import Checkpoints
from enas_tf.training.devices import configure_runtime, device_names
from enas_tf.training.files import write_json, write_text
from enas_tf.training.reporting import Reporter
from enas_tf.training.retrain import ChildTrainer, compile_measure, training_split


class Run:
    """A configuration, a directory, and what both need: built when first asked for."""

    def __init__(self, config: Config, workdir: Path):
        self.config, self.workdir = config, Workdir(workdir)
        configure_runtime(config.run.seed, config.run.deterministic)

    @functools.cached_property
    def data(self) -> ImageData:
        return load_images(self.config.data)

    @property
    def image(self) -> ImageConfig:
        return image_config(self.data)

    @property
    def space(self) -> Space:
        return self.config.macro

    @property
    def family(self) -> Family:
        return FAMILIES[self.config.run.space]

    @functools.cached_property
    def reporter(self) -> Reporter:
        return Reporter(self.workdir.path)

    def close(self) -> None:
        if "reporter" in self.__dict__:
            self.reporter.close()


def image_config(data: ImageData) -> ImageConfig:
    height, width, channels = data.image_shape
    mean, variance = tuple(data.channel_mean.tolist()), tuple(data.channel_variance.tolist())
    return ImageConfig(height, width, channels, data.num_classes, mean, variance)


@dataclasses.dataclass
class SearchStage:
    """Searcher, supernet and evaluator of a run."""

    run: Run
    searcher: Searcher
    evaluator: SharedWeightsEvaluator

    @classmethod
    def build(cls, run: Run) -> "SearchStage":
        config = run.config
        keras.utils.set_random_seed(config.run.seed)
        searcher = build_searcher(config.run.searcher, run.space, config.controller, config.reinforce)
        supernet = run.family.supernet(run.space, config.network, run.image)
        # Cutout is a regulariser of the final training only.
        augmentation = dataclasses.replace(config.augmentation, cutout_size=0)
        evaluator = SharedWeightsEvaluator(supernet, run.data, config.shared, config.sgd, augmentation, config.run.seed)
        return cls(run, searcher, evaluator)

    def checkpoints(self) -> Checkpoints:
        tracked = {**self.searcher.tracked, **self.evaluator.tracked}
        return Checkpoints(self.run.workdir.checkpoints("search"), tracked)

    def search(self) -> None:
        """Searches on from the newest checkpoint."""
        run, config = self.run, self.run.config
        run.reporter.block("search", self._summary())
        search(self.searcher, self.evaluator, config.search, config.run.seed, run.reporter, self.checkpoints())

    def _summary(self) -> dict[str, str]:
        config, data, supernet = self.run.config, self.run.data, self.evaluator.supernet
        controller = self.searcher.tracked.get("controller")
        height, width, channels = data.image_shape
        parts = f"{len(data.train):,} train, {len(data.valid):,} valid, {len(data.test):,} test"
        return {
            "devices": device_names(),
            "data": f"{data.name}: {parts}; {height}x{width}x{channels}, {data.num_classes} classes",
            "batch": f"{config.shared.batch_size} images, {config.shared.children_per_step} children per step",
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
        child = ChildConfig(channels=config.network.channels)
        count = functools.partial(run.family.count, config=child, image=run.image)
        with run.reporter.progress("derive", config.derive.derive_samples) as advance:
            candidates = derive(self.searcher, self.evaluator, count, config.derive, config.run.seed, advance)
        self._write(candidates)

    def _write(self, candidates: list[Candidate]) -> None:
        run, best = self.run, candidates[0]
        write_text(run.workdir.candidates, to_csv(candidates))
        figure = draw(best.architecture)
        write_text(run.workdir.picture, to_svg(figure))
        accuracies = np.array([candidate.accuracy for candidate in candidates])
        metrics = {
            "candidates": len(candidates),
            "best_valid_accuracy": best.accuracy,
            "mean_valid_accuracy": accuracies.mean(),
            "worst_valid_accuracy": accuracies.min(),
        }
        run.reporter.truncate({"derive": 0})
        run.reporter.record("derive", 0, metrics, 1)
        run.reporter.image("derive", "architecture", to_pixels(figure), 0)
        run.reporter.text("derive", "candidates", to_markdown(candidates), 0)
        # Written last: its presence says that derive is done.
        derived = {"valid_accuracy": best.accuracy, "derived": self._derivation()}
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
    run.workdir.write_environment(run.config.run.seed, run.data)
    return stage


def derived_architecture(workdir: Workdir) -> Architecture:
    """The architecture that a workdir holds; raises `InputError` when there is none."""
    if not workdir.architecture.exists():
        raise InputError(
            f"{workdir.path} holds no architecture.json: name an architecture with --architecture=, or search for one "
            "there with `python -m enas_tf.launch.search`."
        )
    return read_architecture(str(workdir.architecture))


class RetrainStage:
    """A child of a run and what trains, tests and exports it."""

    def __init__(self, run: Run, architecture: Architecture):
        config = run.config
        keras.utils.set_random_seed(config.run.seed)
        self.run, self.architecture = run, architecture
        family = FAMILIES[architecture.space_name]
        self.cost = check_retraining(run, architecture)
        self.child = family.build_child(architecture, config.child, run.image)
        self.trainer = ChildTrainer(
            self.child, run.data, config.retrain, config.retrain_sgd, config.augmentation, config.run.seed
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
                "width": f"{config.child.channels} channels, times {config.child.channel_growth} at each reduction",
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
        raise renamed(error, ("channels", "batch_size"), "retrain_") from error
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


def count_parameters(layer: keras.layers.Layer) -> int:
    return sum(int(np.prod(variable.shape)) for variable in layer.trainable_variables)


def format_size(size: int) -> str:
    """A whole number as people read it: 4,096 or 1.61e+29."""
    return f"{size:,}" if size < 10**9 else f"{decimal.Decimal(size):.2e}"


def closing_block(run: Run) -> None:
    """Where everything is."""
    workdir = run.workdir
    rows = {
        "architecture": workdir.architecture,
        "picture": workdir.picture,
        "candidates": workdir.candidates,
        "Keras model": workdir.child_keras,
        "SavedModel": workdir.saved_model,
        "metrics": workdir.child_metrics,
    }
    rows = {name: str(path) for name, path in rows.items() if path.exists()}
    run.reporter.block("done", rows | {"TensorBoard": f"tensorboard --logdir={workdir.path / 'tensorboard'}"})
