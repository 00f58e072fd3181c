"""python -m enas_tf.launch.export --workdir=DIR

Writes the SavedModel of a retrained child and compares it with the Keras model.
"""

from absl import flags

from enas_tf.launch import app
from enas_tf.launch.config import read_config
from enas_tf.launch.retrain_stage import check_is_architecture_of, export
from enas_tf.launch.run import Run
from enas_tf.spaces.architectures import read_architecture


def main() -> None:
    with Run(read_config(), app.required_workdir()) as run:
        named = flags.FLAGS.architecture
        check_is_architecture_of(run.workdir, read_architecture(named) if named else None)
        export(run)


if __name__ == "__main__":
    app.define_common_flags()
    app.define_architecture_flag()
    app.run(main, flagfiles=app.CHILD_FLAGS)
