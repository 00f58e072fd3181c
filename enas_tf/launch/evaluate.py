"""python -m enas_tf.launch.evaluate --workdir=DIR [--weights=shared --architecture=FILE|ARC|NAME]

Measures the retrained child on the test part, or an architecture with the searched weights on the validation part.
"""

import json
import sys

from absl import flags

from enas_tf.launch import app
from enas_tf.launch.config import read_config
from enas_tf.launch.retrain_stage import check_is_architecture_of, finite, measure_child
from enas_tf.launch.run import Run, derived_architecture
from enas_tf.launch.search_stage import SearchStage


def define_flags() -> None:
    app.define_common_flags()
    app.define_architecture_flag()
    flags.DEFINE_enum(
        "weights",
        "child",
        ["child", "shared"],
        "child = the retrained child on the test part; shared = the searched weights on the validation part, "
        "normalised by batch statistics",
    )


def main() -> None:
    is_of_child, architecture = flags.FLAGS.weights == "child", app.named_architecture()
    # Shared weights are those of the run's own space.
    run = Run(app.config_for(architecture) if is_of_child else read_config(), app.required_workdir())
    if is_of_child:
        check_is_architecture_of(run.workdir, architecture)
        metrics = {f"test_{name}": value for name, value in measure_child(run).items()}
    else:
        tokens = run.space.encode(architecture or derived_architecture(run.workdir))
        stage = SearchStage.build(run)
        stage.restore()
        metrics = {"shared_weights_valid_accuracy": stage.evaluator.score(tokens)}
    print(json.dumps(finite(metrics)))


if __name__ == "__main__":
    define_flags()
    is_of_search = any(argument.endswith("weights=shared") for argument in sys.argv)
    app.run(main, flagfiles=(app.RUN_FLAGS,) if is_of_search else app.CHILD_FLAGS)
