"""The benchmark of published networks counts what layers multiply, and steps train."""

import keras
import numpy as np

from benchmarks.published import compile_step, count_products


def small_model() -> keras.Model:
    layers = keras.layers
    inputs = keras.Input((8, 6, 3))
    x = layers.Conv2D(5, 3, padding="same", use_bias=False)(inputs)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    x = layers.SeparableConv2D(7, 5, strides=2, padding="same", use_bias=False)(x)
    x = layers.DepthwiseConv2D(3, padding="valid")(x)
    return keras.Model(inputs, layers.Dense(4)(layers.GlobalAveragePooling2D()(x)))


def test_products_are_those_of_every_pixel_of_a_result():
    convolved = 8 * 6 * (3 * 3 * 3 * 5)
    separable = 4 * 3 * (5 * 5 * 5 + 5 * 7)
    depthwise = 2 * 1 * (3 * 3 * 7)
    assert count_products(small_model()) == convolved + separable + depthwise + 7 * 4


def test_a_step_trains():
    keras.utils.set_random_seed(0)
    model = small_model()
    before = [np.array(variable) for variable in model.trainable_variables]
    step = compile_step(model, 4, batch=8)
    assert float(step()) > 0
    assert any((np.array(now) != was).any() for now, was in zip(model.trainable_variables, before, strict=True))
