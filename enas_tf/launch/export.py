"""python -m enas_tf.launch.export --workdir=DIR [--export=savedmodel,litert,onnx]

Writes a retrained child in the forms that `--export` names, and compares each with the Keras model.
"""

from enas_tf.experiments.export_stage import export
from enas_tf.experiments.retrain_stage import check_is_architecture_of
from enas_tf.experiments.run import say_report
from enas_tf.launch import app


def main() -> None:
    """Export the child of the workdir."""
    workdir, architecture = app.existing_workdir(), app.named_architecture()
    with app.start_run(app.config_for(architecture, stage="export"), workdir) as run:
        run.lock()
        check_is_architecture_of(run.workdir, architecture)
        export(run)
        say_report(run)


def command() -> None:
    """Run this launcher by the arguments of the process, and end the process."""
    app.define_common_flags()
    app.define_architecture_flag()
    app.run(main, flagfiles=app.CHILD_FLAGS, reads={"export": ""})


if __name__ == "__main__":
    command()
