"""Training a child: it learns, resumes as if it had not stopped, and recovers from a divergence."""

import json
import os
import re
import signal
from typing import ClassVar

import keras
import numpy as np
import pytest

from enas_tf.data.augmentation import AugmentationConfig
from enas_tf.data.pipeline import evaluation_batches
from enas_tf.data.text_batches import in_rows
from enas_tf.errors import InputError
from enas_tf.models.macro_config import MacroChildConfig
from enas_tf.models.networks import NETWORKS
from enas_tf.runtime.replicas import Replicas
from enas_tf.runtime.signals import Interrupted, handled_signals
from enas_tf.spaces.macro import MacroSpace
from enas_tf.spaces.recurrent import LstmBaseline
from enas_tf.tasks.classification_problems import compile_measure
from enas_tf.tasks.language_measures import measure_text
from enas_tf.tasks.language_problems import WindowConfig
from enas_tf.training.child import RetrainConfig
from enas_tf.training.optimizers import SgdConfig
from tests.tasks.small import PATTERN, assert_equal, image_shape, make_dense_child, numpy_of
from tests.training.children import (
    CELL,
    IMAGES,
    SEED,
    TEXT_BATCH,
    TEXT_SGD,
    child_of,
    make_image_trainer,
    make_text_trainer,
    poison,
    run,
    spoil,
    spy_on_inputs,
    spy_on_steps,
    weights_of,
    without_speed,
)


class TestImages:
    def test_a_child_learns_32_images_by_heart(self, tmp_path):
        architecture = MacroSpace(num_layers=3).decode([0, 1, 1, 5, 0, 1])
        keras.utils.set_random_seed(1)
        config = MacroChildConfig(channels=8, dropout=0.0)
        child = NETWORKS["macro"].build_child(architecture, config, image_shape(4))
        records = run(make_image_trainer(child, epochs=30), tmp_path).records
        assert compile_measure(child)(evaluation_batches(IMAGES.train, 16))["accuracy"] > 0.9
        assert records[-1]["loss"] < 0.3 < 1.0 < records[0]["loss"]

    def test_a_stopped_run_ends_as_one_that_was_not(self, tmp_path):
        """Law 6, to the last bit: dropout, augmentation, momentum and the rate go on where they were."""
        options = {"epochs": 4, "augmentation": AugmentationConfig(crop_padding=2, cutout_size=3)}
        unbroken, child = make_dense_child(), make_dense_child()
        expected = run(make_image_trainer(unbroken, **options), tmp_path / "unbroken").records
        with pytest.raises(KeyboardInterrupt):
            run(make_image_trainer(make_dense_child(), **options), tmp_path / "stopped", stop=2)
        records = run(make_image_trainer(child, **options), tmp_path / "stopped").records
        assert_equal(numpy_of(child.variables), numpy_of(unbroken.variables))
        assert [without_speed(metrics) for metrics in records] == [without_speed(metrics) for metrics in expected[2:]]

    def test_the_validation_part_is_watched_if_it_is_not_trained_on(self, tmp_path):
        child = make_dense_child()
        trainer = make_image_trainer(child, epochs=1)
        (metrics,) = run(trainer, tmp_path / "watched").records
        watched = compile_measure(child)(evaluation_batches(IMAGES.valid, 16))
        assert (metrics["valid_loss"], metrics["valid_accuracy"]) == (watched["loss"], watched["accuracy"])
        assert trainer.valid["valid_accuracy"] == watched["accuracy"]
        trainer = make_image_trainer(epochs=1, train_on="train+valid")
        (metrics,) = run(trainer, tmp_path / "trained_on").records
        assert "valid_accuracy" not in metrics
        assert trainer.valid == {}

    def test_a_compiled_step_is_the_step(self, tmp_path):
        """XLA takes the gradients of a child; all that a step changes, moving averages among it, is the same.

        Dropout is not: XLA draws other numbers from its seed.
        """
        found = []
        for is_compiled in (False, True):
            child = make_dense_child(dropout=0.0)
            trainer = make_image_trainer(child, epochs=2, replicas=Replicas(jit_compile=is_compiled))
            run(trainer, tmp_path / str(is_compiled))
            found.append(child.weights)
        for mine, its in zip(*found, strict=True):
            np.testing.assert_allclose(mine.numpy(), its.numpy(), rtol=1e-4, atol=1e-5, err_msg=mine.path)

    def test_seeds_are_those_of_the_step_of_the_whole_training(self, tmp_path):
        """Wherever a run is resumed: a function of the run's seed and the step."""
        trainer = make_image_trainer(epochs=2)
        inputs = spy_on_inputs(trainer)
        run(trainer, tmp_path)
        seeds = [tuple(arguments[-1]) for arguments in inputs]
        assert len(set(seeds)) == 2 * trainer.steps_per_epoch
        assert [seed[1] for seed in seeds] == list(range(2 * trainer.steps_per_epoch))


class TestText:
    @pytest.mark.parametrize("architecture", [CELL, LstmBaseline(nodes=2)], ids=["cell", "lstm"])
    def test_a_pattern_is_learnt(self, architecture, tmp_path):
        trainer = make_text_trainer(16, valid=PATTERN[:80], architecture=architecture)
        records = run(trainer, tmp_path).records
        assert records[0]["perplexity"] > 3.0
        assert records[-1]["perplexity"] < 1.1
        assert measure_text(child_of(trainer), PATTERN, "training")["perplexity"] < 1.1
        assert records[-1]["valid_perplexity"] < 1.3
        for metrics in records:
            assert np.isfinite(list(metrics.values())).all()
            assert metrics["perplexity"] == pytest.approx(np.exp(metrics["loss"]))
            assert metrics["valid_perplexity"] == pytest.approx(np.exp(metrics["valid_loss"]))
            assert metrics["learning_rate"] == 3.0

    def test_a_stopped_run_ends_as_one_that_was_not(self, tmp_path):
        """To the last bit, also amid averaging: dropout, lengths of windows, momentum, the rate and the sums go on."""
        options = {
            "epochs": 5,
            "patience": 1,
            "drop": 0.2,
            "sgd": SgdConfig(learning_rate=1.0, restart_epochs=2, momentum=0.5, clip_norm=1.0),
            "window": WindowConfig(bptt=8, activation_penalty=0.5),
        }
        unbroken = make_text_trainer(**options)
        expected = run(unbroken, tmp_path / "unbroken").records
        assert [metrics["is_averaging"] for metrics in expected] == [0.0, 0.0, 1.0, 1.0, 1.0]
        with pytest.raises(KeyboardInterrupt):
            run(make_text_trainer(**options), tmp_path / "stopped", stop=4)
        trainer = make_text_trainer(**options)
        records = run(trainer, tmp_path / "stopped").records
        assert_equal(weights_of(trainer), weights_of(unbroken))
        assert [without_speed(metrics) for metrics in records] == [without_speed(expected[4])]
        finished = make_text_trainer(**options)
        assert run(finished, tmp_path / "stopped").records == []
        assert_equal(weights_of(finished), weights_of(unbroken))

    random_options: ClassVar = {"patience": 1, "drop": 0.2, "window": WindowConfig(bptt=8)}

    @pytest.fixture(scope="class")
    def unbroken(self, tmp_path_factory):
        """The weights after each step of a training without a stop, its last weights and its records."""
        trainer = make_text_trainer(**self.random_options)
        weights = spy_on_steps(trainer)
        records = run(trainer, tmp_path_factory.mktemp("unbroken")).records
        return weights, weights_of(trainer), records

    @pytest.mark.parametrize("number", [1, 7, 23])
    def test_a_signal_within_an_epoch_loses_no_step(self, tmp_path, number, unbroken):
        """It leaves with a checkpoint after the step that was under way, and the run ends as one without a stop."""
        options, (weights, last_weights, expected) = self.random_options, unbroken
        trainer = make_text_trainer(**options)
        before = spy_on_steps(trainer, lambda i: os.kill(os.getpid(), signal.SIGTERM) if i == number else None)
        with handled_signals(), pytest.raises(Interrupted) as left:
            run(trainer, tmp_path / "stopped")
        assert (left.value.code, left.value.signal, len(before)) == (42, "SIGTERM", number + 1)
        trainer = make_text_trainer(**options)
        after = spy_on_steps(trainer)
        records = run(trainer, tmp_path / "stopped").records
        assert len(before) + len(after) == len(weights)
        assert_equal(weights_of(trainer), last_weights)
        assert [without_speed(metrics) for metrics in records] == [without_speed(m) for m in expected[-len(records) :]]

    def test_an_epoch_reads_all_of_the_text_with_other_dropout_and_lengths(self, tmp_path):
        trainer = make_text_trainer(2, drop=0.2, window=WindowConfig(bptt=8))
        step, inputs = trainer.step.traced, spy_on_inputs(trainer)
        run(trainer, tmp_path)
        ids, targets, seeds = zip(*inputs, strict=True)
        rows = in_rows(PATTERN, TEXT_BATCH)
        np.testing.assert_array_equal(np.concatenate(ids, axis=1), np.tile(rows[:, :-1], 2))
        np.testing.assert_array_equal(np.concatenate(targets, axis=1), np.tile(rows[:, 1:], 2))
        assert len({tuple(seed) for seed in seeds}) == len(seeds)
        ends = np.cumsum([window.shape[1] for window in ids])
        second = list(ends).index(rows.shape[1] - 1) + 1
        assert list(ends[:second]) != [end - ends[second - 1] for end in ends[second:]]
        assert step.experimental_get_tracing_count() == 1

    def test_weights_that_an_epoch_s_last_step_spoils_are_not_kept(self, tmp_path):
        """Its training loss is still a number, its validation loss is not."""
        trainer = make_text_trainer(3)
        poison(trainer, step=trainer.steps_per_epoch - 1, times=1)
        records = run(trainer, tmp_path).records
        assert [np.isfinite(metrics["valid_loss"]) for metrics in records] == [True] * 3
        assert all(np.isfinite(values).all() for values in weights_of(trainer))

    def test_the_next_attempt_begins_at_the_checkpoint(self, tmp_path):
        """Its first step is as small as any."""
        trainer = make_text_trainer(3, drop=0.2)
        weights, per_epoch = poison(trainer, step=2, times=1), trainer.steps_per_epoch
        run(trainer, tmp_path)
        moved = np.abs(weights[2 * per_epoch][0] - weights[per_epoch - 1][0]).max()
        assert 0 < moved <= TEXT_SGD.learning_rate * TEXT_SGD.clip_norm


def make_varied(task: str):
    """A trainer with all that is random: augmentation, dropout, lengths of windows."""
    if task == "images":
        return make_image_trainer(augmentation=AugmentationConfig(crop_padding=2))
    return make_text_trainer(drop=0.2, window=WindowConfig(bptt=8, random_bptt=False))


@pytest.mark.parametrize("task", ["images", "text"])
class TestDivergence:
    def test_an_epoch_that_is_not_a_number_is_run_again(self, task, tmp_path):
        """From the last checkpoint, with other random numbers, and as if it had not been."""
        trainer = make_varied(task)
        weights, per_epoch = poison(trainer, step=0, times=1), trainer.steps_per_epoch
        reporter = run(trainer, tmp_path)
        assert len(weights) == 4 * per_epoch
        assert [np.isfinite(list(metrics.values())).all() for metrics in reporter.records] == [True] * 3
        epochs = [json.loads(line)["epoch"] for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
        assert epochs == [0, 1, 2]
        (line,) = [line for line in reporter.said if "restored the checkpoint" in line]
        expected = (
            rf"step {per_epoch + 2} has a loss of nan \(learning rate .*, gradient norm nan\); restored .* epoch 1;"
        )
        assert re.search(expected, line)
        assert all(np.isfinite(values).all() for values in weights_of(trainer))

    def test_a_run_that_is_never_a_number_ends(self, task, tmp_path):
        """After a second try from the same checkpoint."""
        trainer = make_varied(task)
        weights = poison(trainer, step=0, times=100)
        with pytest.raises(InputError, match=r"has diverged: step \d+ has a loss of nan.*retrain_learning_rate"):
            run(trainer, tmp_path)
        assert len(weights) == 3 * trainer.steps_per_epoch

    def test_without_a_checkpoint_there_is_nothing_to_go_back_to(self, task, tmp_path):
        sgd = SgdConfig(learning_rate=1e30, restart_epochs=0, momentum=0.0, clip_norm=1e30)
        trainer = make_image_trainer(sgd=sgd) if task == "images" else make_text_trainer(sgd=sgd)
        with pytest.raises(InputError, match=r"step \d has a loss of .* no checkpoint .*retrain_learning_rate"):
            run(trainer, tmp_path)
        assert not list(tmp_path.glob("checkpoints/*"))


class TestAnotherAttempt:
    """It draws everything anew, or the same step would diverge again."""

    def attempts(self, trainer, workdir):
        """Return the arguments of all steps of the second epoch in two attempts, of which the first diverges."""
        inputs, begins, start = spy_on_inputs(trainer), [], trainer.start
        trainer.start = lambda position, attempt: (begins.append(len(inputs)), start(position, attempt))
        second_epoch = trainer.problem.stream.num_steps(0, SEED)
        spy_on_steps(trainer, lambda number: spoil(trainer) if number == second_epoch else None)
        run(trainer, workdir)
        _, again = begins
        first = inputs[second_epoch:again]
        seeds = [tuple(step[-1]) for step in first], [tuple(step[-1]) for step in inputs[again:]]
        assert not set(seeds[0]) & set(seeds[1]), "masks should differ"
        return first, inputs[again : again + len(first)]

    def test_of_a_child_for_images(self, tmp_path):
        first, second = self.attempts(make_image_trainer(), tmp_path)
        assert len(first) == len(second) == 2
        for (before, *_), (after, *_) in zip(first, second, strict=True):
            assert not np.array_equal(before, after)

    def test_of_a_child_for_text(self, tmp_path):
        """Other windows: an epoch begins with the same token, but goes on with other lengths."""
        first, second = self.attempts(make_text_trainer(window=WindowConfig(bptt=8)), tmp_path)
        lengths = [[step[0].shape[1] for step in steps] for steps in (first, second)]
        assert lengths[0] != lengths[1]


@pytest.mark.parametrize("task", ["images", "text"])
def test_a_finished_run_does_nothing(task, tmp_path):
    trainer = make_varied(task)
    run(trainer, tmp_path)
    again = make_varied(task)
    weights = spy_on_steps(again)
    assert run(again, tmp_path).records == weights == []
    assert_equal(weights_of(again), weights_of(trainer))


@pytest.mark.parametrize("options", [{"epochs": 0}, {"batch_size": 0}], ids=str)
def test_wrong_options_are_named(options):
    with pytest.raises(InputError, match=f"^{next(iter(options))}=0"):
        RetrainConfig(**options)
