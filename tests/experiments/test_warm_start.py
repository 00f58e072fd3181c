"""A search begins with the weights and the policy of another one, once, and refuses those of other networks."""

import numpy as np
import pytest

from enas_tf.errors import InputError
from enas_tf.experiments import search_stage
from enas_tf.experiments.config import read_options, to_flagfile
from enas_tf.experiments.run import Run
from enas_tf.experiments.starting import start_search
from enas_tf.runtime.checkpoints import Position

OPTIONS = {"num_layers": 3, "channels": 2, "limit_train": 64, "batch_size": 8, "epochs": 2, "updates_per_epoch": 1}


def weights(stage):
    supernet = [variable.numpy() for variable in stage.evaluator.problem.variables]
    controller = getattr(stage.searcher, "controller", None)
    return supernet, [] if controller is None else [variable.numpy() for variable in controller.variables]


@pytest.fixture
def search(tmp_path, monkeypatch):
    """`search("name", seed=1)`: weights with which the search in that directory has begun.

    In the place of the search it adds 1 to every weight, and saves.
    """
    begun = []

    def pretend(searcher, evaluator, config, seed, reporter, checkpoints, *_):
        begun.append(None)
        stage = type("Stage", (), {"searcher": searcher, "evaluator": evaluator})
        position = checkpoints.restore_latest() or Position()
        begun[-1] = weights(stage)
        for variable in [*evaluator.problem.variables, *(getattr(searcher, "controller", evaluator.judge).variables
                                                         if hasattr(searcher, "controller") else [])]:  # fmt: skip
            variable.assign(variable + 1)
        checkpoints.save(position.epoch + 1)
        return Position(position.epoch + 1)

    monkeypatch.setattr(search_stage, "search", pretend)

    def run(name, is_overwriting=False, **options):
        given = {option: value for option, value in {**OPTIONS, **options}.items() if value is not None}
        with Run(read_options(given), tmp_path / name, is_quiet=True) as started:
            start_search(started, is_overwriting, is_retraining=False).search()
        return begun[-1]

    return run


def plus_one(found):
    return [[array + 1 for array in group] for group in found]


def assert_equal(one, other):
    for ours, theirs in zip(one, other, strict=True):
        assert len(ours) == len(theirs)
        for a, b in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(a, b)


def test_a_search_begins_where_another_one_ended_and_resumes_with_its_own(search, tmp_path):
    first = search("first")
    start = str(tmp_path / "first")
    second = search("second", start_from=start, seed=7, epochs=3)
    assert_equal(second, plus_one(first))
    search("first", seed=0)  # The first one goes on, which is nothing to the second.
    assert_equal(search("second", start_from=start, seed=7, epochs=3), plus_one(second))
    again = search("second", is_overwriting=True, start_from=start, seed=7, epochs=3)
    assert_equal(again, plus_one(plus_one(first)))


def test_a_search_with_another_searcher_takes_the_weights_alone(search, tmp_path):
    first = search("first", searcher="random")
    fresh = search("fresh")
    found = search("second", start_from=str(tmp_path / "first"))
    assert_equal(found, [plus_one(first)[0], fresh[1]])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"channels": 4}, "has searched other networks .channels was 2, is 4."),
        ({"space": "micro", "num_layers": None}, "space was macro, is micro"),
        ({"start_from": "nowhere"}, "start_from=nowhere holds no search"),
        ({"controller_layers": 2}, "other weights"),
    ],
)
def test_what_cannot_be_taken_is_refused_and_nothing_is_written(search, tmp_path, options, words):
    search("first")
    with pytest.raises(InputError, match=words):
        search("second", **{"start_from": str(tmp_path / "first"), **options})
    assert not (tmp_path / "second").exists()


def test_the_run_itself_is_no_source_even_if_it_is_overwritten(search, tmp_path):
    search("first")
    with pytest.raises(InputError, match="is the workdir itself"):
        search("first", is_overwriting=True, start_from=str(tmp_path / "first"))
    assert (tmp_path / "first/checkpoints/search/checkpoint").exists()


def test_trials_have_no_such_start():
    with pytest.raises(InputError, match="start_from=x is for searches by epochs"):
        read_options({"evaluator": "scratch", "start_from": "x"})


def test_the_directory_is_written_down_in_full(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = Run(read_options({**OPTIONS, "start_from": "first"}), tmp_path / "run")
    assert f"--start_from={tmp_path}/first" in to_flagfile(run.recorded_config).splitlines()
