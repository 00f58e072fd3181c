"""The recurrent networks against plain NumPy, published sizes, and what only training has: dropout of whole windows."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from enas_tf.errors import InputError
from enas_tf.models.language import LanguageConfig, TextShape, draw_masks, embed
from enas_tf.models.networks import NETWORKS
from enas_tf.models.recurrent_child import build_recurrent_child, child_units, count_recurrent_child
from enas_tf.models.recurrent_supernet import RecurrentSupernet
from enas_tf.models.recurrent_training import RecurrentTrainee
from enas_tf.ops.costs import Cost
from enas_tf.spaces.architectures import read_architecture
from enas_tf.spaces.recurrent import LstmBaseline, RecurrentArchitecture, RecurrentSpace

TEXT = TextShape(vocabulary_size=10)
PENN_TREEBANK = TextShape(vocabulary_size=10_000)
# Weights large enough for every activation to bend, and shares of dropout that leave something of four rows.
CONFIG = LanguageConfig(5, 0.2, 0.3, 0.25, 0.4, 0.35, init_scale=0.9)
#: The paper's example of four nodes: tanh; relu of node 0; relu of node 1; tanh of node 0.
WORKED_EXAMPLE = RecurrentArchitecture.from_arc("0 0 1 1 1 0 0")
LSTM = LstmBaseline(nodes=4)


def make_child(architecture, config=CONFIG):
    keras.utils.set_random_seed(4)
    return build_recurrent_child(architecture, config, TEXT)


@pytest.fixture(scope="module")
def worked_example() -> RecurrentTrainee:
    return RecurrentTrainee(make_child(WORKED_EXAMPLE), WORKED_EXAMPLE, CONFIG, TEXT)


@pytest.fixture(scope="module")
def lstm() -> RecurrentTrainee:
    return RecurrentTrainee(make_child(LSTM), LSTM, CONFIG, TEXT)


@pytest.fixture(params=["worked_example", "lstm"])
def trainee(request) -> RecurrentTrainee:
    return request.getfixturevalue(request.param)


def make_window(trainee, rows=4, time=6, seed=0):
    random = np.random.default_rng(seed)
    ids = random.integers(0, TEXT.vocabulary_size, (rows, time), dtype=np.int32)
    return tf.constant(ids), tf.constant(random.normal(size=(rows, trainee.cell.state_size)), tf.float32)


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def relu(z):
    return np.maximum(z, 0)


def mix(source, product, activation):
    """A node with its highway connection: the second half of the product is the gate."""
    units = source.shape[1]
    gate = sigmoid(product[:, units:])
    return gate * activation(product[:, :units]) + (1 - gate) * source


def worked_example_step(x, h, kernels, mask=1.0):
    """One step as the paper tells it; `mask` is on whatever is read of nodes and of the state."""
    node_0 = mix(h, np.concatenate([x, mask * h], axis=1) @ kernels[0], np.tanh)
    node_1 = mix(node_0, (mask * node_0) @ kernels[1], relu)
    node_2 = mix(node_1, (mask * node_1) @ kernels[2], relu)
    node_3 = mix(node_0, (mask * node_0) @ kernels[3], np.tanh)
    return (node_2 + node_3) / 2


def enas_lm_step(x, h, kernels, pairs):
    """enas_lm's `_rnn_fn`: a first layer of tanh, layers (previous, function), the mean of all but the first."""
    functions = [np.tanh, relu, sigmoid, lambda z: z]
    layers = [mix(h, np.concatenate([x, h], axis=1) @ kernels[0], np.tanh)]
    for kernel, (previous, function) in zip(kernels[1:], pairs, strict=True):
        layers.append(mix(layers[previous], layers[previous] @ kernel, functions[function]))
    return sum(layers[1:]) / len(pairs)


def kernels_of(cell):
    """Of each node, the first one's for input and state together."""
    first, *rest = (kernel.numpy() for kernel in cell.kernels)
    return [np.concatenate([cell.input_kernel.numpy(), first]), *rest]


def read_with(step, child, ids, state):
    """Logits of a window and the last state, by a NumPy `step` on the weights of `child`."""
    embedding = child.get_layer("embedding").embeddings.numpy()
    kernels = kernels_of(child.get_layer("rnn").cell)
    h, logits = state.numpy(), []
    for column in ids.numpy().T:
        h = step(embedding[column], h, kernels)
        logits.append(h @ embedding.T)
    return np.stack(logits, axis=1), h


def test_worked_example_of_the_paper(worked_example):
    ids, state = make_window(worked_example)
    logits, last = read_with(worked_example_step, worked_example.child, ids, state)
    found = worked_example.child([ids, state])
    np.testing.assert_allclose(found[0], logits, atol=1e-5)
    np.testing.assert_allclose(found[1], last, atol=1e-5)


def test_published_cell_of_enas_lm(worked_example):
    """Its own reading of its own notation, on all four functions of it."""
    numbers = [0, 2, 1, 0, 2, 1, 2, 2, 4, 0, 5, 3, 3, 2, 6, 2]
    architecture = RecurrentArchitecture.from_arc(f"enas_lm: {' '.join(map(str, numbers))}")
    child = make_child(architecture)
    ids, state = make_window(worked_example)
    pairs = list(zip(numbers[::2], numbers[1::2], strict=True))
    logits, last = read_with(lambda x, h, kernels: enas_lm_step(x, h, kernels, pairs), child, ids, state)
    found = child([ids, state])
    np.testing.assert_allclose(found[0], logits, atol=1e-5)
    np.testing.assert_allclose(found[1], last, atol=1e-5)


def test_lstm_is_that_of_keras(lstm):
    ids, state = make_window(lstm)
    units = lstm.cell.units
    plain = keras.layers.LSTM(units, return_sequences=True, return_state=True)
    plain.build((None, None, units))
    plain.set_weights(lstm.cell.get_weights())
    embedding = lstm.child.get_layer("embedding").embeddings.numpy()
    start = [state[:, :units], state[:, units:]]
    outputs, *last = plain(tf.gather(embedding, ids), initial_state=start)
    found = lstm.child([ids, state])
    np.testing.assert_allclose(found[0], outputs.numpy() @ embedding.T, atol=1e-5)
    np.testing.assert_allclose(found[1], np.concatenate(last, axis=1), atol=1e-5)


@pytest.mark.parametrize(
    ("name", "units", "millions"), [("enas_lm", 800, 20.8), ("darts_ptb", 800, 20.8), ("enas_ptb", 748, 22.0)]
)
def test_parameters_of_the_published_cells(name, units, millions):
    """enas_lm's children at its width, and the authors' cell of 12 nodes at theirs, on the Penn Treebank."""
    architecture = read_architecture(name, "recurrent")
    cost = count_recurrent_child(architecture, LanguageConfig(units=units), PENN_TREEBANK)
    assert round(cost.parameters / 1e6, 1) == millions
    # Each weight of the cell, and of the softmax, is one product for a token.
    assert cost.flops == 2 * cost.parameters


def test_parameters_of_the_supernet_of_enas_lm():
    """16.56 M: an embedding, a first layer that is tanh, and W_k [4, k, H, 2 H] for the nodes k = 1..9 after it.

    Ours has the same but for the three activations that the first node may also pick.
    """
    units = 200
    banks = sum(4 * node * units * 2 * units for node in range(1, 10))
    published = 10_000 * units + (2 * units) ** 2 + banks
    assert published == 16_560_000
    supernet = RecurrentSupernet(RecurrentSpace(nodes=10), LanguageConfig(units=units), PENN_TREEBANK)
    assert sum(int(np.prod(v.shape)) for v in supernet.trainable_variables) == published + 3 * (2 * units) ** 2
    assert int(np.prod(supernet.edges.shape)) == banks + 4 * units * 2 * units


def test_every_choice_has_a_row_of_its_own():
    supernet = RecurrentSupernet(RecurrentSpace(nodes=5, activations=("tanh", "relu", "sigmoid")), CONFIG, TEXT)
    rows = [supernet.row(node, previous, f) for node in range(5) for previous in range(node or 1) for f in range(3)]
    assert sorted(rows) == list(range(supernet.edges.shape[0]))


@pytest.mark.parametrize("vocabulary_size", [100, 2082, 10_000])
@pytest.mark.parametrize("nodes", [1, 9, 12])
@pytest.mark.parametrize("units", [100, 200, 748, 800])
def test_an_lstm_has_as_many_parameters_as_the_cell_it_is_compared_with(units, nodes, vocabulary_size):
    """Within 1 %, and no other width comes closer."""
    text, config = TextShape(vocabulary_size), LanguageConfig(units=units)
    cell = RecurrentSpace(nodes=nodes).decode([0] * (2 * nodes - 1))
    wanted = count_recurrent_child(cell, config, text).parameters
    width = child_units(LstmBaseline(nodes), config, text)
    off = [abs(8 * h * h + (vocabulary_size + 4) * h - wanted) for h in (width - 1, width, width + 1)]
    assert count_recurrent_child(LstmBaseline(nodes), config, text).parameters == pytest.approx(wanted, rel=0.01)
    assert abs(count_recurrent_child(LstmBaseline(nodes), config, text).parameters - wanted) == off[1] == min(off)


def test_an_lstm_costs_what_is_counted(lstm):
    counted = sum(int(np.prod(v.shape)) for v in lstm.child.trainable_variables)
    cost = count_recurrent_child(LSTM, CONFIG, TEXT)
    biases = 4 * lstm.cell.units
    assert cost == Cost(parameters=counted, flops=2 * (counted - biases))


def test_a_child_saves_and_loads(trainee, tmp_path):
    ids, state = make_window(trainee)
    trainee.child.save(tmp_path / "child.keras")
    loaded = keras.models.load_model(tmp_path / "child.keras")
    for mine, its in zip(loaded([ids, state]), trainee.child([ids, state]), strict=True):
        np.testing.assert_array_equal(mine, its)
    assert len(loaded.trainable_variables) == len(trainee.child.trainable_variables)


def test_a_state_carries_over(trainee):
    """Two windows with the state between them are one long window, in the child and in what trains it."""
    ids, state = make_window(trainee, time=7)
    logits, last = trainee.child([ids, state])
    first, between = trainee.child([ids[:, :3], state])
    second, end = trainee.child([ids[:, 3:], between])
    np.testing.assert_allclose(tf.concat([first, second], axis=1), logits, atol=1e-5)
    np.testing.assert_allclose(end, last, atol=1e-5)
    again = trainee.read(ids[:, 3:], trainee.read(ids[:, :3], state).last)
    np.testing.assert_allclose(again.states, trainee.read(ids, state).states[:, 3:], atol=1e-5)
    forgetful, _ = trainee.child([ids[:, 3:], state])
    assert float(tf.reduce_max(tf.abs(forgetful - second))) > 1e-3


def test_rows_are_independent(trainee):
    ids, state = make_window(trainee)
    logits, last = trainee.child([ids, state])
    alone, end = trainee.child([ids[2:3], state[2:3]])
    np.testing.assert_allclose(alone[0], logits[2], atol=1e-5)
    np.testing.assert_allclose(end[0], last[2], atol=1e-5)


def test_a_trainee_without_a_seed_is_the_child(trainee):
    ids, state = make_window(trainee)
    reading = trainee.read(ids, state)
    logits, last = trainee.child([ids, state])
    assert reading.dropped is reading.states
    np.testing.assert_allclose(trainee.logits(reading.dropped), logits, atol=1e-5)
    np.testing.assert_allclose(reading.last, last, atol=1e-5)
    assert {v.path for v in trainee.trainable_variables} == {v.path for v in trainee.child.trainable_variables}


MASKS = ("words", "embedded", "state", "output")


def test_masks_keep_the_mean():
    """Each is 0 for its share, and else what makes the mean 1; the input of the cell has two kinds of dropout."""
    config, text = dataclasses.replace(CONFIG, units=100), TextShape(40_000)
    masks = draw_masks(config, text, tf.constant(400), tf.constant([1, 2]))
    keeps = {"words": 0.8, "embedded": 0.7 * 0.75, "state": 0.6, "output": 0.65}
    assert masks._fields == MASKS
    for name, keep in keeps.items():
        mask = getattr(masks, name).numpy()
        assert mask.mean() == pytest.approx(1.0, abs=0.02), name
        assert (mask > 0).mean() == pytest.approx(keep, abs=0.01), name
        np.testing.assert_allclose(mask[mask > 0], 1 / keep, rtol=1e-5, err_msg=name)


def test_masks_are_a_function_of_the_seed():
    draws = [
        draw_masks(CONFIG, TextShape(200), tf.constant(30), tf.constant(seed)) for seed in ([1, 2], [1, 2], [1, 3])
    ]
    for name in MASKS:
        first, again, other = (getattr(draw, name).numpy() for draw in draws)
        np.testing.assert_array_equal(first, again, err_msg=name)
        assert not np.array_equal(first, other), name


def test_masks_of_equal_shares_differ():
    """What is dropped of the input says nothing of what is dropped of the state."""
    config = LanguageConfig(60, 0.0, 0.0, 0.5, 0.5, 0.5)
    masks = draw_masks(config, TEXT, tf.constant(60), tf.constant([1, 2]))
    kept = [mask.numpy().ravel() > 0 for mask in (masks.embedded, masks.state, masks.output)]
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert (kept[one] == kept[other]).mean() == pytest.approx(0.5, abs=0.05)


def test_no_shares_no_dropout():
    masks = draw_masks(LanguageConfig(4, 0.0, 0.0, 0.0, 0.0, 0.0), TEXT, tf.constant(3), tf.constant([1, 2]))
    for mask in masks:
        np.testing.assert_array_equal(mask, np.ones_like(mask))


def test_a_word_is_dropped_everywhere_and_a_feature_at_all_times():
    masks = draw_masks(LanguageConfig(8, 0.5, 0.5, 0.0), TextShape(6), tf.constant(5), tf.constant([3, 1]))
    ids = np.tile(np.repeat(np.arange(6), 2), (5, 2)).astype(np.int32)
    factors = embed(tf.ones([6, 8]), ids, masks).numpy()
    for word in range(6):
        of_word = factors[ids == word].reshape(5, 4, 8)
        np.testing.assert_array_equal(of_word, np.repeat(of_word[:, :1], 4, axis=1))
    is_kept = masks.words.numpy()[:, 0] > 0
    assert 0 < is_kept.sum() < 6, "the seed should drop some words and keep others"
    np.testing.assert_array_equal((factors > 0).any(axis=(0, 2)), is_kept[ids[0]])


def test_dropout_stays_the_same_over_a_window(worked_example):
    """The worked example in NumPy, with masks that are drawn once; the state that is passed on is whole."""
    ids, state = make_window(worked_example)
    seed = tf.constant([5, 6])
    masks = [mask.numpy() for mask in draw_masks(CONFIG, TEXT, tf.constant(4), seed)]
    words, embedded, mask, output = masks
    embedding = worked_example.embedding.embeddings.numpy()
    kernels = kernels_of(worked_example.cell)
    h, states = state.numpy(), []
    for column in ids.numpy().T:
        h = worked_example_step(embedding[column] * words[column] * embedded, h, kernels, mask)
        states.append(h)
    reading = worked_example.read(ids, state, seed)
    np.testing.assert_allclose(reading.states, np.stack(states, axis=1), atol=1e-5)
    np.testing.assert_allclose(reading.dropped, np.stack(states, axis=1) * output, atol=1e-5)
    np.testing.assert_allclose(reading.last, h, atol=1e-5)


def test_an_lstm_drops_what_it_reads_and_not_its_memory(lstm):
    """With all else kept: a step from the masked output and the whole memory."""
    config = LanguageConfig(5, 0.0, 0.0, 0.0, 0.4, 0.0)
    trainee = RecurrentTrainee(lstm.child, LSTM, config, TEXT)
    ids, state = make_window(lstm, time=1)
    units, seed = lstm.cell.units, tf.constant([5, 6])
    mask = draw_masks(dataclasses.replace(config, units=units), TEXT, tf.constant(4), seed).state
    assert 0 < float(tf.reduce_mean(tf.cast(mask > 0, tf.float32))) < 1
    expected = lstm.child([ids, tf.concat([mask * state[:, :units], state[:, units:]], axis=1)])
    reading = trainee.read(ids, state, seed)
    np.testing.assert_allclose(reading.last, expected[1], atol=1e-5)
    np.testing.assert_allclose(trainee.logits(reading.states), expected[0], atol=1e-5)


@pytest.mark.parametrize("output", ["loose_ends", "all_but_first"])
def test_supernet_and_trainee_drop_alike(output):
    """One function of the seed: a child goes on under the dropout that its shared weights have had."""
    keras.utils.set_random_seed(0)
    space = RecurrentSpace(nodes=4, output=output)
    supernet = RecurrentSupernet(space, CONFIG, TEXT)
    tokens = space.encode(dataclasses.replace(WORKED_EXAMPLE, output=output))
    child = make_child(space.decode(tokens))
    NETWORKS["recurrent"].inherit_weights(child, supernet, space.decode(tokens))
    trainee = RecurrentTrainee(child, space.decode(tokens), CONFIG, TEXT)
    ids, state = make_window(trainee)
    for seed in (None, tf.constant([7, 8])):
        expected, _ = supernet(ids, state, tf.constant(tokens), seed)
        for mine, its in zip(trainee.read(ids, state, seed), expected, strict=True):
            np.testing.assert_allclose(mine, its, atol=1e-5)
        np.testing.assert_allclose(trainee.logits(expected.dropped), supernet.logits(expected.dropped), atol=1e-5)


@pytest.mark.parametrize(
    "options",
    [{"units": 0}, {"drop_words": 1.0}, {"drop_output": -0.1}, {"drop_state": 1.5}, {"init_scale": 0.0}],
    ids=str,
)
def test_wrong_options_are_named(options):
    with pytest.raises(InputError, match=f"{next(iter(options))}="):
        LanguageConfig(**options)
