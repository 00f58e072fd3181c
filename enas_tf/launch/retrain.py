"""python -m enas_tf.launch.retrain --workdir=DIR [--architecture=FILE|ARC|NAME] [--then=export]

Trains an architecture from scratch and tests it once, at the end; goes on where the same command stopped. Nothing but a
child is trained here: in the command line --epochs=3 means --retrain_epochs=3, and so on.
"""

from absl import flags

from enas_tf.errors import InputError
from enas_tf.experiments.retrain_stage import RetrainStage, export
from enas_tf.experiments.run import Run, closing_block, derived_architecture
from enas_tf.experiments.workdir import Workdir
from enas_tf.launch import app
from enas_tf.runtime import cluster


def define_flags() -> None:
    app.define_common_flags()
    app.define_architecture_flag()
    flags.DEFINE_list("then", [], "stages to run after: export")
    flags.DEFINE_bool("overwrite", False, "start anew: remove the child that an earlier run left in --workdir")


def main() -> None:
    # A flagfile of a whole run may say retrain,export.
    then = [stage.strip() for stage in flags.FLAGS.then if stage.strip() != "retrain"]
    if then not in ([], ["export"]):
        raise InputError(f"--then={','.join(then)} is not valid: expected export.")
    workdir = app.required_workdir()
    architecture = app.named_architecture() or derived_architecture(Workdir(workdir))
    with Run(app.config_for(architecture), workdir, is_shared=True) as run:
        stage = RetrainStage(run, architecture)
        stage.open(flags.FLAGS.overwrite)
        stage.retrain()
        if then:
            export(run)
        cluster.barrier()
        closing_block(run)


if __name__ == "__main__":
    define_flags()
    app.run(main, flagfiles=app.CHILD_FLAGS, prefix=app.RETRAIN)
