"""The stages of a run from their start to their end, for every face of the product.

A stage is built first and claims the workdir then, so that wrong input changes nothing there.
"""

from enas_tf.experiments.config import to_flagfile
from enas_tf.experiments.data_record import check_data, record_data
from enas_tf.experiments.report import write_report
from enas_tf.experiments.retrain_stage import RetrainStage, check_retraining
from enas_tf.experiments.run import Run
from enas_tf.experiments.search_stage import SearchStage
from enas_tf.experiments.trial_stage import TrialStage
from enas_tf.runtime import cluster
from enas_tf.runtime.files import write_text
from enas_tf.search.evaluators.evaluator import EVALUATORS
from enas_tf.spaces.space import Buildable


def build_stage(run: Run, is_overwriting: bool = False) -> SearchStage:
    """Build the search of a run: by epochs, or by trials where its evaluator has these.

    With `is_overwriting` nothing that an earlier search has left is read.
    """
    stage = TrialStage if EVALUATORS[run.config.run.evaluator].has_trials else SearchStage
    return stage(run, is_overwriting)


def start_search(run: Run, is_overwriting: bool, is_retraining: bool) -> SearchStage:
    """Build the search and claim the workdir for it. What retraining would refuse later is refused now."""
    if is_retraining:
        run.check_limits("search", "retrain")
        check_retraining(run, run.space.decode([0] * run.space.num_tokens))
    stage = build_stage(run, is_overwriting)
    stage.prepare_start(is_overwriting)
    if is_retraining and not is_overwriting:
        run.workdir.check_stage("retrain", run.stage_values("retrain"))
    if not is_overwriting:
        run.workdir.check_stage("search", run.stage_values("search"))
        check_data(run, "search")
    run.open_stage("search", run.stage_values("search"), is_overwriting)
    record_data(run, "search")
    write_text(run.workdir.run_flags, to_flagfile(run.recorded_config))
    run.workdir.write_environment(run.seed, run.task.record(run.data))
    cluster.barrier()
    return stage


def search_and_derive(run: Run, is_overwriting: bool, is_retraining: bool) -> None:
    """Search and derive what is not done yet; what a stage has built is let go at the end.

    Args:
      run: the run.
      is_overwriting: whether what an earlier search has left in the workdir is removed.
      is_retraining: whether a retraining follows: what that would refuse is refused now.
    """
    stage = start_search(run, is_overwriting, is_retraining)
    stage.search()
    num_epochs = stage.num_epochs
    if not stage.is_within_epoch and cluster.is_any(stage.is_derived(num_epochs)):
        run.reporter.say(f"derive: finished, {run.workdir.architecture} is there already")
    else:
        stage.derive(num_epochs)
    write_report(run)
    cluster.barrier()


def retrain(run: Run, architecture: Buildable, is_overwriting: bool) -> dict:
    """Train the child of `architecture`, and test it; return its metrics."""
    stage = RetrainStage(run, architecture)
    stage.open(is_overwriting)
    metrics = stage.retrain()
    write_report(run)
    return metrics
