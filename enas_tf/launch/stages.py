"""The stages of a run, from a configuration: search, derive, retrain, test, export.

Everything that can be wrong with the input is found while objects are built, before a stage touches the disk.
"""

import dataclasses
import functools
import json
from pathlib import Path

import keras
import numpy as np

from enas_tf.data.images import ImageData
from enas_tf.data.pipeline import evaluation_batches
from enas_tf.data.sources import load_images
from enas_tf.errors import InputError
from enas_tf.export import export_saved_model, save_keras
from enas_tf.launch.config import RETRAIN_GROUPS, SEARCH_GROUPS, Config, stage_values, to_flagfile
from enas_tf.launch.workdir import Workdir
from enas_tf.models.families import FAMILIES, Family
from enas_tf.models.images import ChildConfig, ImageConfig
from enas_tf.pictures import draw, to_pixels, to_svg
from enas_tf.search.derive import Candidate, derive, to_csv, to_markdown
from enas_tf.search.evaluators import SharedWeightsEvaluator
from enas_tf.search.loop import search
from enas_tf.search.searchers import Searcher, build_searcher
from enas_tf.spaces.architectures import from_json
from enas_tf.spaces.decisions import Architecture, Space
from enas_tf.training.checkpoints import Checkpoints
from enas_tf.training.devices import configure_runtime, device_names
from enas_tf.training.files import write_json, write_text
from enas_tf.training.reporting import Reporter
from enas_tf.training.retrain import ChildTrainer, compile_measure


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
        evaluator = SharedWeightsEvaluator(
            supernet, run.data, config.shared, config.sgd, augmentation, config.run.seed
        )
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
        """Takes searcher and shared weights from the workdir; raises `InputError` when no search was saved there."""
        if self.checkpoints().restore_latest() is None:
            raise InputError(
                f"{self.run.workdir.path} holds no searched weights: expected checkpoints/search, as "
                "`python -m enas_tf.launch.search --workdir=...` leaves it."
            )

    def derive(self) -> Architecture:
        """Ranks proposals, writes the candidates, the best architecture and its picture, and returns it."""
        run, config = self.run, self.run.config
        child = ChildConfig(channels=config.network.channels)
        count = functools.partial(run.family.count, config=child, image=run.image)
        with run.reporter.progress("derive", config.derive.derive_samples) as advance:
            candidates = derive(self.searcher, self.evaluator, count, config.derive, config.run.seed, advance)
        self._write(candidates)
        return candidates[0].architecture

    def _write(self, candidates: list[Candidate]) -> None:
        run, best = self.run, candidates[0]
        write_text(run.workdir.candidates, to_csv(candidates))
        figure = draw(best.architecture)
        write_text(run.workdir.picture, to_svg(figure))
        # Written last: its presence says that derive is done.
        write_json(run.workdir.architecture, best.architecture.to_json() | {"valid_accuracy": best.accuracy})
        run.reporter.image("search", "architecture", to_pixels(figure), 0)
        run.reporter.text("search", "candidates", to_markdown(candidates), 0)
        accuracies = np.array([candidate.accuracy for candidate in candidates])
        run.reporter.say(
            f"derive: best of {len(candidates)} different proposals has validation accuracy {best.accuracy:.4f} by "
            f"shared weights (mean {accuracies.mean():.4f}, worst {accuracies.min():.4f})"
        )


def start_search(run: Run, is_overwriting: bool) -> SearchStage:
    """Builds the search and claims the workdir for it."""
    stage = SearchStage.build(run)
    run.workdir.open_stage("search", stage_values(run.config, SEARCH_GROUPS), is_overwriting)
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
    return from_json(json.loads(workdir.architecture.read_text()))


class RetrainStage:
    """A child of a run and what trains, tests and exports it."""

    def __init__(self, run: Run, architecture: Architecture):
        config = run.config
        keras.utils.set_random_seed(config.run.seed)
        self.run, self.architecture = run, architecture
        family = FAMILIES[architecture.space_name]
        self.cost = family.count(architecture, config.child, run.image)
        self.child = family.build_child(architecture, config.child, run.image)
        self.trainer = ChildTrainer(
            self.child, run.data, config.retrain, config.retrain_sgd, config.augmentation, config.run.seed
        )

    def open(self, is_overwriting: bool) -> None:
        """Claims the workdir for this child and leaves there what it is."""
        run = self.run
        values = stage_values(run.config, RETRAIN_GROUPS) | {"architecture": self.architecture.to_arc()}
        run.workdir.open_stage("retrain", values, is_overwriting)
        if not run.workdir.architecture.exists():
            write_json(run.workdir.architecture, self.architecture.to_json())
            write_text(run.workdir.picture, to_svg(draw(self.architecture)))
            write_text(run.workdir.run_flags, to_flagfile(run.config))
        run.workdir.write_environment(run.config.run.seed, run.data)

    def checkpoints(self) -> Checkpoints:
        return Checkpoints(self.run.workdir.checkpoints("retrain"), self.trainer.tracked)

    def retrain(self) -> dict:
        """Trains on from the newest checkpoint, tests once, writes child.keras and metrics.json; the metrics."""
        run, config, data = self.run, self.run.config, self.run.data
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
        run.workdir.child.mkdir(parents=True, exist_ok=True)
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
        write_json(run.workdir.child_metrics, metrics)
        run.reporter.say(f"test: accuracy {tested['accuracy']:.4f}, loss {tested['loss']:.4f}")
        return metrics


def load_child(workdir: Workdir) -> keras.Model:
    """The retrained child of a workdir; raises `InputError` when there is none."""
    if not workdir.child_keras.exists():
        raise InputError(
            f"{workdir.path} holds no retrained child: expected child/child.keras, as "
            "`python -m enas_tf.launch.retrain --workdir=...` leaves it."
        )
    return keras.models.load_model(workdir.child_keras)


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
    child = load_child(run.workdir)
    difference = export_saved_model(child, run.workdir.saved_model, run.data.test.images[:64])
    metrics = json.loads(run.workdir.child_metrics.read_text())
    write_json(run.workdir.child_metrics, metrics | {"export_max_difference": difference})
    run.reporter.say(f"export: {run.workdir.saved_model}, logits differ from the Keras model's by at most {difference:.2g}")
    return difference


def measure_child(run: Run) -> dict[str, float]:
    """Accuracy and loss of the workdir's child on the test part."""
    return compile_measure(load_child(run.workdir))(evaluation_batches(run.data.test, 256))


def count_parameters(layer: keras.layers.Layer) -> int:
    return sum(int(np.prod(variable.shape)) for variable in layer.trainable_variables)


def format_size(size: int) -> str:
    """A whole number as people read it: 4,096 or 1.61e+29."""
    digits = str(size)
    return f"{size:,}" if len(digits) <= 9 else f"{digits[0]}.{digits[1:3]}e+{len(digits) - 1}"


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
