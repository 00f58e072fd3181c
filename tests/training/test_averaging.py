"""Averaged SGD: it begins when the validation loss stops falling, and what is kept are means over the steps since."""

import numpy as np
import pytest

from enas_tf.data.text_batches import in_rows
from enas_tf.tasks.language_measures import compile_reader, mean_cross_entropy
from enas_tf.training.optimizers import SgdConfig
from tests.tasks.small import NOISE, PATTERN, assert_equal
from tests.training.children import TEXT_BATCH, child_of, make_text_trainer, run, spy_on_steps, weights_of


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
