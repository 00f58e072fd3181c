"""A search for a language model from strings."""

import pytest

import enas_tf
from tests.api.conftest import Recorder

TEXT = "".join(f"the value {number % 7} of list {number % 5} is not zero\n" for number in range(300))


def test_a_language_model_is_searched_and_writes(tmp_path):
    search, recorder = (
        enas_tf.TextSearch(
            workdir=tmp_path / "run",
            units=8,
            cell_nodes=3,
            epochs=1,
            updates_per_epoch=1,
            samples_per_update=2,
            derive_samples=2,
            finalists=0,
            batch_size=8,
            bptt=5,
            retrain_units=8,
            retrain_batch_size=8,
        ),
        Recorder(),
    )
    search.search(TEXT, callbacks=[recorder])
    assert [metrics["phase"] for _, metrics in recorder.epochs] == ["search"]
    assert search.candidates(1)[0].metric == "valid_perplexity"
    search.retrain(epochs=1)
    # Another process has the text from the workdir.
    again = enas_tf.TextSearch(workdir=tmp_path / "run")
    assert again.metrics["test_perplexity"] > 1
    words = again.sample("the value", num=6)
    assert words.startswith("the value")
    assert set(words.split()) <= {*TEXT.split(), "<unk>"}
    assert again.sample("the value", num=6) == words
    assert again.export("litert").name == "child.tflite"
    assert again.metrics["litert_max_difference"] < 1e-4
    with pytest.raises(enas_tf.InputError, match="formats=litert_int8 is for classifiers of images"):
        again.export("litert_int8")
