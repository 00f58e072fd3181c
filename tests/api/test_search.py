"""Searches from Python: what the methods return, what a second call does, and what wrong calls say."""

import re

import keras
import numpy as np
import pytest

import enas_tf
from enas_tf.experiments.config import every_option
from tests.api.conftest import OPTIONS, Recorder


def test_a_model_predicts_for_the_images_as_the_caller_has_them(finished, images):
    search, _, model = finished
    logits = model.predict(images[0], verbose=0)
    assert logits.shape == (400, 10)
    assert np.isfinite(logits).all()
    np.testing.assert_array_equal(search.best_model.predict(images[0], verbose=0), logits)
    assert search.metrics["input"]["dtype"] == "float32"
    assert search.evaluate().keys() == {"test_accuracy", "test_balanced_accuracy", "test_loss"}
    assert search.evaluate()["test_loss"] == pytest.approx(search.metrics["test_loss"], rel=1e-6)


def test_what_the_command_line_prints_is_printed_on_demand(finished, capsys):
    search, _, _ = finished
    search.retrain()
    assert capsys.readouterr().out == ""
    enas_tf.ImageSearch(workdir=search.workdir, verbose=True).retrain()
    assert "retrain: finished" in capsys.readouterr().out


def test_candidates_are_values(finished):
    search, _, _ = finished
    found = search.candidates()
    assert 1 <= len(found) <= 3
    assert [candidate.rank for candidate in found] == list(range(1, len(found) + 1))
    assert found[0].architecture == search.architecture
    assert found[0].architecture.to_arc() == found[0].arc
    assert search.candidates(1) == found[:1]
    assert found[0].to_dict().keys() == {"rank", "arc", "valid_accuracy", "parameters", "flops"}
    values = [candidate.value for candidate in found]
    assert values == sorted(values, reverse=True)
    pandas = pytest.importorskip("pandas")
    assert isinstance(found.to_pandas(), pandas.DataFrame)


def test_callbacks_hear_each_epoch_once_with_numbers(finished):
    _, recorder, _ = finished
    assert [(m["phase"], epoch) for epoch, m in recorder.epochs] == [("search", 0), ("search", 1), ("retrain", 0)]
    search, *_, retrain = [metrics for _, metrics in recorder.epochs]
    assert {"loss", "accuracy", "controller_reward", "controller_entropy"} <= search.keys()
    assert {"loss", "valid_accuracy"} <= retrain.keys()
    assert all(isinstance(value, float | int) for name, value in search.items() if name != "phase")


def test_the_same_call_again_does_nothing_new(finished, images):
    search, _, model = finished
    again, recorder = enas_tf.ImageSearch(workdir=search.workdir, **OPTIONS), Recorder()
    again.search(*images, callbacks=[recorder])
    same = again.retrain(callbacks=[recorder])
    assert recorder.epochs == []
    for one, other in zip(model.get_weights(), same.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_what_follows_a_search_takes_its_options_and_its_data_from_the_workdir(finished):
    """The data are arrays, which the workdir keeps: another process needs neither them nor the options."""
    search, _, _ = finished
    other = enas_tf.ImageSearch(workdir=search.workdir)
    assert other.evaluate() == search.evaluate()
    assert other.architecture == search.architecture
    assert other.describe().to_json() == search.describe().to_json()
    assert str(other.describe()).startswith("nodes:")
    assert f"arc: {search.architecture.to_arc()}" in str(other.describe())
    assert other.describe().to_code() == search.describe().to_code()
    assert "keras.layers.Normalization(mean=[" in search.describe().to_code()


def test_a_candidate_is_retrained_beside_the_search_and_the_model_is_exported(finished, tmp_path, images):
    search, _, _ = finished
    rank = len(search.candidates())
    model = search.retrain(search.candidates()[-1], workdir=tmp_path / "second", epochs=1)
    second = enas_tf.ImageSearch(workdir=tmp_path / "second")
    assert second.metrics["arc"] == search.candidates()[rank - 1].arc
    assert (tmp_path / "second/data.npz").exists()
    place = second.export()
    loaded = keras.layers.TFSMLayer(str(place), call_endpoint="serving_default")
    logits = loaded(images[0][:5, ..., np.newaxis])["logits"]
    np.testing.assert_allclose(logits, model(images[0][:5, ..., np.newaxis]), atol=1e-5)
    # Other forms are named in the call; one that the command line does not know is refused in its words.
    assert second.export(("savedmodel", "litert")) == tmp_path / "second/child/child.tflite"
    assert 0 <= second.metrics["litert_max_difference"] < 1e-3
    with pytest.raises(enas_tf.InputError, match="formats=tflite is not valid: expected names out of keras, savedm"):
        second.export("tflite")


def test_a_callback_ends_a_retraining_early_and_the_child_is_kept_as_it_is(finished, tmp_path):
    search, _, _ = finished

    class Impatient(Recorder):
        def on_epoch_end(self, epoch, metrics):
            super().on_epoch_end(epoch, metrics)
            raise enas_tf.StopEarly

    callback = Impatient()
    search.retrain(1, workdir=tmp_path / "early", epochs=3, callbacks=[callback])
    assert len(callback.epochs) == 1
    assert enas_tf.ImageSearch(workdir=tmp_path / "early").metrics["epochs"] == 1


def test_pictures(finished, tmp_path):
    search, _, _ = finished
    figure = search.plot(tmp_path / "net.svg")
    assert (tmp_path / "net.svg").read_text().lstrip().startswith("<?xml")
    assert figure.get_size_inches().min() > 0
    search.plot(tmp_path / "cells.png", "enas_micro")
    assert (tmp_path / "cells.png").stat().st_size > 1000


WRONG = [
    ({"epochs": 0}, "epochs=0 is not valid: expected at least 1"),
    ({"epochs": "3"}, "epochs='3' is not valid: expected a whole number"),
    ({"epoch": 3}, "no option epoch. Did you mean epochs"),
    ({"units": 3}, "units=3 belongs to .*recurrent"),
    ({"searcher": "random", "entropy_weight": 1.0}, "entropy_weight=1.0 belongs to the reinforce searcher"),
    ({"space": "makro"}, "space=makro is not valid: expected one of macro"),
    ({"space": "recurrent"}, "space=recurrent is not for ImageSearch.*TextSearch"),
    ({"max_minutes": 0}, "max_minutes=0.0 is not valid"),
    ({"flagfile": "nowhere.flags"}, "nowhere.flags"),
    ({"imports": "nowhere.py"}, "nowhere.py.* is not there"),
]


@pytest.mark.parametrize(("options", "words"), WRONG)
def test_wrong_options_are_refused_at_once_and_named_as_keywords(tmp_path, options, words):
    with pytest.raises(enas_tf.InputError, match=words) as error:
        enas_tf.ImageSearch(workdir=tmp_path / "run", **options)
    assert "--" not in str(error.value)
    assert not (tmp_path / "run").exists()


def test_wrong_calls_name_the_keyword_as_it_was_written(finished):
    search, _, _ = finished
    for options, words in (
        ({"epochs": 0}, "^epochs=0 is not valid"),
        ({"epochs": 7}, r"\(epochs was 1, is 7\)"),
        ({"updates_per_epoch": 3}, "updates_per_epoch=3 is read by a search"),
        ({"architecture": "no_such_net.json"}, "no_such_net.json"),
        ({"architecture": 99}, "no candidate of rank '99'"),
        ({"architecture": 1.5}, "architecture is a float"),
        ({"callbacks": [3]}, "a int is no callback"),
    ):
        with pytest.raises(enas_tf.InputError, match=words):
            search.retrain(**options)


def test_what_is_not_there_yet_is_named(make):
    search = make()
    for call, words in (
        (lambda: search.candidates(), r"no candidates.csv.*search\(\)"),
        (lambda: search.best_model, r"no retrained child.*retrain\(\)"),
        (lambda: search.architecture, "no architecture.json"),
        (lambda: search.search(y=[1]), "without x"),
    ):
        with pytest.raises(enas_tf.InputError, match=words):
            call()
    assert not search.workdir.exists()


def test_a_failed_call_leaves_the_data_of_the_one_before(finished, images):
    search, _, _ = finished
    kept = (search.workdir / "data.npz").read_bytes()
    with pytest.raises(enas_tf.InputError, match="data have changed"):
        search.search(images[0][::-1], images[1][::-1])
    with pytest.raises(enas_tf.InputError, match="x_train has 3 images but y_train has 2"):
        search.search(images[0][:3], images[1][:2])
    assert (search.workdir / "data.npz").read_bytes() == kept
    assert search.evaluate()["test_loss"] == pytest.approx(search.metrics["test_loss"], rel=1e-6)


def test_a_callback_ends_a_search_early_and_another_call_goes_on(make_fast, images):
    class Impatient(enas_tf.Callback):
        def on_epoch_end(self, epoch, metrics):
            raise enas_tf.StopEarly

    search, recorder = make_fast(epochs=3), Recorder()
    search.search(*images, callbacks=[Impatient()])
    assert search.candidates(1), "the best so far is derived"
    search.search(callbacks=[recorder])
    assert [epoch for epoch, _ in recorder.epochs] == [1, 2]


def test_a_budget_ends_a_search_cleanly_and_another_one_goes_on(make_fast, images):
    """It is over before the first update has ended: one is done, and derived from."""
    recorder = Recorder()
    make_fast(epochs=2, updates_per_epoch=3, max_minutes=1e-6).search(*images, callbacks=[recorder])
    assert recorder.epochs == []
    search = make_fast(epochs=2, updates_per_epoch=3)
    assert search.candidates(1)
    search.search(*images, callbacks=[recorder])
    assert [epoch for epoch, _ in recorder.epochs] == [0, 1]
    assert search.candidates(1)[0].metric == "num_ones"


def test_options_of_a_flagfile_are_defaults(tmp_path):
    path = tmp_path / "mine.flags"
    path.write_text("# A comment.\n--searcher=reinforce\n--entropy_weight=0.5\n--epochs=7\n--workdir=elsewhere\n")
    search = enas_tf.ImageSearch(workdir=tmp_path / "run", flagfile=path, epochs=8)
    assert (search.options["epochs"], search.options["entropy_weight"]) == (8, 0.5)
    # What it says for another searcher does not count.
    other = enas_tf.ImageSearch(workdir=tmp_path / "run", flagfile=path, searcher="random")
    assert "entropy_weight" not in other.options


def test_every_option_of_the_command_line_is_a_keyword(tmp_path):
    """Names differ in nothing; what a run reads depends on its components, so each is tried with one that reads it."""
    known = every_option()
    search = enas_tf.ImageSearch(workdir=tmp_path, seed=np.int64(3), ops="conv_3x3,max_pool_3x3", num_layers=6)
    assert search.options.keys() <= known.keys()
    assert (search.options["seed"], search.options["ops"]) == (3, ("conv_3x3", "max_pool_3x3"))
    text = enas_tf.TextSearch(workdir=tmp_path, units=8)
    assert text.options["space"] == "recurrent"
    assert re.match("pydoc", text.options["dataset"])
