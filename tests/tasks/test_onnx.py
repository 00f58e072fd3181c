"""ONNX files compute what a child does. The packages for them are an extra, without which these tests are skipped."""

import dataclasses

import keras
import numpy as np
import pytest

from enas_tf.models.images import ImageConfig
from enas_tf.models.language import LanguageConfig, TextShape
from enas_tf.models.networks import NETWORKS
from enas_tf.spaces.architectures import read_architecture
from enas_tf.spaces.recurrent import LstmBaseline
from enas_tf.tasks.export import signature_of_classifier, signature_of_step
from enas_tf.tasks.onnx import run_onnx, to_onnx

onnx = pytest.importorskip("onnx")
pytest.importorskip("tf2onnx")
pytest.importorskip("onnxruntime")


def check(signature, make_examples):
    """For one example and for five, by one file."""
    content = to_onnx(signature, {"labels": "a\nb\n"})
    onnx.checker.check_model(onnx.load_from_string(content))
    assert [(entry.key, entry.value) for entry in onnx.load_from_string(content).metadata_props] == [
        ("labels", "a\nb\n")
    ]
    for num in (1, 5):
        examples = make_examples(num)
        found, expected = run_onnx(content, examples), signature.compute(examples)
        assert found.keys() == expected.keys()
        for name, value in expected.items():
            np.testing.assert_allclose(found[name], value, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    ("space", "arc", "small"),
    [
        ("macro", "0 3 0 2 1 0", {"channels": 4}),
        ("micro", "0 1 0 2 1 3 1 0", {"channels": 4, "cells_per_stage": 1}),
        ("nas_conv", "3x5x4 7x1x6/2x1 1 pool 1x1x3 0 0 3x3x5/2x3 1 1 1", {}),
    ],
    ids=["macro", "micro", "nas_conv"],
)
def test_a_classifier_of_bytes(space, arc, small):
    """With a mean and a variance, which are no variables."""
    networks = NETWORKS[space]
    image = ImageConfig(8, 8, 3, 10, (100.0, 90.0, 80.0), (900.0, 800.0, 700.0))
    keras.utils.set_random_seed(1)
    config = dataclasses.replace(networks.child.default, **small)
    child = networks.build_child(read_architecture(arc, space), config, image)
    rng = np.random.default_rng(0)
    check(signature_of_classifier(child), lambda num: {"images": rng.integers(0, 256, (num, 8, 8, 3), dtype=np.uint8)})


@pytest.mark.parametrize("architecture", ["0 0 1 1 1 0 0", "lstm", "nas_cell"])
def test_a_step_of_a_language_model(architecture):
    """Its state goes in as state and comes out as next_state, as names are unique in ONNX."""
    found = LstmBaseline(nodes=4) if architecture == "lstm" else read_architecture(architecture, "recurrent")
    keras.utils.set_random_seed(3)
    child = NETWORKS[found.space_name].build_child(found, LanguageConfig(units=5, init_scale=0.9), TextShape(9))
    signature, rng, size = signature_of_step(child), np.random.default_rng(0), child.input_shape[1][-1]

    def make_examples(num):
        ids = rng.integers(0, 9, num, dtype=np.int32)
        return {"ids": ids, "state": rng.normal(size=(num, size)).astype("float32")}

    check(signature, make_examples)
    model = onnx.load_from_string(to_onnx(signature, {}))
    assert [output.name for output in model.graph.output] == ["log_probs", "next_state"]
