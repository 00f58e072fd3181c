"""python -m enas_tf.launch.search --flagfile=flags/digits_macro.flags --workdir=DIR --then=retrain,export

Searches an architecture and derives the best; goes on where the same command stopped. `--then` adds the next stages,
`--dry_run` says what a search would take.
"""

import tempfile
from pathlib import Path

from absl import flags

from enas_tf.errors import InputError
from enas_tf.experiments.config import read_config
from enas_tf.experiments.retrain_stage import RetrainStage, export
from enas_tf.experiments.run import Run, closing_block, derived_architecture
from enas_tf.experiments.search_stage import SearchStage, start_search
from enas_tf.launch import app
from enas_tf.runtime import cluster


def define_flags() -> None:
    app.define_common_flags()
    flags.DEFINE_list("then", [], "stages to run after the search: retrain, or retrain,export")
    flags.DEFINE_bool(
        "dry_run",
        False,
        "say what the search takes in memory and time, measured over a few steps, and stop; no --workdir",
    )
    flags.DEFINE_bool("overwrite", False, "start anew: remove what an earlier run left in --workdir")


def main() -> None:
    then = [stage.strip() for stage in flags.FLAGS.then]
    if then not in ([], ["retrain"], ["retrain", "export"]):
        raise InputError(f"--then={','.join(then)} is not valid: expected retrain or retrain,export.")
    if flags.FLAGS.dry_run:
        with tempfile.TemporaryDirectory() as nowhere, Run(read_config(), Path(nowhere), is_shared=True) as run:
            SearchStage.build(run).dry_run()
        return
    with Run(read_config(), app.required_workdir(), is_shared=True) as run:
        stage = start_search(run, flags.FLAGS.overwrite, is_retraining="retrain" in then)
        stage.search()
        if not cluster.is_any(stage.is_derived()):
            stage.derive()
        cluster.barrier()
        del stage
        if "retrain" in then:
            retraining = RetrainStage(run, derived_architecture(run.workdir))
            retraining.open(is_overwriting=False)
            retraining.retrain()
        if "export" in then:
            export(run)
        cluster.barrier()
        closing_block(run)


if __name__ == "__main__":
    define_flags()
    app.run(main, flagfiles=())
