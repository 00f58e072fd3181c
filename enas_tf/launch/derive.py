"""python -m enas_tf.launch.derive --workdir=DIR [--derive_samples=N]

Ranks proposals of a finished or stopped search anew, and writes candidates.csv, architecture.json and its picture.
"""

from enas_tf.launch import app
from enas_tf.launch.config import read_config
from enas_tf.launch.stages import Run, SearchStage, closing_block


def main() -> None:
    run = Run(read_config(), app.required_workdir())
    try:
        stage = SearchStage.build(run)
        stage.restore()
        stage.derive()
        closing_block(run)
    finally:
        run.close()


if __name__ == "__main__":
    app.define_common_flags()
    app.run(main)
