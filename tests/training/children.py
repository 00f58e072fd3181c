"""Trainers of small children of both tasks, and how tests run them."""

import keras

from enas_tf.data.augmentation import AUGMENTATION, AugmentationConfig
from enas_tf.models.language import LanguageConfig
from enas_tf.models.recurrent_child import build_recurrent_child
from enas_tf.models.recurrent_training import RecurrentTrainee
from enas_tf.models.trainee import ImageTrainee
from enas_tf.options import Config
from enas_tf.runtime.checkpoints import Checkpoints
from enas_tf.runtime.replicas import Replicas
from enas_tf.runtime.reporting import Reporter
from enas_tf.spaces.recurrent import RecurrentArchitecture
from enas_tf.tasks.classification_config import IMAGE_RETRAIN, ImageRetrainConfig
from enas_tf.tasks.language import AVERAGING, AveragingConfig
from enas_tf.tasks.language_problems import RETRAIN_WINDOW, WindowConfig
from enas_tf.tasks.task import TASKS
from enas_tf.training.child import ChildTrainer, RetrainConfig
from enas_tf.training.optimizers import SgdConfig
from tests.tasks.small import NOISE, TEXT, make_dense_child, make_images, make_text, numpy_of

IMAGES = make_images(32, 8, num_classes=4)
IMAGE_BATCH, TEXT_BATCH, SEED = 16, 4, 3
IMAGE_SGD = SgdConfig(learning_rate=0.1, restart_epochs=30, l2=0.0)
TEXT_SGD = SgdConfig(learning_rate=3.0, restart_epochs=0, momentum=0.0, l2=0.0, clip_norm=1.0)
CELL = RecurrentArchitecture.from_arc("0 0 1")
UNVARIED = AugmentationConfig(augment="none")
#: A patience that no training outlasts.
NEVER = 10**9


def make_image_trainer(child=None, epochs=3, sgd=IMAGE_SGD, augmentation=UNVARIED, replicas=None, **options):
    """`options` are those of `ImageRetrainConfig`."""
    child = child or make_dense_child()
    config = Config({AUGMENTATION: augmentation, IMAGE_RETRAIN: ImageRetrainConfig(**options)})
    return _make_trainer("classification", config, ImageTrainee(child), IMAGES, epochs, IMAGE_BATCH, sgd, replicas)


def make_text_trainer(
    epochs=3,
    valid=NOISE[:80],
    patience=NEVER,
    sgd=TEXT_SGD,
    window=WindowConfig(bptt=8, random_bptt=False),  # noqa: B008
    drop=0.0,
    architecture=CELL,
):
    keras.utils.set_random_seed(0)
    network = LanguageConfig(8, *[drop] * 5, init_scale=0.3)
    child = build_recurrent_child(architecture, network, TEXT)
    trainee = RecurrentTrainee(child, architecture, network, TEXT)
    config = Config({RETRAIN_WINDOW: window, AVERAGING: AveragingConfig(patience)})
    return _make_trainer("language_modelling", config, trainee, make_text(valid=valid), epochs, TEXT_BATCH, sgd)


def _make_trainer(task, config, trainee, data, epochs, batch_size, sgd, replicas=None) -> ChildTrainer:
    """Build a trainer as the stage of retraining does."""
    task = TASKS[task]
    problem = task.child_problem(config, trainee, data, batch_size)
    validate = task.validate(config, trainee.child, data, batch_size)
    retrain, patience = RetrainConfig(epochs, batch_size), task.averaging_patience(config)
    return ChildTrainer(problem, validate, retrain, sgd, replicas or Replicas(), SEED, patience)


class Recorder(Reporter):
    """Keeps what is recorded and said; raises at the record of epoch `stop`, as a kill before the checkpoint would."""

    def __init__(self, workdir, stop=None):
        super().__init__(workdir)
        self.stop, self.records, self.said = stop, [], []

    def record(self, phase, epoch, metrics, total_epochs):
        if epoch == self.stop:
            raise KeyboardInterrupt
        super().record(phase, epoch, metrics, total_epochs)
        self.records.append(metrics)

    def say(self, message):
        self.said.append(message)


def run(trainer: ChildTrainer, workdir, stop=None) -> Recorder:
    with Recorder(workdir, stop) as reporter:
        trainer.run(reporter, Checkpoints(workdir / "checkpoints", trainer.tracked))
    return reporter


def child_of(trainer: ChildTrainer) -> keras.Model:
    return trainer.problem.trainee.child


def weights_of(trainer: ChildTrainer) -> list:
    return numpy_of(trainer.problem.variables)


def spy_on_steps(trainer: ChildTrainer, action=lambda number: None) -> list:
    """Call `action(number)` after every training step, counted from 0; return the weights after each."""
    step, weights = trainer.step.traced, []

    def take(*arguments):
        step(*arguments)
        action(len(weights))
        weights.append(weights_of(trainer))

    trainer.step.traced = take
    return weights


def spy_on_inputs(trainer: ChildTrainer) -> list:
    """Return a list that the arguments of every training step are appended to."""
    step, inputs = trainer.step.traced, []

    def take(*arguments):
        inputs.append([argument.numpy() for argument in arguments])
        step(*arguments)

    trainer.step.traced = take
    return inputs


def spoil(trainer: ChildTrainer) -> None:
    """Make all values of a weight NaN."""
    variable = trainer.problem.variables[0]
    variable.assign(variable * float("nan"))


def poison(trainer: ChildTrainer, step: int, times: int) -> list:
    """Make a weight NaN after the training step of that number in the second epoch, in its first `times` runs.

    Returns:
      The weights after every step.
    """
    done = []

    def action(number):
        # Steps that are repeated are counted on: each attempt takes an epoch of steps.
        per_epoch = trainer.steps_per_epoch
        if number >= per_epoch and number % per_epoch == step and len(done) < times:
            done.append(number)
            spoil(trainer)

    return spy_on_steps(trainer, action)


def without_speed(metrics: dict) -> dict:
    return {name: value for name, value in metrics.items() if not name.endswith("_per_second")}
