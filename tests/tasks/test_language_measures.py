"""Measures of a language model: perplexity is its formula, and a text is read once and in order."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from enas_tf.data.text_batches import in_rows
from enas_tf.errors import InputError
from enas_tf.models.language import LanguageConfig, TextShape
from enas_tf.models.recurrent_child import build_recurrent_child
from enas_tf.spaces.recurrent import LstmBaseline, RecurrentArchitecture
from enas_tf.tasks.language_measures import compile_reader, mean_cross_entropy, measure_text, perplexity

VOCABULARY = 10
#: Longer than two of the windows in which a text is measured.
STREAM = np.random.default_rng(0).integers(0, VOCABULARY, 1100, dtype=np.int32)


def make_child(architecture):
    keras.utils.set_random_seed(2)
    return build_recurrent_child(architecture, LanguageConfig(units=5, init_scale=0.9), TextShape(VOCABULARY))


@pytest.fixture(scope="module")
def child():
    return make_child(RecurrentArchitecture.from_arc("0 0 1 1 3"))


@pytest.fixture(scope="module")
def run_child(child):
    """Traced, since the child is slow step by step; any number of rows of any length."""
    signature = [tf.TensorSpec([None, None], tf.int32), tf.TensorSpec([None, 5])]
    return tf.function(lambda *inputs: child(list(inputs)), autograph=False, input_signature=signature)


def cross_entropies(run_child, rows, state=None):
    """Of every target of `rows` [n, columns], read as one window each, from a state of zeros: [n, columns - 1]."""
    logits, _ = run_child(rows[:, :-1], np.zeros([len(rows), 5], np.float32) if state is None else state)
    logits = logits.numpy().astype(np.float64)
    chosen = np.take_along_axis(logits, rows[:, 1:, None], axis=2)[..., 0]
    return np.log(np.sum(np.exp(logits), axis=2)) - chosen


def test_perplexity():
    assert perplexity(0.0) == 1.0
    assert perplexity(math.log(VOCABULARY)) == pytest.approx(VOCABULARY)
    assert perplexity(1000.0) == perplexity(math.inf) == math.inf
    assert not perplexity(math.nan) < math.inf


@pytest.mark.parametrize("architecture", [RecurrentArchitecture.from_arc("0 0 1"), LstmBaseline(2)], ids=str)
def test_a_uniform_model_has_the_logarithm_of_the_vocabulary(architecture):
    child = make_child(architecture)
    for variable in child.trainable_variables:
        variable.assign(tf.zeros_like(variable))
    rows = in_rows(STREAM, 4)
    found = mean_cross_entropy(compile_reader(child), rows, 35, child.input_shape[1][-1])
    assert found == pytest.approx(math.log(VOCABULARY), rel=1e-6)
    assert measure_text(child, STREAM, "test")["perplexity"] == pytest.approx(VOCABULARY, rel=1e-5)


class Reader:
    """Costs what the targets add up to, keeps the windows, and counts in the state how many it has read."""

    def __init__(self):
        self.ids, self.targets, self.states = [], [], []

    def __call__(self, ids, targets, state):
        self.ids.append(ids.numpy())
        self.targets.append(targets.numpy())
        self.states.append(state.numpy())
        return tf.reduce_sum(tf.cast(targets, tf.float32)), state + 1


@pytest.mark.parametrize(("batch_size", "bptt"), [(1, 35), (4, 35), (4, 5000), (7, 1)])
def test_every_target_counts_once_and_the_state_is_carried(batch_size, bptt):
    rows, reader = in_rows(STREAM[:300], batch_size), Reader()
    found = mean_cross_entropy(reader, rows, bptt, state_size=3)
    np.testing.assert_array_equal(np.concatenate(reader.ids, axis=1), rows[:, :-1])
    np.testing.assert_array_equal(np.concatenate(reader.targets, axis=1), rows[:, 1:])
    assert found == pytest.approx(rows[:, 1:].mean())
    for number, state in enumerate(reader.states):
        np.testing.assert_array_equal(state, np.full((batch_size, 3), number))


@pytest.mark.parametrize(("num_windows", "expected"), [(1, 1), (3, 3), (100, 8), (0, 8)])
def test_some_windows_or_all(num_windows, expected):
    rows, reader = in_rows(STREAM[:300], 4), Reader()
    found = mean_cross_entropy(reader, rows, 10, 3, num_windows)
    assert len(reader.ids) == expected
    assert found == pytest.approx(rows[:, 1 : 10 * expected + 1].mean())


@pytest.mark.parametrize("bptt", [7, 35])
def test_windows_do_not_change_a_cross_entropy(child, run_child, bptt):
    """Those of a text in rows are those of its rows read at once, whatever the windows."""
    rows = in_rows(STREAM, 4)
    found = mean_cross_entropy(compile_reader(child), rows, bptt, 5)
    assert found == pytest.approx(cross_entropies(run_child, rows).mean(), rel=1e-5)


def test_a_reader_sums_and_hands_on_the_state(child, run_child):
    rows, state = in_rows(STREAM[:40], 4), tf.ones([4, 5])
    found, last = compile_reader(child)(rows[:, :-1], rows[:, 1:], state)
    assert float(found) == pytest.approx(cross_entropies(run_child, rows, state).sum(), rel=1e-5)
    np.testing.assert_allclose(last, run_child(rows[:, :-1], state)[1], atol=1e-5)


def test_one_trace_reads_windows_of_any_size(child):
    read = compile_reader(child)
    for shape in ((1, 3), (4, 3), (4, 7)):
        read(np.zeros(shape, np.int32), np.zeros(shape, np.int32), np.zeros((shape[0], 5), np.float32))
    assert read.experimental_get_tracing_count() == 1


@pytest.mark.parametrize("length", [2, 513, 514, 1100])
def test_a_text_is_measured_as_one_row(child, run_child, length):
    """All of it, as if it were read in a single window; lengths around a window of 512 tokens."""
    ids = STREAM[:length]
    expected = cross_entropies(run_child, ids[None]).mean()
    found = measure_text(child, ids, "test")
    assert found["loss"] == pytest.approx(expected, rel=1e-5)
    assert found["perplexity"] == pytest.approx(np.exp(expected), rel=1e-5)


def test_a_text_without_a_target_is_named(child):
    with pytest.raises(InputError, match=r"test part .* 1 tokens"):
        measure_text(child, STREAM[:1], "test")
