"""What a run is for: telling images apart, or predicting the next token of a text.

A task builds all that depends on it; the stages know tasks only.
"""

import abc
import dataclasses
import json
from pathlib import Path
from typing import Any

import keras
import numpy as np

from enas_tf.data.images import ImageData
from enas_tf.data.pipeline import evaluation_batches, steps_per_epoch
from enas_tf.data.sources import load_images
from enas_tf.data.text import TextData
from enas_tf.data.text_batches import in_rows
from enas_tf.data.text_sources import load_text
from enas_tf.errors import InputError
from enas_tf.experiments.config import Config
from enas_tf.models.images import ImageConfig
from enas_tf.models.language import TextShape
from enas_tf.runtime.replicas import Replicas
from enas_tf.search.evaluators.language import LanguageEvaluator
from enas_tf.search.evaluators.shared import Evaluator, SharedWeightsEvaluator
from enas_tf.tasks.export import export_classifier, export_language_model
from enas_tf.tasks.language import measure_text
from enas_tf.training.retrain import ChildTrainer, compile_measure, training_split
from enas_tf.training.retrain_language import LanguageTrainer


class Task(abc.ABC):
    """Everything of a run that its kind of data decides.

    Attributes:
      metric: what a child is tested by, as in test_accuracy.
      unit: what costs and counts are per.
    """

    metric: str
    unit: str

    @abc.abstractmethod
    def load(self, config: Config) -> Any:
        """The data, in memory."""

    @abc.abstractmethod
    def shape(self, data) -> Any:
        """What networks are told of the data."""

    @abc.abstractmethod
    def network(self, config: Config) -> Any:
        """The configuration of the searched network."""

    @abc.abstractmethod
    def child(self, config: Config) -> Any:
        """The configuration of a retrained child."""

    @abc.abstractmethod
    def searched_child(self, config: Config) -> Any:
        """The configuration of a child of the searched network's size."""

    @abc.abstractmethod
    def evaluator(self, config: Config, supernet: keras.layers.Layer, data, replicas: Replicas) -> Evaluator:
        """What trains and uses shared weights."""

    @abc.abstractmethod
    def check_training(self, config: Config, data) -> None:
        """Raises `InputError` when the data are too small to train a child on."""

    @abc.abstractmethod
    def trainer(self, config: Config, trainee, data, replicas: Replicas) -> Any:
        """What trains a child: `run`, `tracked`, `steps_per_epoch`."""

    @abc.abstractmethod
    def test(self, child: keras.Model, data) -> dict[str, float]:
        """The metric and the loss of a child on the test part."""

    @abc.abstractmethod
    def check_child(self, child: keras.Model, data, place: Path) -> str | None:
        """What is wrong when `child`, which lies in the directory `place`, was not made for such data."""

    @abc.abstractmethod
    def names(self, data) -> tuple[str, str]:
        """File name and text of what the numbers of a child mean: its classes, its vocabulary."""

    @abc.abstractmethod
    def export(self, child: keras.Model, directory, data) -> float:
        """Writes the SavedModel; the largest difference from the child's logits."""

    @abc.abstractmethod
    def summary(self, config: Config, data) -> dict[str, str]:
        """Rows about data and batches for the first block of a search."""

    @abc.abstractmethod
    def data_in_words(self, config: Config, data) -> str:
        """What a child is trained on."""

    @abc.abstractmethod
    def record(self, data) -> dict[str, Any]:
        """What environment.json says of the data."""


class Classification(Task):
    """Images to classes."""

    metric, unit = "accuracy", "image"

    def load(self, config):
        return load_images(config.data)

    def shape(self, data: ImageData) -> ImageConfig:
        height, width, channels = data.image_shape
        mean, variance = tuple(data.channel_mean.tolist()), tuple(data.channel_variance.tolist())
        return ImageConfig(height, width, channels, data.num_classes, mean, variance)

    def network(self, config):
        return config.network

    def child(self, config):
        return config.child

    def searched_child(self, config):
        return config.network.as_child()

    def evaluator(self, config, supernet, data, replicas):
        # Cutout is a regulariser of the final training only.
        augmentation = dataclasses.replace(config.augmentation, cutout_size=0)
        seed = config.run.seed
        return SharedWeightsEvaluator(supernet, data, config.shared, config.sgd, augmentation, seed, replicas)

    def check_training(self, config, data):
        steps_per_epoch(training_split(data, config.retrain), config.retrain.retrain_batch_size)

    def trainer(self, config, trainee, data, replicas):
        seed = config.run.seed
        return ChildTrainer(trainee, data, config.retrain, config.retrain_sgd, config.augmentation, seed, replicas)

    def test(self, child, data):
        return compile_measure(child)(evaluation_batches(data.test, 256))

    def check_child(self, child, data, place):
        if child.input_shape[1:] == data.image_shape and child.output_shape[-1] == data.num_classes:
            return None
        return (
            f"tells {child.output_shape[-1]} classes apart in images of {list(child.input_shape[1:])}, but "
            f"--dataset={data.name} has {data.num_classes} classes and images of {list(data.image_shape)}"
        )

    def names(self, data):
        return "labels.txt", "\n".join(data.class_names) + "\n"

    def export(self, child, directory, data):
        return export_classifier(child, directory, data.test.images[:64])

    def summary(self, config, data):
        height, width, channels = data.image_shape
        parts = f"{len(data.train):,} train, {len(data.valid):,} valid, {len(data.test):,} test"
        return {
            "data": f"{data.name}: {parts}; {height}x{width}x{channels}, {data.num_classes} classes",
            "batch": f"{config.shared.batch_size} images, {config.shared.children_per_step} children per step",
        }

    def data_in_words(self, config, data):
        return f"{len(training_split(data, config.retrain)):,} images of {config.retrain.train_on}"

    def record(self, data):
        return {
            "name": data.name,
            "image_shape": list(data.image_shape),
            "class_names": list(data.class_names),
            "images": {"train": len(data.train), "valid": len(data.valid), "test": len(data.test)},
        }


class LanguageModelling(Task):
    """Text to the next token."""

    metric, unit = "perplexity", "token"

    def load(self, config):
        return load_text(config.data.dataset, config.data.data_dir, config.text, config.data.limit_train)

    def shape(self, data: TextData) -> TextShape:
        return TextShape(data.vocab_size)

    def network(self, config):
        return config.language

    def child(self, config):
        return config.retrain_language

    def searched_child(self, config):
        return config.language

    def evaluator(self, config, supernet, data, replicas):
        return LanguageEvaluator(
            supernet,
            data,
            config.shared.batch_size,
            config.sgd,
            config.window,
            config.reward,
            config.run.seed,
            replicas,
        )

    def check_training(self, config, data):
        in_rows(data.train, config.retrain.retrain_batch_size)
        in_rows(data.valid, 1, "validation")
        in_rows(data.test, 1, "test")

    def trainer(self, config, trainee, data, replicas):
        retrain = config.retrain
        return LanguageTrainer(
            trainee,
            data,
            retrain.retrain_epochs,
            retrain.retrain_batch_size,
            config.retrain_sgd,
            config.retrain_window,
            config.averaging,
            config.run.seed,
            replicas,
        )

    def test(self, child, data):
        return measure_text(child, data.test, "test")

    def check_child(self, child, data, place):
        name, text = self.names(data)
        # Of equal size they may be different all the same: large texts have as many entries as --vocab_size allows.
        if (place / name).read_bytes() == text.encode():
            return None
        return (
            f"has a vocabulary of {child.output_shape[0][-1]:,} entries ({name} there), but the text of "
            f"--dataset={data.name} makes another one, of {data.vocab_size:,}"
        )

    def names(self, data):
        return "vocabulary.json", json.dumps(dataclasses.asdict(data.vocabulary), ensure_ascii=False) + "\n"

    def export(self, child, directory, data):
        return export_language_model(child, directory, np.array(data.test[: 4 * 16]).reshape(4, -1))

    def summary(self, config, data):
        parts = ", ".join(f"{len(ids):,} {part}" for part, ids in data.parts().items())
        return {
            "data": f"{data.name}: tokens: {parts}; vocabulary of {data.vocab_size:,} {data.vocabulary.tokens}s",
            "batch": f"{config.shared.batch_size} rows, windows of about {config.window.bptt} tokens",
        }

    def data_in_words(self, config, data):
        return f"{len(data.train):,} tokens"

    def record(self, data):
        return {
            "name": data.name,
            "tokens": data.vocabulary.tokens,
            "vocab_size": data.vocab_size,
            "num_tokens": data.num_tokens,
        }


#: Space -> what its networks are for.
TASKS: dict[str, Task] = {
    "macro": Classification(),
    "micro": Classification(),
    "recurrent": LanguageModelling(),
}


def check_data(task: Task, child: keras.Model, data, place: Path) -> None:
    """Raises `InputError` when the child that lies in `place` was made for other data."""
    problem = task.check_child(child, data, place)
    if problem:
        raise InputError(
            f"the child in {place} {problem}: leave out the flags of data, to use what the child was trained on."
        )
