"""The training step: what it does to the weights of a supernet or a child, for either task."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from enas_tf.data.text_batches import in_rows
from enas_tf.models.language import LanguageConfig
from enas_tf.models.macro_config import MacroNetworkConfig
from enas_tf.models.networks import NETWORKS
from enas_tf.models.recurrent_supernet import RecurrentSupernet
from enas_tf.options import Config
from enas_tf.runtime.replicas import Replicas
from enas_tf.spaces.macro import MacroSpace
from enas_tf.spaces.recurrent import RecurrentSpace
from enas_tf.tasks.classification_config import IMAGE_SEARCH, ImageSearchConfig
from enas_tf.tasks.language_problems import WINDOW, WindowConfig
from enas_tf.tasks.problem import StepInputs
from enas_tf.tasks.task import TASKS
from enas_tf.training.optimizers import SgdConfig
from enas_tf.training.step import TrainingStep
from tests.tasks.small import PATTERN, TEXT, UNVARIED, image_shape, make_images, make_text, numpy_of
from tests.training.children import IMAGES, TEXT_BATCH, make_image_trainer, make_text_trainer, weights_of

#: Without momentum, decay of the rate and clipping, a step at rate 1 subtracts just the gradient.
PLAIN = SgdConfig(learning_rate=1.0, min_learning_rate=1.0, momentum=0.0, clip_norm=1e9)
NO_SEED = tf.constant([0, 0])


class TestImageSupernet:
    space = MacroSpace(num_layers=3, ops=("conv_3x3", "avg_pool_3x3"))
    tokens = space.random_tokens(2, np.random.default_rng(3))

    def make_step(self, supernet, children):
        config = UNVARIED.replace({IMAGE_SEARCH: ImageSearchConfig(children)})
        problem = TASKS["classification"].shared_problem(config, supernet, make_images(20, 20, 3), batch_size=8)
        return TrainingStep(problem, PLAIN, Replicas())

    def test_children_share_a_step_evenly(self):
        """A step of two children moves the weights by the mean of what each does on its half of the batch."""
        network = MacroNetworkConfig(channels=4, dropout=0.0)
        supernet = NETWORKS["macro"].build_supernet(self.space, network, image_shape(3))
        split = make_images(20, 20, 3).train
        images, labels = tf.constant(split.images[:8]), tf.constant(split.labels[:8])
        one, gradients, losses = self.make_step(supernet, children=1), [], []
        for tokens, half in zip(self.tokens, (slice(0, 4), slice(4, 8)), strict=True):
            inputs = StepInputs(NO_SEED, tf.zeros([]), tf.constant(tokens))
            mine, loss = one._differentiate_densely([images[half], labels[half]], inputs)
            gradients.append(mine)
            losses.append(loss)
        expected = [(first + second) / 2 for first, second in zip(*gradients, strict=True)]
        before = numpy_of(supernet.trainable_variables)
        both = self.make_step(supernet, children=2)
        both.begin_epoch()
        both.traced(images, labels, tf.constant(self.tokens), NO_SEED)
        for variable, old, gradient in zip(supernet.trainable_variables, before, expected, strict=True):
            np.testing.assert_allclose(old - variable.numpy(), gradient, atol=2e-4, err_msg=variable.path)
        differences = [float(tf.reduce_max(tf.abs(a - b))) for a, b in zip(*gradients, strict=True)]
        assert max(differences) > 1e-2, "the two children should have different gradients"
        means = both.means()
        assert means["loss"] == pytest.approx(np.mean([loss.cross_entropy for loss in losses]), rel=1e-4)
        assert means["accuracy"] == pytest.approx(np.sum([loss.sums["accuracy"] for loss in losses]) / 8)


class TestTextSupernet:
    sgd = SgdConfig(learning_rate=2.0, restart_epochs=0, momentum=0.0, l2=0.0, clip_norm=1.0)

    def make_step(self, space, sgd=sgd):
        keras.utils.set_random_seed(0)
        supernet = RecurrentSupernet(space, LanguageConfig(8, *[0.0] * 5, init_scale=0.5), TEXT)
        config = Config({WINDOW: WindowConfig(bptt=8)})
        problem = TASKS["language_modelling"].shared_problem(config, supernet, make_text(), TEXT_BATCH)
        return supernet, TrainingStep(problem, sgd, Replicas())

    def test_only_the_chosen_cell_learns(self):
        """A step moves the embedding and the rows of its cell, and no other row."""
        supernet, step = self.make_step(RecurrentSpace(nodes=3))
        tokens = np.array([[1, 0, 2, 1, 3]], np.int32)
        watched = (supernet.inputs, supernet.edges, supernet.embedding)
        before, rows = numpy_of(watched), in_rows(PATTERN, TEXT_BATCH)
        step.traced(tf.constant(rows[:, :7]), tf.constant(rows[:, 1:8]), tf.constant(tokens), tf.constant([0, 1]))
        differences = [np.abs(after - old) for after, old in zip(numpy_of(watched), before, strict=True)]
        inputs, edges = (np.flatnonzero(difference.max(axis=(1, 2))) for difference in differences[:2])
        assert list(inputs) == [1]
        assert list(edges) == [supernet.row(0, None, 1), supernet.row(1, 0, 2), supernet.row(2, 1, 3)]
        assert differences[2].max() > 0

    def test_the_state_is_carried_over_an_epoch(self):
        """With weights that stay: the last state is that of the text read at once, from zeros in every epoch."""
        space = RecurrentSpace(nodes=1, activations=("tanh",))
        supernet, step = self.make_step(space, SgdConfig(1e-12, 0.0, restart_epochs=0, momentum=0.0, l2=0.0))
        rows, tokens = in_rows(PATTERN, TEXT_BATCH), tf.constant([0])
        reading, _ = supernet(tf.constant(rows[:, :-1]), tf.zeros([TEXT_BATCH, 8]), tokens)
        for epoch in range(2):
            chosen = tf.zeros([step.problem.stream.num_steps(epoch, 0), 1, 1], tf.int32)
            step.run_epoch(0, epoch, 0, lambda num: None, chosen)
            np.testing.assert_allclose(step.state, reading.last, atol=1e-5)
        short, _ = supernet(tf.constant(rows[:, -4:-1]), tf.zeros([TEXT_BATCH, 8]), tokens)
        assert float(tf.reduce_max(tf.abs(short.last - reading.last))) > 1e-3, "the text before should matter"


def move_image_child(l2):
    """Return how far a step at a rate of 0.1 moves the weights, and the weights before."""
    sgd = SgdConfig(learning_rate=0.1, min_learning_rate=0.1, momentum=0.0, l2=l2, clip_norm=1e9)
    trainer = make_image_trainer(epochs=1, sgd=sgd)
    before = weights_of(trainer)
    trainer.step.traced(IMAGES.train.images[:16], IMAGES.train.labels[:16], NO_SEED)
    return [old - new for old, new in zip(before, weights_of(trainer), strict=True)], before


def move_text_child(l2, clip_norm=1e9):
    """Return the same for a window of half of `bptt`."""
    sgd = SgdConfig(learning_rate=0.1, restart_epochs=0, momentum=0.0, l2=l2, clip_norm=clip_norm)
    trainer, rows = make_text_trainer(1, sgd=sgd), in_rows(PATTERN, TEXT_BATCH)
    before = weights_of(trainer)
    trainer.step.traced(tf.constant(rows[:, :4]), tf.constant(rows[:, 1:5]), tf.constant([0, 1]))
    return [old - new for old, new in zip(before, weights_of(trainer), strict=True)], before


class TestChildren:
    @pytest.mark.parametrize(("move", "scale"), [(move_image_child, 1.0), (move_text_child, 0.5)])
    def test_l2_shrinks_all_weights(self, move, scale):
        """It is in the loss, over every trainable weight, without a factor of 1/2: a step at rate r takes 2 r l2 w.

        The rate of a window is scaled by its length / bptt, 4 / 8 here.
        """
        plain, weights = move(l2=0.0)
        shrunk, _ = move(l2=0.5)
        for without, with_l2, weight in zip(plain, shrunk, weights, strict=True):
            np.testing.assert_allclose(with_l2 - without, scale * 0.1 * 2 * 0.5 * weight, atol=1e-5)

    def test_a_step_is_scaled_by_the_length_of_its_window_after_clipping(self):
        """A clipped step is (4 / 8) rate clip_norm long."""
        clipped, _ = move_text_child(l2=0.0, clip_norm=0.01)
        length = np.sqrt(sum(np.sum(np.square(part)) for part in clipped))
        assert length == pytest.approx(0.5 * 0.1 * 0.01, rel=1e-2)

    def test_progress_is_the_share_of_the_training_with_this_step(self):
        trainer = make_image_trainer(epochs=2)
        found, forward = [], trainer.problem.forward

        def spy(batch, inputs):
            tf.py_function(lambda progress: found.append(float(progress)), [inputs.progress], [])
            return forward(batch, inputs)

        trainer.problem.forward = spy
        for epoch in range(2):
            trainer.step.run_epoch(0, epoch, 0, lambda num: None)
        assert found == pytest.approx([0.25, 0.5, 0.75, 1.0])
