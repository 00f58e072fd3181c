"""The forms of an exported child: each file computes what the Keras model does, and is written once."""

import json
import re

import keras
import numpy as np
import pytest

from enas_tf.data.sources import DataConfig, load_images
from enas_tf.tasks.litert import run_litert

DIFFERENCE = re.compile(r"its numbers (?:are equal to|differ from) the Keras model's")


@pytest.fixture
def exported(run_directory, launch):
    """`exported("litert")`: the lines of the export, and metrics.json behind it."""

    def run(formats: str):
        outcome = launch("export", "--workdir=run", f"--export={formats}")
        assert outcome.code == 0, outcome.err
        lines = [line for line in outcome.out.splitlines() if line.startswith("export: ")]
        return lines, json.loads((run_directory / "child/metrics.json").read_text())

    return run


@pytest.fixture
def images():
    """The test part as the child takes it."""
    data = load_images(DataConfig("digits"))
    return data.values.from_bytes(data.test.images).astype("float32")


def test_litert_files_compute_what_the_child_does(run_directory, exported, images):
    """Each has a line and numbers of its own, classes for 8 bits, and takes a batch of any size."""
    lines, metrics = exported("litert,litert_int8")
    child = keras.models.load_model(run_directory / "child/child.keras")
    expected = child.predict(images[:64], verbose=0)
    for line, name, tolerance in zip(lines, ("child.tflite", "child_int8.tflite"), (1e-4, 0.5), strict=True):
        assert line.startswith(f"export: run/child/{name}, ")
        assert DIFFERENCE.search(line)
        content = (run_directory / "child" / name).read_bytes()
        found = run_litert(content, "serving_default", {"images": images[:64]})
        difference = np.abs(found["logits"] - expected).max()
        stem = {"child.tflite": "litert", "child_int8.tflite": "litert_int8"}[name]
        assert metrics[f"{stem}_max_difference"] == pytest.approx(difference, abs=1e-5)
        assert difference <= tolerance * np.abs(expected).max()
        few = run_litert(content, "serving_default", {"images": images[:3]})
        np.testing.assert_allclose(few["logits"], found["logits"][:3], atol=1e-5)
        np.testing.assert_allclose(few["probabilities"].sum(axis=1), 1.0, atol=0.05)
        is_equal = found["logits"].argmax(axis=1) == expected.argmax(axis=1)
    assert metrics["litert_int8_equal_classes"] == is_equal.mean() > 0.5
    assert lines[1].endswith(f"; {is_equal.sum()} of 64 images get the same class")
    assert metrics["litert_int8_max_difference"] > metrics["litert_max_difference"], "8 bits are fewer than 32"
    assert (run_directory / "child/labels.txt").read_text().split() == [str(digit) for digit in range(10)]


def test_what_is_there_is_not_written_again(run_directory, exported):
    """What was begun is: a file without its numbers is of an export that was killed, and so is a part of one."""
    child = run_directory / "child"
    (child / "child.tflite").write_bytes(b"a part")
    (child / ".child.123.new.tflite").write_bytes(b"a part")
    lines, metrics = exported("savedmodel,litert")
    assert lines[0] == "export: run/child/saved_model is there already"
    assert lines[1].startswith("export: run/child/child.tflite, its numbers ")
    assert metrics["litert_max_difference"] < 1e-3
    assert not list(child.glob(".*"))


def test_the_second_export_says_what_is_there(run_directory, exported, content):
    path = run_directory / "child/metrics.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"litert_max_difference": 0.25}))
    (run_directory / "child/child.tflite").write_bytes(b"whatever")
    before = content(run_directory / "child")
    lines, _ = exported("keras,litert")
    assert lines == ["export: run/child/child.tflite is there already"]
    assert content(run_directory / "child") == before


@pytest.mark.parametrize("value", ["tflite", "litert,litert", ""])
def test_other_forms_are_refused(refuse, run_directory, value):
    words = [f"--export={value} is not valid", "keras, savedmodel, litert, litert_int8, onnx"]
    refuse("export", ["--workdir=run", f"--export={value}"], words)


@pytest.mark.parametrize("package", ["onnx", "tf2onnx", "onnxruntime"])
def test_what_onnx_needs_is_said_before_anything_is_done(refuse, run_directory, monkeypatch, package):
    import importlib.util

    find = importlib.util.find_spec
    there = {"onnx", "tf2onnx", "onnxruntime"} - {package}
    monkeypatch.setattr(
        "enas_tf.tasks.onnx.importlib.util.find_spec",
        lambda name, *more: None if name == package else object() if name in there else find(name, *more),
    )
    words = [f"--export=onnx needs the packages onnx, tf2onnx, onnxruntime; not installed: {package}. ",
             "pip install 'enas_tf[onnx]'"]  # fmt: skip
    refuse("search", ["--flagfile=run/run.flags", "--workdir=new", "--then=retrain,export", "--export=onnx"], words)


def test_an_onnx_file_computes_what_the_child_does_and_names_the_classes(run_directory, exported, images):
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("tf2onnx")
    (line,), metrics = exported("onnx")
    assert line.startswith("export: run/child/child.onnx, its numbers ")
    session = onnxruntime.InferenceSession(run_directory / "child/child.onnx", providers=["CPUExecutionProvider"])
    assert [given.name for given in session.get_inputs()] == ["images"]
    assert session.get_modelmeta().custom_metadata_map["labels"].split() == [str(digit) for digit in range(10)]
    child = keras.models.load_model(run_directory / "child/child.keras")
    for some in (images[:1], images[:64]):
        logits, probabilities = session.run(["logits", "probabilities"], {"images": some})
        np.testing.assert_allclose(logits, child.predict(some, verbose=0), atol=1e-4)
        np.testing.assert_allclose(probabilities.sum(axis=1), 1.0, atol=1e-5)
    assert 0 <= metrics["onnx_max_difference"] < 1e-4
