"""Paths among the options of a run, in full: what a run writes down of itself holds in any current directory."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from enas_tf.experiments.config import RunOptions

#: The kinds of the option `dataset` whose location, behind the colon, is a path.
_KINDS = ("folder", "npz", "text")


def absolute_values(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return option name -> value with every path in full."""
    found = dict(values)
    kind, colon, location = str(values.get("dataset")).partition(":")
    if kind in _KINDS and location:
        found["dataset"] = f"{kind}{colon}{Path(os.path.expanduser(location)).absolute()}"
    directory = values.get("data_dir")
    # TensorFlow Datasets reads from object stores too, and knows the home directory.
    if isinstance(directory, str) and directory and "://" not in directory and not directory.startswith("~"):
        found["data_dir"] = str(Path(directory).absolute())
    if isinstance(start := values.get("start_from"), str) and start:
        found["start_from"] = str(Path(os.path.expanduser(start)).absolute())
    return found


def with_absolute_paths(options: RunOptions) -> RunOptions:
    """Return `options` with every path of the data in full."""
    values = options.option_values()
    return options.with_values({name: new for name, new in absolute_values(values).items() if new != values[name]})
