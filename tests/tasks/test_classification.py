"""The task of classification: which images a child sees, what a run is told, and which input is refused."""

import collections
import csv
import dataclasses
import io

import keras
import numpy as np
import pytest

from enas_tf.data.augmentation import AUGMENTATION, AugmentationConfig
from enas_tf.data.images import Split
from enas_tf.data.sources import DATA as DATA_OPTIONS
from enas_tf.data.sources import DataConfig
from enas_tf.errors import InputError, render
from enas_tf.models.macro_config import MacroNetworkConfig
from enas_tf.models.networks import NETWORKS
from enas_tf.models.trainee import ImageTrainee
from enas_tf.options import Config
from enas_tf.runtime.replicas import Replicas
from enas_tf.spaces.macro import MacroSpace
from enas_tf.tasks.classification_config import (
    CLASSES,
    IMAGE_DEVICE,
    IMAGE_RETRAIN,
    IMAGE_SEARCH,
    ClassConfig,
    ImageDeviceConfig,
    ImageRetrainConfig,
    ImageSearchConfig,
)
from enas_tf.tasks.task import TASKS
from tests.tasks.small import UNVARIED, image_shape, make_dense_child, make_images

TASK = TASKS["classification"]
DATA = make_images(32, 8, num_classes=4)
SPACE = MacroSpace(num_layers=3, ops=("conv_3x3", "max_pool_3x3"))


@pytest.fixture(scope="module")
def supernet():
    return NETWORKS["macro"].build_supernet(SPACE, MacroNetworkConfig(channels=4), image_shape(4))


def training_on(parts: str) -> Config:
    return UNVARIED.replace({IMAGE_RETRAIN: ImageRetrainConfig(train_on=parts)})


class TestTrainingPart:
    def test_train_and_valid_uses_both_parts(self):
        config, child = training_on("train+valid"), make_dense_child()
        split = TASK.child_problem(config, ImageTrainee(child), DATA, 16).split
        assert len(split) == 40
        np.testing.assert_array_equal(split.images, np.concatenate([DATA.train.images, DATA.valid.images]))
        np.testing.assert_array_equal(split.labels, np.concatenate([DATA.train.labels, DATA.valid.labels]))
        assert TASK.validate(config, child, DATA, 16) is None, "images that are trained on cannot watch the training"
        assert TASK.data_in_words(config, DATA) == "40 images of train+valid"
        TASK.check_training(config, DATA, 40)

    def test_train_leaves_the_validation_part_to_watch(self):
        config, child = training_on("train"), make_dense_child()
        problem = TASK.child_problem(config, ImageTrainee(child), DATA, 16)
        np.testing.assert_array_equal(problem.split.images, DATA.train.images)
        found = TASK.validate(config, child, DATA, 16)()
        logits = child(DATA.valid.images, training=False).numpy()
        assert found["valid_accuracy"] == np.mean(logits.argmax(axis=1) == DATA.valid.labels)
        log_probs = keras.ops.log_softmax(logits).numpy()
        assert found["valid_loss"] == pytest.approx(-np.mean(log_probs[np.arange(8), DATA.valid.labels]), rel=1e-5)
        assert TASK.data_in_words(config, DATA) == "32 images of train"
        with pytest.raises(InputError, match="32 images, but batch_size=40"):
            TASK.check_training(config, DATA, 40)


class TestLimits:
    def test_a_batch_of_the_search_fits_into_both_parts_that_it_is_taken_from(self):
        limit, _ = TASK.limits(UNVARIED, DATA)
        assert (limit.option, limit.most, limit.multiple) == ("batch_size", 8, "children_per_step")
        assert limit.data == "the training part has 32 images and the validation part 8"
        assert render(limit.more) == "more images (a larger valid_fraction for the validation part)"
        assert TASK.limits(UNVARIED, make_images(20, 30, num_classes=4))[0].most == 20

    def test_a_batch_of_a_child_fits_into_what_it_is_trained_on(self):
        _, limit = TASK.limits(training_on("train"), DATA)
        assert (limit.option, limit.most, limit.multiple) == ("retrain_batch_size", 32, "")
        TASK.check_training(training_on("train"), DATA, limit.most)
        _, limit = TASK.limits(training_on("train+valid"), DATA)
        assert (limit.most, limit.data) == (40, "the training and the validation part have 40 images")
        TASK.check_training(training_on("train+valid"), DATA, limit.most)

    @pytest.mark.parametrize(("limit_train", "is_named"), [(32, True), (33, False), (None, False)])
    def test_a_limit_of_the_training_part_is_named_where_it_leaves_images_out(self, limit_train, is_named):
        for limit in TASK.limits(UNVARIED.replace({DATA_OPTIONS: DataConfig(limit_train=limit_train)}), DATA):
            assert ("a larger limit_train for the training part" in render(limit.more)) == is_named


class TestSearch:
    def test_cutout_is_for_children_only(self, supernet):
        config = Config({AUGMENTATION: AugmentationConfig(augment="none", cutout_size=4)})
        searched = TASK.shared_problem(config, supernet, DATA, 32)
        retrained = TASK.child_problem(config, ImageTrainee(make_dense_child()), DATA, 32)
        for problem, is_cut in ((searched, False), (retrained, True)):
            images, _ = next(problem.stream.batches(0, 0, 1))
            known = {image.tobytes() for image in DATA.train.images}
            assert ({image.tobytes() for image in images.numpy()} == known) != is_cut

    @pytest.mark.parametrize(("batch_size", "children"), [(8, 3), (1, 2), (100, 64)])
    def test_a_batch_has_to_split_over_the_children(self, batch_size, children, supernet):
        config = Config({IMAGE_SEARCH: ImageSearchConfig(children_per_step=children)})
        with pytest.raises(InputError, match=f"^batch_size={batch_size} .* children_per_step={children} "):
            TASK.shared_problem(config, supernet, DATA, batch_size)

    def test_too_few_images_for_a_batch(self, supernet):
        with pytest.raises(InputError, match="batch_size=33"):
            TASK.shared_problem(UNVARIED, supernet, DATA, 33)
        with pytest.raises(InputError, match="batch_size=9"):
            TASK.judge(UNVARIED, supernet, DATA, 9, 0, Replicas())


class TestShape:
    def test_that_of_the_data(self):
        shape = TASK.shape(DATA)
        assert (shape.height, shape.width, shape.channels, shape.num_classes) == (8, 8, 1, 4)
        assert shape.mean == pytest.approx([DATA.train.images.mean()], rel=1e-5)
        assert shape.variance == pytest.approx([DATA.train.images.var()], rel=1e-5)

    @pytest.mark.parametrize(
        ("recorded", "words"),
        [
            ({}, "32x32x3 images of 10 classes"),
            (TASK.record(DATA), "8x8x1 images of 4 classes"),
            (TASK.record(DATA) | {"num_classes": 7}, "8x8x1 images of 7 classes"),
            ({"image_shape": (16, 12, 2)}, "16x12x2 images of 10 classes"),
        ],
    )
    def test_one_that_is_assumed(self, recorded, words):
        shape, found = TASK.assumed_shape(UNVARIED, recorded)
        assert found == words
        assert words.startswith(f"{shape.height}x{shape.width}x{shape.channels} ")
        assert words.endswith(f" {shape.num_classes} classes")
        assert len(shape.mean) == len(shape.variance) == shape.channels


def test_a_child_of_other_data_is_named(tmp_path):
    assert TASK.find_mismatch(make_dense_child(), DATA, tmp_path) is None
    found = render(TASK.find_mismatch(make_dense_child(num_classes=5), DATA, tmp_path))
    assert "into 5 classes" in found
    assert "dataset=random has 4 classes and images of [8, 8, 1]" in found


def test_what_a_run_is_told_of_the_data():
    assert TASK.names(DATA) == ("labels.txt", "a\nb\nc\nd\n")
    told = TASK.summary(UNVARIED, DATA)
    assert told["data"] == "random"
    assert told["images"] == "32 training, 8 validation, 8 test"
    config = Config({IMAGE_SEARCH: ImageSearchConfig(children_per_step=2)})
    assert TASK.batch_in_words(config, 16) == "16 images, 2 children per step"
    assert TASK.record(DATA)["images"] == {"train": 32, "valid": 8, "test": 8}


def test_devices_are_told_what_the_task_has_options_for():
    config = Config({IMAGE_DEVICE: ImageDeviceConfig(sync_batch_norm=True)})
    replicas = Replicas(**TASK.replica_options(config))
    assert (replicas.is_synchronized, replicas.jit_compile) == (True, False)


def test_a_classifier_writes_no_text():
    assert not TASK.writes_text


def test_wrong_options_are_named():
    with pytest.raises(InputError, match=r"^label_smoothing=1.0"):
        ImageRetrainConfig(label_smoothing=1.0)
    with pytest.raises(InputError, match=r"^children_per_step=0"):
        ImageSearchConfig(children_per_step=0)


def test_trials_are_trained_as_a_search_trains():
    """No cutout, no smoothed labels, and a part that is held out, whatever the retraining has."""
    given = Config(
        {
            AUGMENTATION: AugmentationConfig(augment="crop", cutout_size=4),
            IMAGE_RETRAIN: ImageRetrainConfig(label_smoothing=0.1, train_on="train+valid"),
        }
    )
    config = TASK.as_search(given)
    assert config[AUGMENTATION] == AugmentationConfig(augment="crop")
    assert config[IMAGE_RETRAIN] == ImageRetrainConfig()
    assert TASK.validate(given, None, None, 8) is None


def test_the_test_in_detail_names_the_classes_that_are_confused():
    """Names are those of the data, commas and quotes included; pairs without images are left out."""
    names = ('a,"b"', "<b>", "ö", "d")
    data, child = dataclasses.replace(DATA, class_names=names), make_dense_child()
    metrics, record, files = TASK.test_in_detail(child, data)
    assert metrics == TASK.test(child, data)
    rows = list(csv.DictReader(io.StringIO(files["confusion.csv"])))
    predicted = child(data.test.images, training=False).numpy().argmax(axis=1)
    pairs = collections.Counter((names[i], names[j]) for i, j in zip(data.test.labels, predicted, strict=True))
    assert {(row["class"], row["predicted"]): int(row["images"]) for row in rows} == pairs
    is_right, labels = predicted == data.test.labels, data.test.labels
    hits = {name: is_right[labels == place].mean() if place in labels else None for place, name in enumerate(names)}
    assert None in hits.values(), "one class has no test image"
    assert record["accuracy_by_class"] == hits
    assert metrics["balanced_accuracy"] == pytest.approx(np.mean([hit for hit in hits.values() if hit is not None]))


BALANCED = Config({CLASSES: ClassConfig("balanced"), IMAGE_RETRAIN: ImageRetrainConfig()})


def test_balanced_classes_weigh_alike_in_validation():
    """Of 3 images of one class and 1 of another, all right in the first, half of the accuracy is 0."""
    labels = np.array([0, 0, 0, 2], np.int32)
    images = np.zeros((4, *DATA.valid.images.shape[1:]), np.uint8)
    data = dataclasses.replace(DATA, valid=Split(images, labels))
    child = make_dense_child()
    child.set_weights([np.zeros_like(w) for w in child.get_weights()])  # Every image is taken for class 0.
    found = TASK.validate(BALANCED, child, data, 2)()
    assert (found["valid_accuracy"], found["valid_balanced_accuracy"]) == (0.75, 0.5)
    assert TASK.judged_metric(BALANCED) == "balanced_accuracy"
    unweighted = Config({CLASSES: ClassConfig(), IMAGE_RETRAIN: ImageRetrainConfig()})
    assert "valid_balanced_accuracy" not in TASK.validate(unweighted, child, data, 2)()
    assert TASK.judged_metric(unweighted) == "accuracy"
