"""A child that begins with the shared weights of the search in its workdir, instead of random ones."""

import keras

from enas_tf.errors import InputError, ref
from enas_tf.experiments.data_record import check_data
from enas_tf.experiments.run import Run
from enas_tf.experiments.search_stage import SearchStage
from enas_tf.search.evaluators.shared import SharedWeightsEvaluator
from enas_tf.spaces.space import Buildable


def check_inheritance(run: Run, architecture: Buildable) -> None:
    """Raise `InputError` where the child of `architecture` cannot take the shared weights of the workdir's search."""
    evaluator, space = run.config.run.evaluator, run.space
    if evaluator != "shared":
        raise InputError(
            f"{ref('inherit')} takes shared weights, and the search in {run.workdir} has none ({ref('evaluator')}="
            f"{evaluator}): leave it out."
        )
    if not hasattr(architecture, "space") or architecture.space().name != space.name:
        raise InputError(f"{ref('inherit')} is for architectures of the searched space {space.name}: leave it out.")
    networks, shape = run.networks, run.shape
    searched, child = networks.as_child(run.config[networks.network]), run.config[networks.child]
    costs = [networks.count(architecture, size, shape) for size in (searched, child)]
    if costs[0] != costs[1]:
        raise InputError(
            f"{ref('inherit')}: the child has {costs[1].parameters:,} parameters, and {costs[0].parameters:,} at the "
            f"size of the search, {networks.size_in_words(architecture, searched)}: expected equal sizes. Give the "
            "options of retraining the values of the search."
        )


def check_searched(run: Run) -> None:
    """Raise `InputError` where the workdir holds no search of the run's options that could be inherited from."""
    run.workdir.check_stage("search", run.stage_values("search"))
    check_data(run, "search")
    if not (run.workdir.checkpoints("search") / "checkpoint").exists():
        raise InputError(
            f"{run.workdir} holds no searched weights for {ref('inherit')}: expected checkpoints/search, as "
            f"`python -m enas_tf.launch.search --workdir=...` leaves it. Leave out {ref('inherit')}."
        )


def inherit(run: Run, child: keras.Model, architecture: Buildable) -> None:
    """Set the weights of `child` to those that the search in the workdir has trained for `architecture`.

    Raises:
      InputError: there is no such search, or it was of other options.
    """
    stage = SearchStage(run)
    position = stage.restore()
    evaluator = stage.evaluator
    assert isinstance(evaluator, SharedWeightsEvaluator)
    run.networks.inherit_weights(child, evaluator.problem.tracked["supernet"], architecture)
    run.reporter.say(f"retrain: begins with the shared weights of the search, after its epoch {position.epoch}")
