"""python -m enas_tf.launch.study --flagfile=flags/digits_macro.flags --workdir=DIR --runs=random:shared,auto:scratch

Asks whether searches find better networks than luck. Runs each kind of search with several seeds, each as a process of
its own; trains what they have found and random architectures alike; writes study.csv, children.csv and study.html.
Resumes where the same command stopped.
"""

import math
import os
import subprocess
import sys
from pathlib import Path

from absl import flags

from enas_tf.errors import InputError, ref
from enas_tf.experiments.config import from_flagfile, to_flagfile
from enas_tf.experiments.run import Run
from enas_tf.experiments.study import Child, Search, Study, read_truth, seeds_in_words
from enas_tf.experiments.study_report import Summary, children_csv, to_html
from enas_tf.experiments.tables import to_csv
from enas_tf.launch import app
from enas_tf.pictures.page import shown
from enas_tf.runtime.files import write_text
from enas_tf.search.evaluators.evaluator import EVALUATORS
from enas_tf.search.searchers.searcher import SEARCHERS

FLAGS = flags.FLAGS


def define_flags() -> None:
    """Define the flags of this launcher."""
    app.define_common_flags()
    flags.DEFINE_list(
        "runs",
        ["reinforce:shared", "random:shared"],
        "kinds of search: SEARCHER:EVALUATOR with the options of this command, or flagfiles of searches on the "
        "same data and space; nothing trains random children alone, for a ground truth",
    )
    flags.DEFINE_integer("run_seeds", 3, "seeds of each kind of search", lower_bound=1)
    flags.DEFINE_integer("children", 30, "random architectures that are trained alike", lower_bound=2)
    flags.DEFINE_integer("training_seeds", 1, "seeds that each child is trained with", lower_bound=1)
    flags.DEFINE_list(
        "short_epochs",
        [],
        "random architectures are also trained for so few epochs, each alone, to see how well that ranks them",
    )
    flags.DEFINE_string("truth", None, "a children.csv of trained architectures, in the place of random children")


def main() -> None:
    """Run the searches, train the children, and report."""
    workdir, kinds = app.required_workdir(), _kinds()
    config = app.config_for()
    with app.start_run(config, workdir) as run:
        study = Study(run, FLAGS.children, FLAGS.training_seeds)
        truth = read_truth(Path(FLAGS.truth), run) if FLAGS.truth else None
        short = _short_epochs(study)
        run.reporter.block("study", _rows(run, kinds))
        run.lock()
        write_text(workdir / "study.flags", to_flagfile(run.recorded_config))
        searches, configs = [], {}
        for name, arguments in kinds.items():
            for seed in range(FLAGS.run_seeds):
                place = workdir / "runs" / f"{name.replace(':', '_')}_{seed}"
                _search(run, place, [*arguments, f"--seed={seed}"])
                configs[place] = from_flagfile((place / "run.flags").read_text())
                searches.append(study.read_search(name, seed, place, configs[place]))
        children, num_random = _train(study, searches, truth, short)
        for search in searches:
            children[:num_random] = study.score(children[:num_random], search, configs[search.workdir])
        _report(run, Summary(searches, children, num_random, run.task.is_higher_better, study.epochs))


def _kinds() -> dict[str, list[str]]:
    """Return name -> the arguments of each kind of search."""
    found = {}
    for text in FLAGS.runs:
        searcher, mark, evaluator = text.strip().partition(":")
        if Path(text).is_file():
            found[Path(text).stem] = [f"--flagfile={text}"]
        elif mark and searcher in SEARCHERS and evaluator in EVALUATORS:
            found[text.strip()] = [f"--searcher={searcher}", f"--evaluator={evaluator}"]
        else:
            raise InputError(
                f"{ref('runs')}={text} is neither a flagfile nor SEARCHER:EVALUATOR: expected one of "
                f"{', '.join(SEARCHERS)} and one of {', '.join(EVALUATORS)}, such as reinforce:shared."
            )
    return found


def _rows(run: Run, kinds: dict[str, list[str]]) -> dict[str, str]:
    return {
        **run.task.summary(run.config, run.data),
        "space": run.space.name,
        "searches": f"{', '.join(kinds)}, seeds 0 to {FLAGS.run_seeds - 1}" if kinds else "none",
        "children": FLAGS.truth or seeds_in_words(FLAGS.children, FLAGS.training_seeds),
        "workdir": str(run.workdir.path),
    }


def _search(run: Run, place: Path, arguments: list[str]) -> None:
    """Run a search as a process of its own, unless the same command has finished there."""
    base = [] if arguments[0].startswith("--flagfile") else [f"--flagfile={run.workdir.path / 'study.flags'}"]
    data = [f"--data_dir={FLAGS.data_dir}"] if FLAGS.data_dir else []
    arguments, options = [*base, *data, *arguments], to_flagfile(run.recorded_config)
    told = place / "study_command.txt"
    said = "\n".join([*arguments, options])
    # A search writes its architecture last.
    if (place / "architecture.json").exists() and told.exists() and told.read_text() == said:
        return
    run.reporter.say(f"study: {' '.join(arguments)}")
    place.mkdir(parents=True, exist_ok=True)
    write_text(told, said)
    command = [sys.executable, "-m", "enas_tf.launch.search", *arguments, f"--workdir={place}"]
    # The package need not be installed: the process finds it where this one does.
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with (place / "log.txt").open("ab") as log:
        done = subprocess.run(command, stdout=log, stderr=subprocess.PIPE, env=environment)
    if done.returncode:
        lines = done.stderr.decode(errors="replace").strip().splitlines()
        raise InputError(
            f"the search in {place.absolute()} has ended with code {done.returncode}: "
            f"{lines[-1] if lines else 'it said nothing'} Mend it, and give the same command again."
        )


def _train(
    study: Study, searches: list[Search], truth: tuple[list[Child], int] | None, short: list[int]
) -> tuple[list[Child], int]:
    """Return all children, random ones first, and how many these are."""
    found = [search.tokens for search in searches]
    if truth is None:
        return study.train(found, short), len(study.random)
    children, num_random = truth
    known = {child.tokens for child in children}
    study.random = []
    left = [tokens for tokens in dict.fromkeys(found) if tokens not in known]
    return children + (study.train(left) if left else []), num_random


def _short_epochs(study: Study) -> list[int]:
    """Return how many epochs the random children are also trained for, ascending."""
    try:
        found = sorted({int(text) for text in FLAGS.short_epochs})
    except ValueError:
        found = [0]
    if any(not 0 < epochs < study.epochs for epochs in found):
        raise InputError(
            f"{ref('short_epochs')}={','.join(FLAGS.short_epochs)}: expected numbers of epochs from 1 to "
            f"{study.epochs - 1}, below {ref('retrain_epochs')}, such as 1,3; or nothing."
        )
    return found


def _report(run: Run, summary: Summary) -> None:
    """Write the files, and print the table of kinds."""
    place, metric = run.workdir.path, run.task.metric
    write_text(place / "children.csv", children_csv(summary.children, len(summary.random)))
    write_text(place / "study.csv", to_csv(summary.rows()))
    title = f"{run.space.name} on {run.data.name}"
    words = f"{len(summary.random)} random children, {run.task.data_in_words(run.config, run.data)} to train on."
    write_text(place / "study.html", to_html(summary, title, metric, words))
    for row in summary.kinds():
        run.reporter.block(row["search"], {name: shown(value) for name, value in row.items() if name != "search"})
    for row in summary.baselines():
        numbers = f"tau {row['tau']:.2f}, best tenth {row['top_tenth']:.2f}, best of half {row['best_of_half']:.0f}"
        run.reporter.say(f"{row['score']}: {numbers}")
    for row in summary.budgets():
        known = {name: value for name, value in row.items() if name.startswith("at ") and math.isfinite(value)}
        words = ", ".join(f"{value:.0f} +- {row[f'error {name}']:.0f} {name}" for name, value in known.items())
        run.reporter.say(f"{row['design']}: percentile {words}")
    run.reporter.block("done", {name: str(place / name) for name in ("study.html", "study.csv", "children.csv")})


def command() -> None:
    """Run this launcher by the arguments of the process, and end the process."""
    define_flags()
    app.run(main, flagfiles=())


if __name__ == "__main__":
    command()
