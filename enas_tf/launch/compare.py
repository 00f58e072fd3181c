"""python -m enas_tf.launch.compare runs/first runs/second ... [--csv=FILE]

Prints what runs were, what they found and what they took, sorted by the test metric of their children. What all of them
agree in is said once.
"""

import math
from pathlib import Path
from typing import Any

from absl import flags

from enas_tf.errors import InputError, ref
from enas_tf.experiments.comparison import Row, compare_runs, split_common
from enas_tf.experiments.tables import to_csv
from enas_tf.launch import app
from enas_tf.options import shorten
from enas_tf.runtime.console import in_rows
from enas_tf.runtime.files import write_text

FLAGS = flags.FLAGS


def main(names: list[str]) -> None:
    """Print the table of the runs in the directories `names`, and write it where `--csv` says so."""
    if not names:
        raise InputError(
            "nothing to compare: expected the directories of runs, such as `python -m enas_tf.launch.compare runs/1 "
            "runs/2`."
        )
    rows = compare_runs([Path(name) for name in dict.fromkeys(names)])
    common, differing = split_common(rows)
    if common:
        print("\n".join(["all runs" if len(rows) > 1 else rows[0]["run"], *in_rows(_in_words(common)), ""]))
    if len(rows) > 1:
        print("\n".join(in_table([_in_words(row) for row in differing])))
    if FLAGS.csv:
        _write_csv(Path(FLAGS.csv), rows)


def _in_words(row: Row) -> dict[str, str]:
    return {name: _shown(name, value) for name, value in row.items()}


def _shown(name: str, value: Any) -> str:
    """Return a value as people read it; a dash for what a run does not have."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return "-"
    if isinstance(value, float):
        return f"{value:.1f}" if name == "minutes" else f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) and name != "seed" else str(value)


def in_table(rows: list[dict[str, str]]) -> list[str]:
    """Return aligned lines: the names of the columns, then the rows; numbers stand below each other."""
    columns = []
    for name in rows[0]:
        cells = [name, *(row[name] for row in rows)]
        is_number = all(cell == "-" or cell[:1].isdigit() or cell[1:2].isdigit() for cell in cells[1:])
        width = max(map(len, cells))
        columns.append([cell.rjust(width) if is_number and name != "run" else cell.ljust(width) for cell in cells])
    return ["  ".join(cells).rstrip() for cells in zip(*columns, strict=True)]


def _write_csv(path: Path, rows: list[Row]) -> None:
    if not path.absolute().parent.is_dir():
        raise InputError(
            f"{ref('csv')}={shorten(path)}: {shorten(path.absolute().parent, 300)} is not a directory: expected a file "
            "that can be written. Create the directory first."
        )
    write_text(path, to_csv(rows))


def command() -> None:
    """Run this launcher by the arguments of the process, and end the process."""
    flags.DEFINE_string("csv", None, "also write the table to this file, with all columns and digits")
    arguments: list[str] = []
    app.run(lambda: main(arguments), flagfiles=(), reads={}, arguments=arguments)


if __name__ == "__main__":
    command()
