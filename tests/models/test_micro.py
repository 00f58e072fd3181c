"""The micro networks: sizes, stems, what they refuse, and what only training has."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from enas_tf.errors import InputError
from enas_tf.models.cell_config import CellChildConfig, CellNetworkConfig, cell_kinds
from enas_tf.models.images import ImageConfig
from enas_tf.models.micro_child import build_micro_child, count_micro_child
from enas_tf.models.micro_supernet import MicroSupernet
from enas_tf.models.micro_training import MicroTrainee
from enas_tf.models.networks import NETWORKS
from enas_tf.spaces.architectures import read_architecture
from enas_tf.spaces.micro import MicroSpace

CIFAR = ImageConfig(32, 32, 3, 10, (120.0,) * 3, (3600.0,) * 3)
SMALL = ImageConfig(8, 8, 1, 4, (128.0,), (5000.0,))
#: One block: a separable convolution and an identity; in the reduction cell a pooling and an identity.
ONE_BLOCK = read_architecture("0 0 1 4 1 2 0 4", "micro")


def make_images(num, image, seed=0):
    shape = (num, image.height, image.width, image.channels)
    return tf.constant(np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8))


@pytest.mark.parametrize(("cells_per_stage", "reductions"), [(2, [2, 5]), (5, [5, 11])])
def test_reductions_stand_where_the_reference_has_them(cells_per_stage, reductions):
    kinds = cell_kinds(cells_per_stage)
    assert len(kinds) == 3 * cells_per_stage + 2
    assert [i for i, kind in enumerate(kinds) if kind == "reduction"] == reductions


def test_parameters_of_the_published_cells():
    """At 5 @ 36. The reference code makes 3.89 M of it: its outputs are wider, ours are projected once."""
    cost = count_micro_child(read_architecture("enas_micro"), CellChildConfig(channels=36, cells_per_stage=5), CIFAR)
    assert cost.parameters == 3_186_900


def test_graph_does_not_grow_with_the_number_of_cells():
    nodes = {}
    for num in (2, 5):
        space = MicroSpace(blocks=1)
        supernet = MicroSupernet(space, CellNetworkConfig(channels=2, cells_per_stage=num), SMALL)
        forward = tf.function(supernet, autograph=False)
        tokens = tf.TensorSpec([space.num_tokens], tf.int32)
        graph = forward.get_concrete_function(tf.TensorSpec([2, 8, 8, 1], tf.uint8), tokens).graph.as_graph_def()
        nodes[num] = len(graph.node) + sum(len(function.node_def) for function in graph.library.function)
    assert nodes[5] / nodes[2] < 1.1


def test_large_images_have_a_stem_of_their_own():
    """One cell per stage and a stem that halves three times: still one function in search and child."""
    keras.utils.set_random_seed(0)
    network = CellNetworkConfig(channels=2, dropout=0.0, cells_per_stage=1, stem="imagenet")
    supernet = MicroSupernet(ONE_BLOCK.space(), network, CIFAR)
    config = dataclasses.replace(NETWORKS["micro"].as_child(network), dropout=0.0)
    child = build_micro_child(ONE_BLOCK, config, CIFAR)
    NETWORKS["micro"].inherit_weights(child, supernet, ONE_BLOCK)
    images = make_images(4, CIFAR)
    logits, squares = tf.function(supernet, autograph=False)(images, ONE_BLOCK.space().encode(ONE_BLOCK))
    np.testing.assert_allclose(logits, child(images, training=True), atol=2e-4)
    weights = sum(float(np.sum(np.square(v))) for v in child.trainable_variables)
    assert float(squares) == pytest.approx(weights, rel=1e-4)
    cost = count_micro_child(ONE_BLOCK, config, CIFAR)
    assert cost.parameters == sum(int(np.prod(v.shape)) for v in child.trainable_variables)


@pytest.mark.parametrize(
    ("image", "stem", "words"),
    [
        (ImageConfig(6, 6, 3, 10, (0.0,) * 3, (1.0,) * 3), "cifar", "6x6.*2 reductions.*4 divides.*image_size"),
        (ImageConfig(2, 2, 3, 10, (0.0,) * 3, (1.0,) * 3), "cifar", "2x2.*4 divides.*image_size=4"),
        (SMALL, "imagenet", "8x8.*5 reductions.*32 divides.*image_size=32"),
    ],
)
def test_images_too_small_are_refused(image, stem, words):
    with pytest.raises(InputError, match=words):
        MicroSupernet(ONE_BLOCK.space(), CellNetworkConfig(stem=stem), image)
    with pytest.raises(InputError, match=words):
        build_micro_child(ONE_BLOCK, CellChildConfig(stem=stem), image)
    with pytest.raises(InputError, match=words):
        count_micro_child(ONE_BLOCK, CellChildConfig(stem=stem), image)


@pytest.fixture(scope="module")
def trainee() -> MicroTrainee:
    keras.utils.set_random_seed(0)
    config = CellChildConfig(channels=4, dropout=0.0, cells_per_stage=1, drop_path_keep=0.6, auxiliary_weight=0.4)
    child = build_micro_child(ONE_BLOCK, config, SMALL)
    return NETWORKS["micro"].build_trainee(child, ONE_BLOCK, config, SMALL)


def test_drop_path_is_depth_times_progress(trainee):
    """Cells 0 .. 4 with one separable convolution or pooling each; their identities are never dropped."""
    np.testing.assert_allclose(trainee.keep_probabilities(tf.constant(0.0)), np.ones(5))
    np.testing.assert_allclose(trainee.keep_probabilities(tf.constant(1.0)), 1 - 0.4 * np.arange(1, 6) / 5, rtol=1e-6)
    np.testing.assert_allclose(trainee.keep_probabilities(tf.constant(0.5)), 1 - 0.2 * np.arange(1, 6) / 5, rtol=1e-6)


def test_dropped_paths_keep_their_mean_and_are_a_function_of_the_seed(trainee):
    draws = [
        trainee.path_factors(20_000, tf.constant(1.0), tf.constant(seed)).numpy() for seed in ([1, 2], [1, 2], [1, 3])
    ]
    np.testing.assert_array_equal(draws[0], draws[1])
    assert not np.array_equal(draws[0], draws[2])
    np.testing.assert_allclose(draws[0].mean(axis=0), np.ones(5), atol=0.03)
    np.testing.assert_allclose((draws[0] > 0).mean(axis=0), 1 - 0.4 * np.arange(1, 6) / 5, atol=0.02)


def test_nothing_is_dropped_at_the_beginning(trainee):
    images = make_images(4, SMALL)
    (logits, weight), (_, auxiliary_weight) = trainee.predict(images, tf.constant(0.0), tf.constant([0, 1]))
    np.testing.assert_allclose(logits, trainee.child(images, training=True), atol=1e-4)
    assert (weight, auxiliary_weight) == (1.0, 0.4)
    later, _ = trainee.predict(images, tf.constant(1.0), tf.constant([0, 1]))
    assert float(tf.reduce_max(tf.abs(later[0] - logits))) > 1e-3


def test_the_auxiliary_classifier_stands_after_the_first_cell_after_the_second_reduction():
    """Cell 2 n + 2 of 3 n + 2, with 128 and then 768 channels (facts of micro_child.py)."""
    config = CellChildConfig(channels=4, dropout=0.0, cells_per_stage=2, auxiliary_weight=0.4)
    trainee = NETWORKS["micro"].build_trainee(build_micro_child(ONE_BLOCK, config, SMALL), ONE_BLOCK, config, SMALL)
    before = keras.Model(trainee.model.inputs, trainee.model.get_layer("auxiliary_window").input)
    assert "cell_6_merge_bn" in {layer.name for layer in before.layers}
    assert not any(layer.name.startswith("cell_7") for layer in before.layers)
    widths = [trainee.model.get_layer(f"auxiliary_{part}_conv").filters for part in ("narrow", "wide")]
    assert widths == [128, 768]


def test_the_auxiliary_classifier_learns_and_is_not_in_the_child(trainee):
    """In the reference it has no gradient (micro_child.py leaves it out of the trained variables)."""
    mine = {variable.path for variable in trainee.child.trainable_variables}
    extra = [v for v in trainee.trainable_variables if v.path not in mine]
    assert len(extra) == 7  # Two convolutions with batch normalisation, and the classes.
    assert not any("auxiliary" in layer.name for layer in trainee.child.layers)
    with tf.GradientTape() as tape:
        _, (logits, _) = trainee.predict(make_images(4, SMALL), tf.constant(1.0), tf.constant([0, 1]))
        loss = tf.reduce_mean(tf.nn.log_softmax(logits)[:, 0])
    gradients = tape.gradient(loss, [v.value for v in extra])
    assert all(float(tf.norm(gradient)) > 0 for gradient in gradients)


def test_everything_that_is_trained_is_tracked(trainee):
    tracked = {id(variable) for part in trainee.tracked.values() for variable in part.variables}
    assert {id(variable) for variable in trainee.model.variables} <= tracked


def test_a_child_without_extras_has_no_second_classifier():
    config = CellChildConfig(channels=2, cells_per_stage=1)
    child = build_micro_child(ONE_BLOCK, config, SMALL)
    trainee = MicroTrainee(child, ONE_BLOCK, config, SMALL)
    assert len(trainee.trainable_variables) == len(child.trainable_variables)
    assert len(trainee.predict(make_images(2, SMALL), tf.constant(1.0), tf.constant([0, 1]))) == 1


@pytest.mark.parametrize(
    "options",
    [{"channels": 0}, {"cells_per_stage": 0}, {"stem": "none"}, {"drop_path_keep": 0.0}, {"auxiliary_weight": -1.0}],
    ids=str,
)
def test_wrong_options_are_named(options):
    (name, value) = next(iter(options.items()))
    makes = (
        [CellChildConfig] if name in ("drop_path_keep", "auxiliary_weight") else [CellChildConfig, CellNetworkConfig]
    )
    for make in makes:
        with pytest.raises(InputError, match=f"{name}={value}"):
            make(**options)
