"""python -m enas_tf.launch.derive --workdir=DIR [--derive_samples=N]

Ranks proposals of a finished or stopped search anew, and writes candidates.csv, architecture.json and its picture.
"""

from enas_tf.experiments.report import write_report
from enas_tf.experiments.run import closing_block
from enas_tf.experiments.starting import build_stage
from enas_tf.launch import app


def main() -> None:
    """Restore the search of the workdir and derive from it."""
    workdir = app.existing_workdir()
    with app.start_run(app.config_for(stage="search"), workdir, is_shared=True) as run:
        run.lock()
        stage = build_stage(run)
        stage.derive(stage.restore().epoch)
        write_report(run)
        closing_block(run)


def command() -> None:
    """Run this launcher by the arguments of the process, and end the process."""
    app.define_common_flags()
    app.run(main, reads={"search": ""})


if __name__ == "__main__":
    command()
