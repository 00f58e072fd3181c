"""Networks of NASNet's family against published counts and shapes, and what only their training has."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from enas_tf.errors import InputError
from enas_tf.models.images import ImageConfig
from enas_tf.models.nasnet_child import build_nasnet_child, count_nasnet_child
from enas_tf.models.nasnet_config import NasnetChildConfig, NasnetNetworkConfig, live_cells, place_cells
from enas_tf.models.networks import NETWORKS
from enas_tf.ops.costs import Cost
from enas_tf.spaces.architectures import read_architecture
from enas_tf.spaces.space import SPACES

NASNET_A, PNASNET_5 = read_architecture("nasnet_a"), read_architecture("pnasnet_5")
ONE_BLOCK = read_architecture("0 0 1 4 0 1 2 0 4 1", "nasnet")
TWO_KINDS, ONE_KIND = ("normal", "reduction"), ("cell",)


def images_of(side: int, num_classes: int) -> ImageConfig:
    return ImageConfig(side, side, 3, num_classes, (120.0,) * 3, (3600.0,) * 3)


SMALL = images_of(8, 4)


def sized(channels: int, cells: int, **options) -> NasnetChildConfig:
    return NasnetChildConfig(channels=channels, cells_per_stage=cells, **options)


CIFAR = sized(32, 6)
MOBILE = sized(44, 4, stem="imagenet")
LARGE = sized(168, 6, stem="imagenet", stem_channels=96, skip_reduction_input=True)
PNAS_LARGE = sized(216, 4, stem="imagenet", stem_channels=96, skip_reduction_input=True)


@pytest.mark.parametrize(
    ("architecture", "config", "image", "trainable", "total", "million_macs"),
    [
        (NASNET_A, MOBILE, images_of(224, 1000), 5_289_978, 5_326_716, 564),
        (NASNET_A, LARGE, images_of(331, 1000), 88_753_150, 88_949_818, 23_783),
        (NASNET_A, CIFAR, images_of(32, 10), 3_346_538, 3_383_786, 544),
        (NASNET_A, sized(32, 2), images_of(32, 10), 1_294_698, 1_310_442, 232),
        (PNASNET_5, PNAS_LARGE, images_of(331, 1000), 86_057_668, 86_234_656, 24_937),
        (PNASNET_5, sized(54, 3, stem="imagenet"), images_of(224, 1000), 5_064_487, 5_098_151, 587),
        (PNASNET_5, sized(48, 3), images_of(32, 10), 3_189_082, 3_218_170, 575),
    ],
    ids=["mobile", "large", "cifar", "search", "pnas large", "pnas mobile", "pnas cifar"],
)
def test_published_networks_have_their_sizes(architecture, config, image, trainable, total, million_macs):
    """NASNet-A 4 @ 1056, 6 @ 4032, 6 @ 768, that of the search; PNASNet-5 large, mobile and for CIFAR."""
    cost = count_nasnet_child(architecture, config, image)
    assert (cost.parameters, cost.parameters_total) == (trainable, total)
    assert round(cost.flops / 2e6) == million_macs


def count_weights(model: keras.Model) -> Cost:
    moving = [v for v in model.non_trainable_variables if v.name.startswith("moving_")]
    return Cost(
        parameters=sum(int(np.prod(v.shape)) for v in model.trainable_variables),
        statistics=sum(int(np.prod(v.shape)) for v in moving),
    )


def outputs_of_cells(child, num: int) -> list[tuple]:
    return [tuple(child.get_layer(f"cell_{number}_concat").output.shape[1:]) for number in range(num)]


def test_the_search_network_as_built():
    """N = 2 at F = 32 with the shapes of slim's nasnet_test.py: stem 96, cells 192, 384, 768, reductions 256, 512."""
    child = build_nasnet_child(NASNET_A, sized(32, 2), images_of(32, 10))
    assert count_weights(child).parameters == 1_294_698
    assert child.get_layer("stem_0_bn").output.shape[1:] == (32, 32, 96)
    sides, widths = [32, 32, 16, 16, 16, 8, 8, 8], [192, 192, 256, 384, 384, 512, 768, 768]
    assert outputs_of_cells(child, 8) == [(side, side, width) for side, width in zip(sides, widths, strict=True)]


@pytest.mark.slow
def test_the_mobile_network_is_that_of_keras():
    """As many weights of each shape, and 5,326,716 numbers in all; both halve odd sizes alike."""
    keras.backend.clear_session()
    child = build_nasnet_child(NASNET_A, MOBILE, images_of(224, 1000))
    theirs = keras.applications.NASNetMobile(weights=None)
    cost = count_weights(child)
    assert cost.parameters_total == theirs.count_params() == 5_326_716
    shapes = [sorted(tuple(v.shape) for v in model.trainable_variables) for model in (child, theirs)]
    assert shapes[0] == shapes[1]
    # Slim's nasnet_test.py: 264, 528 and 1056 channels; reductions of 352 and 704.
    sides = [56, 28, *[28] * 4, 14, *[14] * 4, 7, *[7] * 4]
    widths = [44, 88, *[264] * 4, 352, *[528] * 4, 704, *[1056] * 4]
    assert outputs_of_cells(child, 16) == [(side, side, width) for side, width in zip(sides, widths, strict=True)]
    # Their names count stages from 1 and reductions within N: the outputs of cells are theirs in order.
    joins = [layer for layer in theirs.layers if layer.name.startswith(("normal_concat", "reduction_concat"))]
    assert [tuple(layer.output.shape[1:]) for layer in joins if "concat" in layer.name] == outputs_of_cells(child, 16)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("architecture", "config", "total"),
    [(NASNET_A, LARGE, 88_949_818), (PNASNET_5, PNAS_LARGE, 86_234_656)],
    ids=["nasnet", "pnasnet"],
)
def test_large_networks_as_built(architecture, config, total):
    keras.backend.clear_session()
    assert count_weights(build_nasnet_child(architecture, config, images_of(331, 1000))).parameters_total == total


@pytest.mark.slow
def test_a_step_of_the_mobile_network_on_large_images():
    """On random images of 224 x 224 pixels: the loss is a number, and every weight has a gradient."""
    keras.backend.clear_session()
    keras.utils.set_random_seed(0)
    config, image = dataclasses.replace(MOBILE, drop_path_keep=0.9, auxiliary_weight=0.4), images_of(224, 1000)
    child = build_nasnet_child(NASNET_A, config, image, for_training=True)
    trainee = NETWORKS["nasnet"].build_trainee(child, NASNET_A, config, image)
    images = tf.constant(np.random.default_rng(0).integers(0, 256, (4, 224, 224, 3), dtype=np.uint8))
    with tf.GradientTape() as tape:
        predictions = trainee.predict(images, tf.constant(0.5), tf.constant([0, 1]))
        loss = tf.add_n([-weight * tf.reduce_mean(tf.nn.log_softmax(logits)[:, 0]) for logits, weight in predictions])
    gradients = tape.gradient(loss, [v.value for v in trainee.trainable_variables])
    assert 0.5 < float(loss) / (1.4 * np.log(1000)) < 2
    assert all(np.isfinite(gradient).all() and np.abs(gradient).max() > 0 for gradient in gradients)


@pytest.mark.parametrize(
    ("arc", "live"), [("0 0 0 0", [True] * 3), ("1 0 1 0", [True, False, True]), ("1 0 1 0 0 3 2 0", [True] * 3)]
)
def test_what_the_output_does_not_depend_on_is_neither_built_nor_counted(arc, live):
    """A cell that reads only the cell before the last leaves every second cell out."""
    architecture, config = read_architecture(arc, "pnas"), sized(4, 1, skip_reduction_input=True)
    assert live_cells(place_cells(config, ONE_KIND), architecture) == live
    child = build_nasnet_child(architecture, config, SMALL)
    found = count_weights(child)
    cost = count_nasnet_child(architecture, config, SMALL)
    assert (cost.parameters, cost.statistics) == (found.parameters, found.statistics)
    trained = NETWORKS["pnas"].build_trainee(
        child, architecture, dataclasses.replace(config, auxiliary_weight=0.4), SMALL
    )
    tracked = {id(variable) for part in trained.tracked.values() for variable in part.variables}
    assert {id(variable) for variable in trained.model.variables} <= tracked


def test_reductions_stand_between_stages_or_are_their_first_cells():
    for kinds, num, strided in ((TWO_KINDS, 11, [3, 7]), (ONE_KIND, 9, [3, 6])):
        places = place_cells(sized(4, 3), kinds)
        assert len(places) == num
        assert [number for number, place in enumerate(places) if place.strides == 2] == strided
        assert {place.channels for place in places[strided[-1] :]} == {16}


def test_the_stem_for_large_images_has_two_reductions():
    places = place_cells(sized(16, 1, stem="imagenet"), TWO_KINDS)
    assert [(place.kind, place.channels) for place in places[:3]] == [
        ("reduction", 4),
        ("reduction", 8),
        ("normal", 16),
    ]
    assert [place.before for place in places[:3]] == [None, 0, 1]


@pytest.mark.parametrize(("skips", "before"), [(False, 1), (True, 0)])
def test_the_cell_behind_a_reduction_skips_the_inputs_of_it_or_not(skips, before):
    """Cells 0 and 1 are normal ones, 2 the reduction; tensor k + 1 is the output of cell k."""
    places = place_cells(sized(4, 2, skip_reduction_input=skips), TWO_KINDS)
    assert (places[2].last, places[2].before) == (2, 1)
    assert (places[3].last, places[3].before) == (3, before + 1)
    assert places[4].before == 3


@pytest.mark.parametrize(
    ("config", "image", "words"),
    [
        (sized(1, 1), SMALL, "channels=1 .*at least 2"),
        (sized(6, 1, stem="imagenet"), SMALL, "channels=6 .*at least 8"),
        (sized(8, 1, stem="imagenet"), images_of(2, 4), "2x2 pixels do not fit the stem imagenet: expected 3 or more"),
    ],
)
def test_networks_that_cannot_be_are_refused(config, image, words):
    for make in (build_nasnet_child, count_nasnet_child):
        with pytest.raises(InputError, match=words):
            make(ONE_BLOCK, config, image)


@pytest.mark.parametrize(
    ("network", "side", "words"),
    [
        (NasnetNetworkConfig(channels=4, cells_per_stage=1), 6, "6x6 pixels are 3x3 where a cell halves them.*scratch"),
        (NasnetNetworkConfig(channels=12, stem="imagenet"), 33, "channels=12.*even numbers of filters where cells"),
    ],
)
def test_shared_weights_refuse_what_cannot_be_halved(network, side, words):
    """Children halve odd sizes, too."""
    with pytest.raises(InputError, match=words):
        NETWORKS["nasnet"].build_supernet(SPACES["nasnet"](blocks=1, ops=("identity",)), network, images_of(side, 4))


def test_wrong_options_are_named():
    for make in (NasnetChildConfig, NasnetNetworkConfig):
        with pytest.raises(InputError, match="stem_channels=-1"):
            make(stem_channels=-1)
        with pytest.raises(InputError, match="drop_path_keep=0"):
            make(drop_path_keep=0.0)


@pytest.fixture(scope="module")
def trainee():
    keras.utils.set_random_seed(0)
    config = sized(4, 1, dropout=0.0, drop_path_keep=0.6, auxiliary_weight=0.4)
    child = build_nasnet_child(ONE_BLOCK, config, SMALL)
    return NETWORKS["nasnet"].build_trainee(child, ONE_BLOCK, config, SMALL)


def test_drop_path_is_depth_times_progress(trainee):
    """Cells 0 .. 4 with a separable convolution or a pooling each; slim never drops identities, whatever their form."""
    for progress in (0.0, 0.5, 1.0):
        expected = 1 - progress * 0.4 * np.arange(1, 6) / 5
        np.testing.assert_allclose(trainee.keep_probabilities(tf.constant(progress)), expected, rtol=1e-6)


def test_the_auxiliary_classifier_reads_the_cell_before_the_last_reduction(trainee):
    """Cell 2 of normal, reduction, normal, reduction, normal; slim's _build_aux_head has 128, then 768 channels."""
    before = keras.Model(trainee.model.inputs, trainee.model.get_layer("auxiliary_window").input)
    names = {layer.name for layer in before.layers}
    assert any(name.startswith("cell_2_") for name in names)
    assert not any(name.startswith("cell_3_") for name in names)
    assert [trainee.model.get_layer(f"auxiliary_{part}_conv").filters for part in ("narrow", "wide")] == [128, 768]
    assert trainee.model.get_layer("auxiliary_wide_conv").output.shape[1:3] == (1, 1)


def test_the_auxiliary_classifier_of_the_published_network_has_its_size():
    """4,978,036 with it, 3,346,538 without, for CIFAR (counted from slim's code)."""
    head = Cost.convolution(1, 384, 128, 16) + Cost.convolution(4, 128, 768, 1) + Cost.dense(768, 10, use_bias=True)
    assert head.parameters == 4_978_036 - 3_346_538
    config = sized(4, 1, auxiliary_weight=0.4)
    child = build_nasnet_child(ONE_BLOCK, config, images_of(32, 10))
    trainee = NETWORKS["nasnet"].build_trainee(child, ONE_BLOCK, config, images_of(32, 10))
    mine = {v.path for v in child.trainable_variables}
    extra = [v for v in trainee.trainable_variables if v.path not in mine]
    width = trainee.model.get_layer("auxiliary_narrow_conv").input.shape[-1]
    assert sum(int(np.prod(v.shape)) for v in extra) == head.parameters - (384 - width) * 128


def test_training_begins_with_the_child_itself(trainee):
    images = tf.constant(np.random.default_rng(0).integers(0, 256, (4, 8, 8, 3), dtype=np.uint8))
    (logits, _), (_, weight) = trainee.predict(images, tf.constant(0.0), tf.constant([0, 1]))
    assert weight == 0.4
    np.testing.assert_allclose(logits, trainee.child(images, training=True), atol=1e-4)


def test_a_trial_has_the_options_of_the_searched_network():
    network = NasnetNetworkConfig(channels=8, cells_per_stage=1, dropout=0.2, drop_path_keep=0.7, stem_channels=5)
    child = NETWORKS["nasnet"].as_child(network)
    for name in ("channels", "cells_per_stage", "stem", "dropout", "drop_path_keep", "stem_channels"):
        assert getattr(child, name) == getattr(network, name)


def test_the_size_is_said_as_in_the_papers():
    assert NETWORKS["nasnet"].size_in_words(NASNET_A, CIFAR) == "6 @ 768: 20 cells of 32, 64, 128 filters"
