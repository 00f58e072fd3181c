"""python -m enas_tf.launch.search --flagfile=flags/digits_macro.flags --workdir=DIR --then=retrain,export

Searches an architecture and derives the best; resumes where the same command stopped. `--then` adds the next stages,
`--dry_run` says what a search would take.
"""

import tempfile
from pathlib import Path

from absl import flags

from enas_tf.errors import InputError, ref
from enas_tf.experiments.advice import advice_for
from enas_tf.experiments.export_stage import export
from enas_tf.experiments.formats import check_formats
from enas_tf.experiments.run import Run, closing_block, derived_architecture
from enas_tf.experiments.run_config import AUTO
from enas_tf.experiments.starting import build_stage, retrain, search_and_derive
from enas_tf.launch import app
from enas_tf.launch.flags import asked_options
from enas_tf.runtime import cluster

FLAGS = flags.FLAGS


def define_flags() -> None:
    """Define the flags of this launcher."""
    app.define_common_flags()
    flags.DEFINE_list("then", [], "stages to run after the search: retrain, or retrain,export")
    flags.DEFINE_bool(
        "dry_run",
        False,
        "say what the search takes in memory and time, measured over a few steps, and stop; no --workdir",
    )
    flags.DEFINE_bool("overwrite", False, "start anew: remove what an earlier run left in --workdir")


def main() -> None:
    """Search, derive, and run the stages that `--then` names."""
    then = [stage.strip() for stage in FLAGS.then]
    if then not in ([], ["retrain"], ["retrain", "export"]):
        raise InputError(f"{ref('then')}={','.join(then)} is not valid: expected retrain or retrain,export.")
    if FLAGS.dry_run:
        with tempfile.TemporaryDirectory() as nowhere, _start(Path(nowhere)) as run:
            build_stage(run).dry_run()
        return
    with _start(app.required_workdir()) as run:
        run.lock()
        if "export" in then:
            check_formats(run)
        search_and_derive(run, FLAGS.overwrite, is_retraining="retrain" in then)
        if "retrain" in then:
            retrain(run, derived_architecture(run.workdir), is_overwriting=False)
        if "export" in then:
            export(run)
        cluster.barrier()
        closing_block(run)


def _start(workdir: Path) -> Run:
    run = app.start_run(app.config_for(), workdir, is_shared=True)
    if FLAGS.evaluator == AUTO:
        chosen = run.config.run.evaluator
        run.reporter.say(f"search: {ref('evaluator')}={AUTO} is {chosen} here. {advice_for(asked_options()).reason}")
    return run


def command() -> None:
    """Run this launcher by the arguments of the process, and end the process."""
    define_flags()
    app.run(main, flagfiles=())


if __name__ == "__main__":
    command()
