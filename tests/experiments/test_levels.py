"""A search by levels needs trials, and derives the best cell of its last level."""

import types

import pytest

from enas_tf.errors import InputError, render
from enas_tf.experiments.config import read_options
from enas_tf.experiments.run import Run
from enas_tf.experiments.starting import build_stage
from enas_tf.experiments.trial_stage import TrialStage
from enas_tf.search.ledger import Ledger
from enas_tf.search.objective import Objective
from enas_tf.search.trials import Failure, Measurement, Trial
from tests.search.searchers.growing import GrowingSpace

SMALL = {"num_layers": 3, "channels": 4, "retrain_channels": 4, "limit_train": 64, "searcher": "progressive"}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"evaluator": "shared"}, "searcher=progressive proposes level by level and ends"),
        ({"evaluator": "scratch"}, "those of the macro space do not grow: expected a space such as pnas"),
    ],
)
def test_progressive_is_refused_where_it_cannot_be(options, words, tmp_path):
    with Run(read_options({**SMALL, "batch_size": 32, **options}), tmp_path / "run") as run:
        with pytest.raises(InputError) as caught:
            build_stage(run)
        assert words in render(str(caught.value))
    assert not (tmp_path / "run").exists()


def measured(value: float) -> Measurement:
    return Measurement(value, 0.5, (value,), 1.0, "CPU")


def test_the_last_level_is_derived_first(tmp_path):
    """A larger accuracy of a smaller cell stands behind it, and a trial that failed nowhere."""
    ledger, space = Ledger(tmp_path / "trials.jsonl", {}), GrowingSpace()
    found = {(0, 0, 1, 1): 0.9, (0, 1, 1, 1): 0.7, (0, 0, 1, 1, 0, 2, 0, 0): 0.6, (0, 0, 1, 1, 2, 2, 0, 0): 0.8}
    for tokens, value in found.items():
        entry = ledger.add(Trial(tokens, (3,)), space.decode(tokens).to_arc(), {"parameters": 1, "flops": 1})
        ledger.finish(entry, measured(value))
    failed = ledger.add(Trial((0, 0, 1, 1, 1, 2, 0, 0), (3,)), "failed", {"parameters": 1, "flops": 1})
    ledger.finish(failed, Failure("diverged", "loss"))
    evaluator = types.SimpleNamespace(metric="valid_accuracy", is_higher_better=True)
    limits = types.SimpleNamespace(objective=Objective(is_higher_better=True))
    run = types.SimpleNamespace(space=space)
    stage = types.SimpleNamespace(ledger=ledger, run=run, evaluator=evaluator, limits=limits)
    ranked, _ = TrialStage._candidates(stage)
    assert [candidate.value for candidate in ranked] == [0.8, 0.6, 0.9, 0.7]
    assert ranked[0].tokens == (0, 0, 1, 1, 2, 2, 0, 0)
