"""The task of classifying images."""

import csv
import dataclasses
import io
import math
from collections.abc import Sequence

import numpy as np

from enas_tf.data.augmentation import AUGMENTATION
from enas_tf.data.fingerprint import fingerprint
from enas_tf.data.images import ImageData, Split
from enas_tf.data.pipeline import evaluation_batches, steps_per_epoch
from enas_tf.data.report import describe
from enas_tf.data.sources import DATA, load_images
from enas_tf.data.values import ValueRange
from enas_tf.errors import InputError, count_of, ref
from enas_tf.models.images import ImageConfig
from enas_tf.options import Config
from enas_tf.tasks.classification_config import CLASSES, IMAGE_DEVICE, IMAGE_RETRAIN, IMAGE_SEARCH, ImageRetrainConfig
from enas_tf.tasks.classification_problems import (
    AccuracyJudge,
    ImageChildProblem,
    ImageSupernetProblem,
    compile_measure,
)
from enas_tf.tasks.export import export_classifier, signature_of_classifier
from enas_tf.tasks.image_values import inputs_for, take_values, values_of
from enas_tf.tasks.losses import accuracy_by_class, balance, balanced_accuracy
from enas_tf.tasks.task import TASKS, Limit, Task, Tested

#: Images of a test batch, and images whose logits are compared when a child is exported.
_TEST_BATCH, _NUM_COMPARED = 256, 64
#: Training images that show which ranges 8 bits have to span; LiteRT's guide advises some hundred.
_NUM_CALIBRATING = 256


class Classification(Task):
    """The classification of images."""

    name, metric, unit = "classification", "accuracy", "image"

    def load(self, config):
        return load_images(config[DATA])

    @property
    def data_groups(self):
        return (DATA,)

    def fingerprint(self, data):
        return fingerprint(data)

    def shape(self, data: ImageData) -> ImageConfig:
        height, width, channels = data.image_shape
        mean, variance = tuple(data.channel_mean.tolist()), tuple(data.channel_variance.tolist())
        return ImageConfig(height, width, channels, data.num_classes, mean, variance)

    def assumed_shape(self, config, recorded):
        """Return the shape and the number of classes that are recorded, else those of CIFAR."""
        height, width, channels = recorded.get("image_shape", (32, 32, 3))
        num_classes = recorded.get("num_classes") or len(recorded.get("class_names", range(10)))
        mean, variance = recorded.get("channel_mean", ()), recorded.get("channel_variance", ())
        if not len(mean) == len(variance) == channels:
            mean, variance = (0.0,) * channels, (1.0,) * channels
        image = ImageConfig(height, width, channels, num_classes, tuple(mean), tuple(variance))
        return image, f"{height}x{width}x{channels} images of {count_of(num_classes, 'class')}"

    def keep_as_recorded(self, child, recorded):
        return take_values(child, ValueRange(**recorded.get("values", {})))

    def replica_options(self, config):
        device = config[IMAGE_DEVICE]
        return {"is_synchronized": device.sync_batch_norm, "jit_compile": device.jit_compile}

    def limits(self, config, data):
        """Return the limits of batches: the parts that they are taken from have to fill one."""
        train, valid = len(data.train), len(data.valid)
        sources = [f"a larger {ref('valid_fraction')} for the validation part"]
        if train == config[DATA].limit_train:
            sources.append(f"a larger {ref('limit_train')} for the training part")
        more = f"more images ({', '.join(sources)})"
        of_train = f"the training part has {count_of(train, 'image')}"
        limits = [
            Limit(
                "batch_size",
                min(train, valid),
                f"{of_train} and the validation part {valid:,}",
                more,
                "children_per_step",
            )
        ]
        if _is_valid_held_out(config):
            return [*limits, Limit("retrain_batch_size", train, of_train, more)]
        both = f"the training and the validation part have {train + valid:,} images"
        return [*limits, Limit("retrain_batch_size", train + valid, both, more)]

    def shared_problem(self, config, supernet, data, batch_size):
        children = config[IMAGE_SEARCH].children_per_step
        if batch_size % children:
            raise InputError(
                f"{ref('batch_size')}={batch_size} does not split over {ref('children_per_step')}={children} children: "
                "expected a multiple of it."
            )
        augmentation, weights = self.as_search(config)[AUGMENTATION], _class_weights(config, data.train, data)
        return ImageSupernetProblem(supernet, data, batch_size, children, augmentation, weights)

    def judge(self, config, supernet, data, batch_size, seed, replicas):
        weights = _class_weights(config, data.valid, data)
        return AccuracyJudge(supernet, data.valid, batch_size, seed, replicas, weights)

    def as_search(self, config):
        # Cutout is a regulariser of the final training only.
        augmentation = dataclasses.replace(config[AUGMENTATION], cutout_size=0)
        return config.replace({AUGMENTATION: augmentation, IMAGE_RETRAIN: ImageRetrainConfig()})

    def check_training(self, config, data, batch_size):
        steps_per_epoch(self._training_split(config, data), batch_size)

    def child_problem(self, config, trainee, data, batch_size):
        split, smoothing = self._training_split(config, data), config[IMAGE_RETRAIN].label_smoothing
        weights, augmentation = _class_weights(config, split, data), config[AUGMENTATION]
        return ImageChildProblem(trainee, split, batch_size, augmentation, data.channel_mean, smoothing, weights)

    def _training_split(self, config: Config, data: ImageData) -> Split:
        """Return the images that a child is trained on."""
        return data.train if _is_valid_held_out(config) else data.train.concatenate(data.valid)

    def validate(self, config, child, data, batch_size):
        if not _is_valid_held_out(config):
            return None
        measure, batches = compile_measure(child), evaluation_batches(data.valid, batch_size)

        def validate() -> dict[str, float]:
            if not _is_balanced(config):
                return {f"valid_{name}": value for name, value in measure(batches).items()}
            counts = np.zeros([data.num_classes] * 2, np.int64)
            metrics = {f"valid_{name}": value for name, value in measure(batches, counts).items()}
            return metrics | {"valid_balanced_accuracy": balanced_accuracy(counts)}

        return validate

    def judged_metric(self, config):
        return "balanced_accuracy" if _is_balanced(config) else self.metric

    def holds_out(self, config):
        return _is_valid_held_out(config)

    def test(self, child, data):
        return self.test_in_detail(child, data).metrics

    def test_in_detail(self, child, data):
        """Return accuracies, of each class too, and which classes images are taken for."""
        counts = np.zeros([data.num_classes] * 2, np.int64)
        metrics = compile_measure(child)(evaluation_batches(data.test, _TEST_BATCH), counts)
        shares = dict(zip(data.class_names, accuracy_by_class(counts).tolist(), strict=True))
        return Tested(
            metrics | {"balanced_accuracy": balanced_accuracy(counts)},
            {"accuracy_by_class": {name: share if math.isfinite(share) else None for name, share in shares.items()}},
            {"confusion.csv": confusion_csv(counts, data.class_names)},
        )

    def find_mismatch(self, child, data, place):
        if child.input_shape[1:] == data.image_shape and child.output_shape[-1] == data.num_classes:
            return None
        return (
            f"classifies images of {list(child.input_shape[1:])} into {child.output_shape[-1]} classes, but "
            f"{ref('dataset')}={data.name} has {data.num_classes} classes and images of {list(data.image_shape)}"
        )

    def keep(self, child, data):
        return take_values(child, data.values)

    def describe_input(self, child):
        return {"shape": list(child.input_shape[1:]), **dataclasses.asdict(values_of(child))}

    def names(self, data):
        return "labels.txt", "\n".join(data.class_names) + "\n"

    def export(self, child, directory, data):
        return export_classifier(child, directory, self.examples(child, data)["images"], data.class_names)

    def signature(self, child):
        return signature_of_classifier(child)

    def examples(self, child, data):
        return {"images": inputs_for(child, data.test.images[:_NUM_COMPARED])}

    def calibration(self, child, data):
        """Return images from all over the training part, which may be in the order of the classes."""
        num = len(data.train)
        places = np.unique(np.linspace(0, num - 1, min(num, _NUM_CALIBRATING)).astype(int))
        return {"images": inputs_for(child, data.train.images[places])}

    def summary(self, config, data):
        return {"data": data.name, **describe(data)}

    def batch_in_words(self, config, batch_size):
        children = count_of(config[IMAGE_SEARCH].children_per_step, "child")
        return f"{count_of(batch_size, 'image')}, {children} per step"

    def data_in_words(self, config, data):
        num = len(data.train) + (0 if _is_valid_held_out(config) else len(data.valid))
        return f"{num:,} images of {config[IMAGE_RETRAIN].train_on}"

    def record(self, data):
        return {
            "name": data.name,
            "image_shape": list(data.image_shape),
            "class_names": list(data.class_names),
            "images": {"train": len(data.train), "valid": len(data.valid), "test": len(data.test)},
            "values": dataclasses.asdict(data.values),
            "channel_mean": data.channel_mean.tolist(),
            "channel_variance": data.channel_variance.tolist(),
        }


def confusion_csv(counts: np.ndarray, names: Sequence[str]) -> str:
    """Return a table of the class of test images, the class that they are taken for, and how many there are.

    Pairs without images are left out: a thousand classes have a million pairs.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["class", "predicted", "images"])
    writer.writerows([names[row], names[column], counts[row, column]] for row, column in np.argwhere(counts))
    return text.getvalue()


def _is_balanced(config: Config) -> bool:
    return config[CLASSES].class_weights == "balanced"


def _class_weights(config: Config, split: Split, data: ImageData) -> np.ndarray | None:
    """Return how much an image of each class of `split` counts; None where all count alike."""
    return balance(split.labels, data.num_classes) if _is_balanced(config) else None


def _is_valid_held_out(config: Config) -> bool:
    """Return whether a child is not trained on the validation part."""
    return config[IMAGE_RETRAIN].train_on == "train"


TASKS.register(
    Classification.name,
    [DATA, AUGMENTATION, CLASSES, IMAGE_SEARCH, IMAGE_RETRAIN, IMAGE_DEVICE],
    help="to classify images",
)(Classification())
