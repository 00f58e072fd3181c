"""PNAS's idea on published tables: architectures grow, and a predictor chooses which of the grown ones are looked up.

    python -m benchmarks.growth --tables=DIR --predictors=mlp,lstm,gp --seeds=20

A position of the table is what a block is in PNAS. Positions that are not decided yet hold one and the same operation,
the filler, so that an architecture of every size is a row of the table. Growing decides one more position, whichever,
for another operation. All architectures of up to one decided position are looked up, then the most promising ones of
each size. The beam is as wide as the look-ups allow, so that every number of look-ups has searches of its own.

Regret and percentile are those of `benchmarks.searchers`. A table knows all rewards, so the correlation of a size is
over all architectures that had grown, not only over those that were looked up.
"""

import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from absl import app, flags

from benchmarks.searchers import LOOK_UPS, curve, in_words, summarize
from benchmarks.tables import NAS_BENCH_201_OPS, NAS_BENCH_MACRO_OPS, TABLES, Table
from enas_tf.search.cell_predictors import PREDICTORS
from enas_tf.search.cells import PAD
from enas_tf.search.prediction import Predictor, fit_kernel, rank_correlation
from enas_tf.search.searchers.progressive import ProgressiveConfig

#: Table -> the operation of positions that are not decided: it leaves the images as they are.
FILLERS = {
    "nas_bench_201": NAS_BENCH_201_OPS.index("skip_connect"),
    "nas_bench_macro": NAS_BENCH_MACRO_OPS.index("identity"),
}

#: Predicts the rewards of grown rows, from rows and rewards that are known; it may remember earlier fits.
Predict = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def grow(rows: np.ndarray, filler: int, num_ops: int) -> np.ndarray:
    """Return every row with one of its fillers replaced, int32 [m, num_tokens], without duplicates."""
    row, place, op = np.meshgrid(np.arange(len(rows)), np.arange(rows.shape[1]), np.arange(num_ops), indexing="ij")
    is_new = (rows[row, place] == filler) & (op != filler)
    grown = rows[row[is_new]].copy()
    grown[np.arange(len(grown)), place[is_new]] = op[is_new]
    return np.unique(grown, axis=0)


def to_cells(rows: np.ndarray, filler: int, num_ops: int) -> np.ndarray:
    """Return rows as cells of the predictors of PNAS, a block for each decided position: int32 [n, 4 num_tokens].

    A block has the position in the place of its inputs. The MLP takes means over blocks, so an operation is another
    one at each position: else the predictor would not know which belong together.
    """
    cells = np.full((*rows.shape, 4), PAD, np.int32)
    places = np.broadcast_to(np.arange(rows.shape[1]), rows.shape)
    ops = places * num_ops + rows
    cells[...] = np.where((rows != filler)[..., None], np.stack([places, places, ops, ops], axis=2), PAD)
    # What is decided comes first.
    order = np.argsort(rows == filler, axis=1, kind="stable")
    return np.take_along_axis(cells, order[..., None], axis=1).reshape(len(rows), -1)


def by_cells(name: str, table: Table, filler: int, seed: int) -> Predict:
    """Return the predictor `name` of the searcher progressive, with the searcher's own defaults."""
    (num_ops,), num = set(table.space.token_ranges.tolist()), table.space.num_tokens
    config = ProgressiveConfig()
    rate, members = config.predictor_learning_rate, config.predictor_members
    predictor = PREDICTORS[name](num, num * num_ops, members, rate, seed)

    def predict(rows, rewards, grown):
        predictor.fit(to_cells(rows, filler, num_ops), rewards, config.predictor_epochs)
        cells = to_cells(grown, filler, num_ops)
        return predictor.predict(cells[:, (cells != PAD).any(axis=0)])

    return predict


def by_process(table: Table) -> Predict:
    """Return the Gaussian process of the searcher surrogate. Nothing in it is random."""
    ranges = table.space.token_ranges

    def predict(rows, rewards, grown):
        return Predictor(rows, rewards, ranges, fit_kernel(rows, rewards, ranges)).predict(grown)[0]

    return predict


def run_growth(table: Table, predict: Predict, filler: int, num: int) -> tuple[np.ndarray, list[float]]:
    """Return the places of `num` look-ups in their order, int64 [num], and the rank correlation of each later size."""
    (num_ops,), num_tokens = set(table.space.token_ranges.tolist()), table.space.num_tokens
    start = np.full((1, num_tokens), filler, np.int32)
    level = grow(start, filler, num_ops)
    beam = -(-(num - 1 - len(level)) // (num_tokens - 1))
    rows, correlations = level, []
    for _ in range(num_tokens - 1):
        parents = level[np.argsort(-table.rewards[table.index(level)], kind="stable")[:beam]]
        grown = grow(parents, filler, num_ops)
        predicted = predict(rows, table.rewards[table.index(rows)], grown)
        correlation = rank_correlation(predicted.tolist(), table.rewards[table.index(grown)].tolist())
        correlations.append(np.nan if correlation is None else correlation)
        level = grown[np.argsort(-predicted, kind="stable")[:beam]]
        rows = np.concatenate([rows, level])
    return table.index(np.concatenate([start, rows]))[:num], correlations


def measure(table: Table, name: str, filler: int, seeds: int, look_ups: list[int]) -> tuple[dict, np.ndarray]:
    """Return the summary of a predictor's searches, and its mean correlations [look-ups, sizes from 2 on]."""
    curves, correlations = np.zeros((seeds, 2, len(look_ups))), []
    for column, num in enumerate(look_ups):
        for seed in range(seeds):
            predict = by_process(table) if name == "gp" else by_cells(name, table, filler, seed)
            places, found = run_growth(table, predict, filler, num)
            curves[seed, :, column] = curve(table, places, [num])[:, 0]
            correlations.append(found)
    return summarize(curves, look_ups), np.array(correlations).reshape(len(look_ups), seeds, -1).mean(axis=1)


def main(_):
    """Run every predictor on every table."""
    given = flags.FLAGS
    look_ups, results = [num for num in LOOK_UPS if num <= given.look_ups], {}
    for table_name in given.only:
        table, filler, found = TABLES[table_name](Path(given.tables)), FILLERS[table_name], {}
        if given.filler is not None:
            filler = table.space.choices.index(given.filler)
        for name in given.predictors:
            begin = time.perf_counter()
            # A search by the Gaussian process has no random numbers.
            summary, correlations = measure(table, name, filler, 1 if name == "gp" else given.seeds, look_ups)
            found[f"progressive, {name}"] = summary
            print(f"  {table_name}: {name}: {time.perf_counter() - begin:.0f} s", flush=True)
            for num, row in zip(look_ups, correlations, strict=True):
                words = " ".join(f"{value:.2f}" for value in row)
                print(f"    rank correlation of the sizes from 2 on, {num} look-ups: {words}", flush=True)
        results[table_name] = found
        print(in_words(table_name, found), flush=True)
    if given.json:
        Path(given.json).write_text(json.dumps(results, indent=1) + "\n")


def define_flags() -> None:
    """Define the flags of the command; a module that is imported defines none."""
    flags.DEFINE_string("tables", None, "directory of the published tables", required=True)
    flags.DEFINE_list("only", list(FILLERS), "tables, out of the default")
    flags.DEFINE_list("predictors", ["mlp", "gp"], f"predictors, out of {', '.join(PREDICTORS)} and gp")
    flags.DEFINE_string("filler", None, "operation of positions that are not decided, in the place of the table's own")
    flags.DEFINE_integer("seeds", 20, "searches for each number of look-ups", lower_bound=1)
    flags.DEFINE_integer("look_ups", LOOK_UPS[-1], "largest number of look-ups", lower_bound=LOOK_UPS[0])
    flags.DEFINE_string("json", None, "file to write all numbers to")


if __name__ == "__main__":
    define_flags()
    app.run(main)
