"""Averages of weights: what is validated and kept is the average, and what is trained goes on as if there were none."""

import numpy as np
import pytest

from enas_tf.data.text_batches import in_rows
from enas_tf.errors import InputError
from enas_tf.tasks.language_measures import compile_reader, mean_cross_entropy
from enas_tf.training.child import build_average
from enas_tf.training.optimizers import ChildSgdConfig, SgdConfig
from tests.tasks.small import NOISE, PATTERN, assert_equal
from tests.training.children import (
    TEXT_BATCH,
    child_of,
    make_image_trainer,
    make_text_trainer,
    run,
    spy_on_steps,
    weights_of,
)


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """Six epochs without averaging: the weights after each step, and the validation losses."""
    trainer = make_text_trainer(6)
    weights = spy_on_steps(trainer)
    records = run(trainer, tmp_path_factory.mktemp("plain")).records
    return weights, [metrics["valid_loss"] for metrics in records]


@pytest.mark.parametrize("patience", [1, 2])
def test_averaging_begins_when_the_loss_stops_falling(patience, plain, tmp_path):
    """When the validation loss exceeds the lowest of all but the last epochs; from the step that follows.

    What is validated and kept are then the means; what is trained goes on as if there were none.
    """
    (expected, plain_losses), epochs = plain, 6
    first = next(e for e in range(patience + 1, epochs) if plain_losses[e] > min(plain_losses[: e - patience]))
    assert first < epochs - 2, "the loss should rise early, or there is nothing to see"

    trainer = make_text_trainer(epochs, patience=patience)
    weights = spy_on_steps(trainer)
    records = run(trainer, tmp_path).records
    assert [metrics["is_averaging"] for metrics in records] == [float(epoch >= first) for epoch in range(epochs)]
    for mine, its in zip(weights, expected, strict=True):
        assert_equal(mine, its)
    averaged = weights[(first + 1) * trainer.steps_per_epoch :]
    for mine, *steps in zip(weights_of(trainer), *averaged, strict=True):
        np.testing.assert_allclose(mine, np.mean(steps, axis=0), rtol=1e-4, atol=1e-5)
    assert np.abs(weights_of(trainer)[0] - weights[-1][0]).max() > 1e-3, "means should differ from the last weights"
    losses = [metrics["valid_loss"] for metrics in records]
    assert losses[: first + 1] == plain_losses[: first + 1]
    rows, size = in_rows(NOISE[:80], TEXT_BATCH), trainer.step.state.shape[1]
    kept = mean_cross_entropy(compile_reader(child_of(trainer)), rows, 5, size)
    assert losses[-1] == pytest.approx(kept, rel=1e-5)
    assert losses[-1] != pytest.approx(plain_losses[-1], rel=1e-3)


def test_a_falling_loss_is_not_averaged(tmp_path):
    slow = SgdConfig(learning_rate=1.0, restart_epochs=0, momentum=0.0, clip_norm=1.0)
    trainer = make_text_trainer(4, valid=PATTERN[:80], patience=1, sgd=slow)
    weights = spy_on_steps(trainer)
    records = run(trainer, tmp_path).records
    losses = [metrics["valid_loss"] for metrics in records]
    assert losses == sorted(losses, reverse=True), "the loss should fall, or there is nothing to see"
    assert not any(metrics["is_averaging"] for metrics in records)
    assert_equal(weights_of(trainer), weights[-1])


def test_averaging_that_begins_after_the_last_step_changes_nothing(tmp_path):
    """A mean over no step: the child keeps its weights."""
    trainer = make_text_trainer(3, patience=1)
    weights = spy_on_steps(trainer)
    records = run(trainer, tmp_path).records
    assert records[-1]["is_averaging"] == 1.0, "it should begin in the last epoch, or there is nothing to see"
    assert_equal(weights_of(trainer), weights[-1])


def image_sgd(weight_average):
    return ChildSgdConfig(learning_rate=0.1, restart_epochs=30, l2=0.0, weight_average=weight_average)


def test_a_moving_average_is_validated_and_kept_and_the_training_goes_on(tmp_path):
    plain = make_image_trainer(sgd=image_sgd(0.0))
    expected = spy_on_steps(plain)
    begin = weights_of(plain)
    run(plain, tmp_path / "plain")

    trainer = make_image_trainer(sgd=image_sgd(0.3))
    weights = spy_on_steps(trainer)
    records = run(trainer, tmp_path / "averaged").records
    means = begin
    for number, (mine, its) in enumerate(zip(weights, expected, strict=True), start=1):
        assert_equal(mine, its)
        # The first steps are not to keep the weights that the training has begun with.
        decay = min(0.3, (1 + number) / (10 + number))
        means = [decay * mean + (1 - decay) * value for mean, value in zip(means, mine, strict=True)]
    for mine, its in zip(weights_of(trainer), means, strict=True):
        np.testing.assert_allclose(mine, its, rtol=1e-4, atol=1e-6)
    assert np.abs(weights_of(trainer)[0] - weights[-1][0]).max() > 1e-4, "it should differ from the last weights"
    assert records[-1]["valid_loss"] == pytest.approx(trainer._validate()["valid_loss"], rel=1e-5)


def test_a_moving_average_goes_on_where_a_run_was_stopped(tmp_path):
    through, stopped = (make_image_trainer(sgd=image_sgd(0.9)) for _ in range(2))
    run(through, tmp_path / "through")
    with pytest.raises(KeyboardInterrupt):
        run(stopped, tmp_path / "stopped", stop=1)
    again = make_image_trainer(sgd=image_sgd(0.9))
    run(again, tmp_path / "stopped")
    assert_equal(weights_of(again), weights_of(through))


def test_text_has_an_average_of_its_own():
    with pytest.raises(InputError, match=r"retrain_weight_average.*=0\.9 is for images"):
        build_average([], image_sgd(0.9), 10, 3)
    assert build_average([], image_sgd(0.0), None, 3) is None


@pytest.mark.parametrize(("last", "mean"), [(0.5, 0.9), (0.9, 0.5), (0.5, 0.5), (float("nan"), 0.5)])
def test_the_last_weights_are_kept_where_they_are_better_than_their_mean(last, mean, tmp_path):
    """After a plateau the loss may fall again: a mean from there on is of weights that were never good."""
    trainer = make_text_trainer(4, patience=1)
    weights = spy_on_steps(trainer)
    losses = iter([1.0, 2.0, 3.0, 3.0, last, mean, 0.25])
    trainer._validate = lambda: {"valid_loss": next(losses)}
    said = run(trainer, tmp_path).said
    assert trainer.averaging.is_on
    is_last = all(np.array_equal(*pair) for pair in zip(weights_of(trainer), weights[-1], strict=True))
    assert is_last == (last < mean)
    assert any("the last weights are kept" in line for line in said) == is_last
    assert trainer.valid == {"valid_loss": 0.25}, "what is kept is measured last"
