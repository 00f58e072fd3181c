"""The benchmark of searchers: what each finds in published tables of trained networks after so many look-ups.

    python -m benchmarks.searchers --tables=DIR --searchers=auto,reinforce,evolution,local --peers --json=FILE

Regret is the best accuracy of the table, in points, less that of the architecture with the best reward so far; the
percentile says how many architectures of the table are worse. Both are means over seeds, with standard errors.
"""

import json
import time
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from absl import app, flags

from benchmarks.peers import PEERS
from benchmarks.tables import TABLES, Table, TableEvaluator
from enas_tf.errors import InputError, render
from enas_tf.experiments.config import read_options
from enas_tf.runtime.seeds import seed_for
from enas_tf.search.config import SEARCH
from enas_tf.search.searchers.searcher import SEARCHERS

LOOK_UPS = (50, 100, 200, 500)
#: Proposals of an update of a searcher that compares them with each other; others get one reward at a time.
_BATCH = 10


def run_searcher(table: Table, name: str, options: dict, num: int, seed: int) -> np.ndarray:
    """Return the places in the table of `num` proposals in their order, int64 [num]."""
    keras.utils.set_random_seed(seed)
    batch = int(options.get("samples_per_update", _BATCH if SEARCHERS[name].learns_from_batches else 1))
    length = {"epochs": 1, "updates_per_epoch": -(-num // batch), "samples_per_update": batch}
    # The options are those of a run; the space and the evaluator of the table take the place of the run's.
    config = read_options({"searcher": name, **options, **length})
    evaluator, places = TableEvaluator(table), []
    searcher = SEARCHERS[name].build(table.space, config)
    for update in range(config[SEARCH].num_updates):
        tokens = searcher.propose(tf.constant(batch), seed_for(seed, "rewarded_proposals", 0, update))
        searcher.update(tokens, evaluator.evaluate(tokens))
        places.append(table.index(tokens.numpy()))
    return np.concatenate(places)[:num]


def curve(table: Table, places: np.ndarray, look_ups=LOOK_UPS) -> np.ndarray:
    """Return regret (points) and percentile after each number of look-ups: float64 [2, len(look_ups)]."""
    found = np.array([table.truths[places[np.argmax(table.rewards[places[:num]])]] for num in look_ups])
    worse = np.searchsorted(np.sort(table.truths), found) / len(table.truths)
    return np.stack([table.truths.max() - found, 100 * worse])


def summarize(curves: np.ndarray, look_ups=LOOK_UPS) -> dict[str, dict[str, float]]:
    """Return look-ups -> means and standard errors over seeds of `curves`, float64 [seeds, 2, len(look_ups)]."""
    means = curves.mean(axis=0)
    errors = curves.std(axis=0, ddof=1) / np.sqrt(len(curves)) if len(curves) > 1 else np.full_like(means, np.nan)
    return {
        str(num): {
            "regret": means[0, i], "regret_se": errors[0, i], "percentile": means[1, i], "percentile_se": errors[1, i]
        }
        for i, num in enumerate(look_ups)
    }  # fmt: skip


def in_words(name: str, found: dict[str, dict[str, dict[str, float]]]) -> str:
    """Return a table of text of the searchers of one table."""
    look_ups = list(next(iter(found.values())))
    width = max(map(len, found))
    lines = [f"{name}: regret in points after look-ups, standard error; percentile"]
    lines.append(" " * width + "".join(f"  {num:>22}" for num in look_ups))
    for searcher, numbers in found.items():
        cells = [f"{n['regret']:.3f} +- {n['regret_se']:.3f}  {n['percentile']:6.2f}" for n in numbers.values()]
        lines.append(f"{searcher:<{width}}" + "".join(f"  {cell:>22}" for cell in cells))
    return "\n".join(lines)


def plot(results: dict, path: str) -> None:
    """Write a picture of the curves of regret, one panel for each table."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5 * len(results), 4), layout="constrained")
    for axes, (table, found) in zip(figure.subplots(1, len(results), squeeze=False)[0], results.items(), strict=True):
        for searcher, numbers in found.items():
            x = [int(num) for num in numbers]
            y, error = ([n[key] for n in numbers.values()] for key in ("regret", "regret_se"))
            axes.errorbar(x, y, error, label=searcher, capsize=2)
        axes.set(title=table, xlabel="look-ups", ylabel="regret (points)", xscale="log", yscale="log")
        axes.set_xticks(x, [str(num) for num in x])
        axes.legend()
    figure.savefig(path)


def parse(texts: list[str]) -> dict[str, tuple[str, dict]]:
    """Return label -> searcher and options of texts such as `evolution` or `reinforce:ppo_passes=5`."""
    found = {}
    for text in texts:
        name, _, options = text.partition(":")
        pairs = (pair.partition("=") for pair in options.split(";") if pair)
        found[text] = name, {key: _value(value) for key, _, value in pairs}
    return found


def _value(text: str):
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    return text


def define_flags() -> None:
    """Define the flags of the command; a module that is imported defines none."""
    flags.DEFINE_string("tables", None, "directory of the published tables", required=True)
    flags.DEFINE_list(
        "searchers",
        ["auto", "reinforce"],
        "searchers, each perhaps with options: reinforce:ppo_passes=5;entropy_weight=0",
    )
    flags.DEFINE_list("only", list(TABLES), "tables, out of the default")
    flags.DEFINE_integer("seeds", 20, "runs of each searcher")
    flags.DEFINE_integer("look_ups", LOOK_UPS[-1], "look-ups of a run")
    flags.DEFINE_string("json", None, "file to write all numbers to")
    flags.DEFINE_string("plot", None, "picture to write, such as regret.svg")
    flags.DEFINE_bool("peers", False, "add random search, and Optuna's TPE and GP where Optuna is installed")


def main(_):
    """Run every searcher on every table."""
    given = flags.FLAGS
    look_ups, results = [num for num in LOOK_UPS if num <= given.look_ups], {}
    for table_name in given.only:
        try:
            table = TABLES[table_name](Path(given.tables))
        except InputError as error:
            print(f"{table_name} is skipped: {render(str(error))}")
            continue
        runners = {
            label: lambda seed, name=name, options=options, table=table: run_searcher(
                table, name, options, look_ups[-1], seed
            )
            for label, (name, options) in parse(given.searchers).items()
        }
        if given.peers:
            runners["random"] = lambda seed, table=table: run_searcher(table, "random", {}, look_ups[-1], seed)
            peers = {name: peer(table, look_ups[-1]) for name, peer in PEERS.items()}
            runners |= {name: runner for name, runner in peers.items() if runner is not None}
        results[table_name] = found = {}
        for label, runner in runners.items():
            begin = time.perf_counter()
            curves = np.stack([curve(table, runner(seed), look_ups) for seed in range(given.seeds)])
            found[label] = summarize(curves, look_ups)
            seconds = (time.perf_counter() - begin) / given.seeds
            print(f"  {table_name}: {label}: {seconds:.1f} s a run of {look_ups[-1]} look-ups", flush=True)
        print(in_words(table_name, found), flush=True)
    if given.json:
        Path(given.json).write_text(json.dumps(results, indent=1) + "\n")
    if given.plot and results:
        plot(results, given.plot)


if __name__ == "__main__":
    define_flags()
    app.run(main)
