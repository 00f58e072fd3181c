"""python -m enas_tf.launch.evaluate --workdir=DIR [--weights=shared --architecture=FILE|ARC|NAME] [--sample=50]

Measures the retrained child on the test part, or an architecture with the searched weights on the validation part; or
lets a retrained language model write.
"""

import json
import sys

import numpy as np
from absl import flags

from enas_tf.errors import InputError, ref
from enas_tf.experiments.export_stage import measure_child, write_sample
from enas_tf.experiments.retrain_stage import check_is_architecture_of, finite
from enas_tf.experiments.run import Run, derived_architecture
from enas_tf.experiments.starting import build_stage
from enas_tf.launch import app
from enas_tf.launch.arguments import values_of
from enas_tf.options import require, shorten
from enas_tf.spaces.space import Architecture, Buildable

FLAGS = flags.FLAGS
_MOST_TOKENS = 10**6
_SHARED = "--weights=shared"


def define_flags() -> None:
    """Define the flags of this launcher."""
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
    flags.DEFINE_float(
        "sample_temperature",
        None,
        "logits of --sample are divided by it: below 1 the text keeps closer to what is probable [default: 1]",
    )
    flags.DEFINE_string("prompt", "", "what the text of --sample begins with; the beginning of a line if empty")


def main() -> None:
    """Print the metrics, or the text that is asked for."""
    is_of_child, workdir, architecture = FLAGS.weights == "child", app.existing_workdir(), app.named_architecture()
    _check_sampling(is_of_child)
    # Shared weights are those of the run's own space.
    config = app.config_for(architecture, "child") if is_of_child else app.config_for(stage="shared")
    run = app.start_run(config, workdir)
    if not is_of_child:
        metrics = _measure_shared(run, architecture or derived_architecture(run.workdir))
    else:
        check_is_architecture_of(run.workdir, architecture)
        if FLAGS.sample:
            temperature = 1.0 if FLAGS.sample_temperature is None else FLAGS.sample_temperature
            print(write_sample(run, FLAGS.prompt, FLAGS.sample, temperature))
            return
        metrics = {f"test_{name}": value for name, value in measure_child(run).items()}
    print(json.dumps(finite(metrics)))


def _measure_shared(run: Run, architecture: Buildable) -> dict[str, float]:
    tokens = _encode(run, architecture)
    stage = build_stage(run)
    if stage.evaluator.has_trials:
        raise InputError(
            f"{run.workdir} holds trials, which share no weights: leave out {ref('weights')}=shared. candidates.csv "
            "has the metric of each."
        )
    stage.restore()
    return {f"shared_weights_{stage.evaluator.metric}": stage.evaluator.score(tokens)}


def _check_sampling(is_of_child: bool) -> None:
    if FLAGS.sample and not is_of_child:
        raise InputError(f"{ref('sample')}={FLAGS.sample} is for a retrained child: leave out {ref('weights')}=shared.")
    for name in ("prompt", "sample_temperature"):
        if FLAGS[name].value not in (None, "") and not FLAGS.sample:
            shown = f"{ref(name)}={shorten(FLAGS[name].value)}"
            raise InputError(f"{shown} is read by {ref('sample')} only: expected {ref('sample')}=50, say, too.")
    temperature = FLAGS.sample_temperature
    # Below, the probabilities of all tokens but one are 0.
    is_valid = temperature is None or 0.001 <= temperature <= 1000
    require(is_valid, "sample_temperature", temperature, "a number of 0.001..1000")
    require(FLAGS.sample <= _MOST_TOKENS, "sample", FLAGS.sample, f"at most {_MOST_TOKENS:,}")


def _encode(run: Run, architecture: Buildable) -> np.ndarray:
    """Return the architecture's tokens in the run's space; raise `InputError` for one that the space does not hold."""
    if not isinstance(architecture, Architecture):
        raise InputError(
            f"{ref('weights')}=shared has none for {architecture.to_arc()}, a baseline: expected an architecture of "
            "the searched space."
        )
    return run.space.encode(architecture)


def command() -> None:
    """Run this launcher by the arguments of the process, and end the process."""
    define_flags()
    is_of_search = values_of("weights", sys.argv[1:])[-1:] == ["shared"]
    app.run(
        main,
        flagfiles=(app.RUN_FLAGS,) if is_of_search else app.CHILD_FLAGS,
        reads={"child": "", "shared": f"With {_SHARED}"},
    )


if __name__ == "__main__":
    command()
