"""A child that inherits begins with the weights that the search has trained for its architecture."""

import numpy as np
import pytest

from enas_tf.errors import InputError
from enas_tf.experiments.config import read_options
from enas_tf.experiments.inheritance import inherit
from enas_tf.experiments.retrain_stage import RetrainStage
from enas_tf.experiments.run import Run, derived_architecture
from enas_tf.experiments.search_stage import SearchStage
from enas_tf.experiments.starting import search_and_derive

OPTIONS = {
    "num_layers": 3,
    "channels": 4,
    "retrain_channels": 4,
    "limit_train": 64,
    "batch_size": 32,
    "epochs": 1,
    "updates_per_epoch": 0,
    "derive_samples": 2,
    "finalists": 0,
    "retrain_epochs": 1,
    "retrain_batch_size": 32,
    "retrain_dropout": 0.0,
}


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    """The directory of a search."""
    workdir = tmp_path_factory.mktemp("inherit") / "run"
    with Run(read_options(OPTIONS), workdir, is_quiet=True) as run:
        search_and_derive(run, is_overwriting=False, is_retraining=True)
    return workdir


def open_run(workdir, **options):
    return Run(read_options(OPTIONS | {"inherit": True} | options), workdir, is_quiet=True)


def test_a_child_begins_with_what_the_search_has_trained(searched):
    with open_run(searched) as run:
        architecture = derived_architecture(run.workdir)
        stage = RetrainStage(run, architecture)
        inherit(run, stage.child, architecture)
        search = SearchStage(run)
        search.restore()
        supernet = search.evaluator.problem.tracked["supernet"]
        images = run.data.valid.images[:16]
        tokens = run.space.encode(architecture)
        expected, _ = supernet(images, np.array(tokens, np.int32))
        # Both normalise by the statistics of the batch.
        np.testing.assert_allclose(stage.child(images, training=True), expected, atol=1e-3)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            {"retrain_channels": 8},
            r"inherit.*the child has .* parameters, and .* at the size of the search, 4 channels",
        ),
        ({"evaluator": "scratch", "epochs": None}, r"inherit takes shared weights.*evaluator=scratch"),
    ],
)
def test_what_cannot_be_inherited_is_refused(searched, options, words):
    given = {name: value for name, value in (OPTIONS | {"inherit": True} | options).items() if value is not None}
    if "epochs" not in given:
        for name in ("updates_per_epoch", "derive_samples", "finalists"):
            del given[name]
    with Run(read_options(given), searched, is_quiet=True) as run, pytest.raises(InputError, match=words):
        RetrainStage(run, derived_architecture(run.workdir))
