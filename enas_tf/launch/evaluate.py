"""python -m enas_tf.launch.evaluate --workdir=DIR [--weights=shared --architecture=FILE|ARC|NAME] [--sample=50]

Measures the retrained child on the test part, or an architecture with the searched weights on the validation part; or
lets a retrained language model write.
"""

import json
import sys

import numpy as np
from absl import flags

from enas_tf.errors import InputError
from enas_tf.experiments.config import read_config
from enas_tf.experiments.retrain_stage import check_is_architecture_of, finite, measure_child, write_sample
from enas_tf.experiments.run import Run, derived_architecture
from enas_tf.experiments.search_stage import SearchStage
from enas_tf.launch import app
from enas_tf.spaces.decisions import Architecture
from enas_tf.spaces.recurrent import LstmBaseline


def define_flags() -> None:
    app.define_common_flags()
    app.define_architecture_flag()
    flags.DEFINE_enum(
        "weights",
        "child",
        ["child", "shared"],
        "child = the retrained child on the test part; shared = the searched weights on the validation part, "
        "normalised by batch statistics where there are any",
    )
    flags.DEFINE_integer("sample", 0, "print a text of so many tokens by the retrained language model", lower_bound=0)
    flags.DEFINE_string("prompt", "", "what the text of --sample goes on from; the beginning of a line if empty")


def main() -> None:
    is_of_child, architecture = flags.FLAGS.weights == "child", app.named_architecture()
    _check_sampling(is_of_child)
    # Shared weights are those of the run's own space.
    run = Run(app.config_for(architecture) if is_of_child else read_config(), app.required_workdir())
    if is_of_child:
        check_is_architecture_of(run.workdir, architecture)
        if flags.FLAGS.sample:
            print(write_sample(run, flags.FLAGS.prompt, flags.FLAGS.sample))
            return
        metrics = {f"test_{name}": value for name, value in measure_child(run).items()}
    else:
        tokens = _encode(run, architecture or derived_architecture(run.workdir))
        stage = SearchStage.build(run)
        stage.restore()
        metrics = {f"shared_weights_{stage.evaluator.metric}": stage.evaluator.score(tokens)}
    print(json.dumps(finite(metrics)))


def _check_sampling(is_of_child: bool) -> None:
    if flags.FLAGS.sample and not is_of_child:
        raise InputError(f"--sample={flags.FLAGS.sample} is for a retrained child: leave out --weights=shared.")
    if flags.FLAGS.prompt and not flags.FLAGS.sample:
        raise InputError(f"--prompt={flags.FLAGS.prompt} is read by --sample only: expected --sample=50, say, with it.")


def _encode(run: Run, architecture: Architecture) -> np.ndarray:
    """The architecture's tokens in the run's space; raises `InputError` for one that the space does not hold."""
    if isinstance(architecture, LstmBaseline):
        raise InputError("--weights=shared has none for an LSTM: expected an architecture of the searched space.")
    return run.space.encode(architecture)


if __name__ == "__main__":
    define_flags()
    is_of_search = any(argument.endswith("weights=shared") for argument in sys.argv)
    app.run(main, flagfiles=(app.RUN_FLAGS,) if is_of_search else app.CHILD_FLAGS)
