"""Paths among the options of a run, in full: what a run writes down of itself holds in any current directory."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from enas_tf.experiments.config import RunOptions

#: The kinds of the option `dataset` whose location, behind the colon, is a path.
_KINDS = ("folder", "npz", "text")


def absolute_values(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return option name -> value with every path of the data in full."""
    found = dict(values)
    kind, colon, location = str(values.get("dataset")).partition(":")
    if kind in _KINDS and location:
        found["dataset"] = f"{kind}{colon}{Path(location).absolute()}"
    directory = values.get("data_dir")
    # TensorFlow Datasets reads from object stores too, and knows the home directory.
    if isinstance(directory, str) and directory and "://" not in directory and not directory.startswith("~"):
        found["data_dir"] = str(Path(directory).absolute())
    return found


def with_absolute_paths(options: RunOptions) -> RunOptions:
    """Return `options` with every path of the data in full."""
    found = {}
    for group, config in options.values.items():
        values = group.values(config)
        changed = {name: value for name, value in absolute_values(values).items() if value != values.get(name)}
        fields = {option.field.name: changed[option.name] for option in group.options if option.name in changed}
        found[group] = dataclasses.replace(config, **fields) if fields else config
    return options.replace(found)
