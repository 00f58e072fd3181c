"""python -m enas_tf.launch.retrain --workdir=DIR [--architecture=FILE|ARC|NAME] [--then=export]

Trains an architecture from scratch and tests it once, at the end; resumes where the same command stopped. Nothing but a
child is trained here: in the command line --epochs=3 means --retrain_epochs=3, and so on.
"""

from absl import flags

from enas_tf.errors import InputError, ref
from enas_tf.experiments.export_stage import export
from enas_tf.experiments.formats import check_formats
from enas_tf.experiments.run import closing_block, derived_architecture
from enas_tf.experiments.starting import retrain
from enas_tf.experiments.top_stage import retrain_top
from enas_tf.experiments.workdir import Workdir
from enas_tf.launch import app
from enas_tf.runtime import cluster

FLAGS = flags.FLAGS


def define_flags() -> None:
    """Define the flags of this launcher."""
    app.define_common_flags()
    app.define_architecture_flag()
    flags.DEFINE_list("then", [], "stages to run after: export")
    flags.DEFINE_integer(
        "top",
        None,
        "train the best so many rows of candidates.csv, each into a directory child_1, child_2, ... of --workdir that "
        "is a run of its own; say which is best on the validation part",
    )
    flags.DEFINE_bool("overwrite", False, "start anew: remove the child that an earlier run left in --workdir")


def main() -> None:
    """Train, test, and export where `--then` says so."""
    # A flagfile of a whole run may say retrain,export.
    then = [stage.strip() for stage in FLAGS.then if stage.strip() != "retrain"]
    if then not in ([], ["export"]):
        raise InputError(f"{ref('then')}={','.join(then)} is not valid: expected export.")
    if FLAGS.top is not None:
        _retrain_top(is_exporting=bool(then))
        return
    workdir, architecture = app.required_workdir(), app.named_architecture()
    if architecture is None:
        architecture = derived_architecture(Workdir(app.existing_workdir()))
    with app.start_run(app.config_for(architecture, stage="retrain"), workdir, is_shared=True) as run:
        run.lock()
        if then:
            check_formats(run)
        retrain(run, architecture, FLAGS.overwrite)
        if then:
            export(run)
        cluster.barrier()
        closing_block(run)


def _retrain_top(is_exporting: bool) -> None:
    if FLAGS.architecture:
        raise InputError(f"{ref('top')}={FLAGS.top} trains candidates: leave out {ref('architecture')}.")
    with app.start_run(app.config_for(stage="retrain"), app.existing_workdir(), is_shared=True) as run:
        run.lock()
        if is_exporting:
            check_formats(run)
        retrain_top(run, FLAGS.top, FLAGS.overwrite, export if is_exporting else lambda run: None)
        cluster.barrier()
        closing_block(run)


def command() -> None:
    """Run this launcher by the arguments of the process, and end the process."""
    define_flags()
    app.run(main, flagfiles=app.CHILD_FLAGS, prefix=app.RETRAIN, reads={"retrain": ""})


if __name__ == "__main__":
    command()
