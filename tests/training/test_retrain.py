"""Training a child: it learns, goes on after a stop as if there had been none, and uses the images it is told to."""

import keras
import numpy as np
import pytest

from enas_tf.data.augmentation import AugmentationConfig
from enas_tf.data.images import ImageData, Split
from enas_tf.data.pipeline import evaluation_batches
from enas_tf.errors import InputError
from enas_tf.models.families import FAMILIES
from enas_tf.models.images import ChildConfig, ImageConfig
from enas_tf.models.trainee import Trainee
from enas_tf.runtime.checkpoints import Checkpoints
from enas_tf.runtime.replicas import Replicas
from enas_tf.runtime.reporting import Reporter
from enas_tf.spaces.macro import MacroSpace
from enas_tf.training.optimizers import SgdConfig
from enas_tf.training.retrain import ChildTrainer, RetrainConfig, compile_measure

IMAGE = ImageConfig(8, 8, 1, 4, (128.0,), (5000.0,))
SGD = SgdConfig(learning_rate=0.1, restart_epochs=30, l2=0.0)
UNVARIED = AugmentationConfig(augment="none")


def make_split(num, seed):
    random = np.random.default_rng(seed)
    images = random.integers(0, 256, (num, 8, 8, 1), dtype=np.uint8)
    return Split(images, (np.arange(num) % 4).astype(np.int32))


DATA = ImageData("random", tuple("abcd"), make_split(32, 0), make_split(8, 1), make_split(8, 2))


def make_small_child():
    """All kinds of state that a child has: weights, moving averages and the random state of dropout."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((8, 8, 1), dtype="uint8")
    x = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(inputs))
    x = keras.layers.Dropout(0.5)(keras.layers.BatchNormalization()(x))
    return keras.Model(inputs, keras.layers.Dense(4)(x))


def make_trainer(child, epochs, sgd=SGD, augmentation=UNVARIED, replicas=None, **options):
    config = RetrainConfig(retrain_epochs=epochs, retrain_batch_size=16, **options)
    return ChildTrainer(Trainee(child), DATA, config, sgd, augmentation, seed=3, replicas=replicas)


class Recorder(Reporter):
    """Keeps what is recorded; raises at the record of epoch `stop`, as a kill before the checkpoint would."""

    def __init__(self, workdir, stop=None):
        super().__init__(workdir)
        self.stop, self.records = stop, []

    def record(self, phase, epoch, metrics, total_epochs):
        if epoch == self.stop:
            raise KeyboardInterrupt
        self.records.append(metrics)


def run(trainer, workdir, stop=None):
    reporter = Recorder(workdir, stop)
    trainer.run(reporter, Checkpoints(workdir / "checkpoints", trainer.tracked))
    return reporter.records


def test_a_child_learns_32_images_by_heart(tmp_path):
    space = MacroSpace(num_layers=3)
    architecture = space.decode([0, 1, 1, 5, 0, 1])
    keras.utils.set_random_seed(1)
    child = FAMILIES["macro"].build_child(architecture, ChildConfig(channels=8, dropout=0.0), IMAGE)
    trainer = make_trainer(child, epochs=30)
    records = run(trainer, tmp_path)
    assert trainer.measure(evaluation_batches(DATA.train, 16))["accuracy"] > 0.9
    assert records[-1]["loss"] < 0.3 < 1.0 < records[0]["loss"]


def test_a_stopped_run_ends_as_one_that_was_not(tmp_path):
    """Law 6, to the last bit: dropout, augmentation, momentum and the rate go on where they were."""
    augmentation = AugmentationConfig(crop_padding=2, cutout_size=3)
    unbroken = make_small_child()
    expected = run(make_trainer(unbroken, 4, augmentation=augmentation), tmp_path / "unbroken")
    with pytest.raises(KeyboardInterrupt):
        run(make_trainer(make_small_child(), 4, augmentation=augmentation), tmp_path / "stopped", stop=2)
    child = make_small_child()
    records = run(make_trainer(child, 4, augmentation=augmentation), tmp_path / "stopped")
    assert len(records) == 2
    for mine, its in zip(child.variables, unbroken.variables, strict=True):
        np.testing.assert_array_equal(mine.numpy(), its.numpy(), err_msg=mine.path)
    for mine, its in zip(records, expected[2:], strict=True):
        assert {k: v for k, v in mine.items() if k != "images_per_second"} == {
            k: v for k, v in its.items() if k != "images_per_second"
        }


def test_a_finished_run_does_nothing(tmp_path):
    child = make_small_child()
    run(make_trainer(child, 1), tmp_path)
    weights = child.get_weights()
    assert run(make_trainer(child, 1), tmp_path) == []
    for mine, its in zip(child.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(mine, its)


def test_train_and_valid_uses_both_parts(tmp_path):
    trainer = make_trainer(make_small_child(), 1, train_on="train+valid")
    assert len(trainer.train) == 40
    np.testing.assert_array_equal(trainer.train.images, np.concatenate([DATA.train.images, DATA.valid.images]))
    np.testing.assert_array_equal(trainer.train.labels, np.concatenate([DATA.train.labels, DATA.valid.labels]))
    metrics = run(trainer, tmp_path)[0]
    assert "valid_accuracy" not in metrics, "images that are trained on cannot watch the training"


def test_train_leaves_the_validation_part_to_watch(tmp_path):
    trainer = make_trainer(make_small_child(), 1)
    np.testing.assert_array_equal(trainer.train.images, DATA.train.images)
    metrics = run(trainer, tmp_path)[0]
    watched = trainer.measure(evaluation_batches(DATA.valid, 16))
    assert (metrics["valid_loss"], metrics["valid_accuracy"]) == (watched["loss"], watched["accuracy"])


def test_l2_shrinks_all_weights(tmp_path):
    """It is in the loss, over every trainable weight, without a factor of 1/2: one step at rate r takes 2 r l2 w."""
    moved = []
    for l2 in (0.0, 0.5):
        child = make_small_child()
        before = [variable.numpy() for variable in child.trainable_variables]
        sgd = SgdConfig(learning_rate=0.1, min_learning_rate=0.1, momentum=0.0, l2=l2, clip_norm=1e9)
        trainer = make_trainer(child, 1, sgd)
        trainer._train_step(DATA.train.images[:16], DATA.train.labels[:16])
        moved.append([old - v.numpy() for old, v in zip(before, child.trainable_variables, strict=True)])
    for without, with_l2, weight in zip(*moved, before, strict=True):
        np.testing.assert_allclose(with_l2 - without, 2 * 0.1 * 0.5 * weight, atol=1e-5)


def test_a_compiled_step_is_the_step(tmp_path):
    """XLA takes the gradients of a child; all that a step changes, moving averages among it, is the same.

    Dropout is not: XLA draws other numbers from its seed.
    """
    found = []
    for is_compiled in (False, True):
        child = make_small_child()
        dropout = next(layer for layer in child.layers if isinstance(layer, keras.layers.Dropout))
        dropout.rate = 0.0
        trainer = make_trainer(child, 2, replicas=Replicas(jit_compile=is_compiled))
        run(trainer, tmp_path / str(is_compiled))
        found.append(child.weights)
    for mine, its in zip(*found, strict=True):
        np.testing.assert_allclose(mine.numpy(), its.numpy(), rtol=1e-4, atol=1e-5, err_msg=mine.path)


def test_measure_is_the_mean_over_images_whatever_the_batches():
    child = make_small_child()
    measure = compile_measure(child)
    whole = measure(evaluation_batches(DATA.train, 32))
    parts = measure(evaluation_batches(DATA.train, 12))
    logits = child(DATA.train.images, training=False).numpy()
    assert whole["accuracy"] == parts["accuracy"] == np.mean(logits.argmax(axis=1) == DATA.train.labels)
    log_probs = keras.ops.log_softmax(logits).numpy()
    expected = -np.mean(log_probs[np.arange(32), DATA.train.labels])
    assert whole["loss"] == pytest.approx(float(expected), rel=1e-5)
    assert parts["loss"] == pytest.approx(whole["loss"], rel=1e-5)


@pytest.mark.parametrize(
    "options", [{"retrain_epochs": 0}, {"retrain_batch_size": 0}, {"label_smoothing": 1.0}], ids=str
)
def test_wrong_options_are_named(options):
    with pytest.raises(InputError, match=f"--{next(iter(options))}="):
        RetrainConfig(**options)
