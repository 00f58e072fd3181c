"""The NAS cells against plain NumPy: the paper's example, the published cell, dropout, and what is saved."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from enas_tf.models.language import LanguageConfig, TextShape, draw_masks
from enas_tf.models.nas_recurrent_child import (
    NasRecurrentCell,
    build_nas_recurrent_child,
    count_nas_recurrent_child,
)
from enas_tf.models.recurrent_child import count_recurrent_child
from enas_tf.models.recurrent_training import RecurrentTrainee
from enas_tf.spaces.architectures import read_architecture
from enas_tf.spaces.nas_recurrent import NasRecurrentSpace
from enas_tf.spaces.recurrent import LstmBaseline

TEXT = TextShape(vocabulary_size=10)
CONFIG = LanguageConfig(5, 0.2, 0.3, 0.25, 0.4, 0.35, init_scale=0.9)
WORKED_EXAMPLE = read_architecture("0 0 1 1 1 3 0 1 1 0", "nas_recurrent")
PUBLISHED = read_architecture("nas_cell")
tanh = np.tanh


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def relu(z):
    return np.maximum(z, 0)


def worked_example(products, read, c):
    """Return h_t and c_t of the paper's example of base 2."""
    a0 = relu(tanh(products[0] + read[0]) + c)
    memory = products[1] * read[1]
    return sigmoid(a0 * relu(memory)), memory


def published(i, m, c):
    """Return h_t and c_t as TensorFlow Addons' NASCell computes them."""
    l1 = [sigmoid(i[0] + m[0]), relu(i[1] + m[1]), sigmoid(i[2] + m[2]), relu(i[3] * m[3])]
    l1 += [tanh(i[4] + m[4]), sigmoid(i[5] + m[5]), tanh(i[6] + m[6]), sigmoid(i[7] + m[7])]
    l2 = [tanh(l1[0] * l1[1]), tanh(l1[2] + l1[3]), tanh(l1[4] * l1[5]), sigmoid(l1[6] + l1[7])]
    memory = tanh(l2[0] + c) * l2[1]
    return tanh(memory * tanh(l2[2] + l2[3])), memory


CELLS = {"worked_example": (WORKED_EXAMPLE, worked_example), "published": (PUBLISHED, published)}


@pytest.mark.parametrize("name", CELLS)
def test_a_cell_computes_what_was_published(name):
    architecture, expected = CELLS[name]
    cell = NasRecurrentCell(4, architecture.to_json(), init_scale=0.9)
    random = np.random.default_rng(0)
    x, h, c = (random.normal(size=(3, size)).astype(np.float32) for size in (9, 4, 4))
    output, (state,) = cell(x, [np.concatenate([h, c], axis=1)])
    kernels = cell.input_kernel.numpy(), cell.recurrent_kernel.numpy()
    terms = [np.split(one @ kernel, architecture.base, axis=1) for one, kernel in zip((x, h), kernels, strict=True)]
    np.testing.assert_allclose(state, np.concatenate(expected(*terms, c), axis=1), atol=1e-6)
    np.testing.assert_array_equal(output, state[:, :4])


def test_parameters_of_the_published_cell():
    """8 U (X + U): 416 for 9 inputs and 4 units."""
    cell = NasRecurrentCell(4, PUBLISHED.to_json())
    cell.build((None, 9))
    assert sum(int(np.prod(weight.shape)) for weight in cell.trainable_variables) == 416


@pytest.mark.parametrize("base", [4, 8])
def test_an_lstm_of_equal_parameters_has_one_node_less_than_leaves(base):
    cell = NasRecurrentSpace(base=base).decode([0] * (4 * base + 2))
    config, text = LanguageConfig(units=128), TextShape(2000)
    mine, its = (
        count_nas_recurrent_child(cell, config, text),
        count_recurrent_child(LstmBaseline(base - 1), config, text),
    )
    assert its.parameters == pytest.approx(mine.parameters, rel=0.01)


@pytest.fixture(scope="module")
def trainee():
    keras.utils.set_random_seed(4)
    return RecurrentTrainee(build_nas_recurrent_child(PUBLISHED, CONFIG, TEXT), PUBLISHED, CONFIG, TEXT)


def make_window(time=6):
    random = np.random.default_rng(0)
    ids = random.integers(0, TEXT.vocabulary_size, (4, time), dtype=np.int32)
    return tf.constant(ids), tf.constant(random.normal(size=(4, 10)), tf.float32)


def test_a_trainee_without_a_seed_is_the_child_and_a_state_carries_over(trainee):
    ids, state = make_window()
    logits, last = trainee.child([ids, state])
    reading = trainee.read(ids, state)
    np.testing.assert_allclose(trainee.logits(reading.dropped), logits, atol=1e-5)
    np.testing.assert_allclose(reading.last, last, atol=1e-5)
    again = trainee.read(ids[:, 3:], trainee.read(ids[:, :3], state).last)
    np.testing.assert_allclose(again.states, reading.states[:, 3:], atol=1e-5)


def test_dropout_is_of_the_output_where_it_is_read_and_not_of_the_memory(trainee):
    """With all else kept: a step from the masked output and the whole memory."""
    config = LanguageConfig(5, 0.0, 0.0, 0.0, 0.4, 0.0)
    ids, state = make_window(time=1)
    seed = tf.constant([5, 6])
    mask = draw_masks(dataclasses.replace(config, units=5), TEXT, tf.constant(4), seed).state
    assert 0 < float(tf.reduce_mean(tf.cast(mask > 0, tf.float32))) < 1
    expected = trainee.child([ids, tf.concat([mask * state[:, :5], state[:, 5:]], axis=1)])
    reading = RecurrentTrainee(trainee.child, PUBLISHED, config, TEXT).read(ids, state, seed)
    np.testing.assert_allclose(reading.last, expected[1], atol=1e-5)


def test_a_child_saves_and_loads(trainee, tmp_path):
    ids, state = make_window()
    trainee.child.save(tmp_path / "child.keras")
    loaded = keras.models.load_model(tmp_path / "child.keras")
    for mine, its in zip(loaded([ids, state]), trainee.child([ids, state]), strict=True):
        np.testing.assert_array_equal(mine, its)
