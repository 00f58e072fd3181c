"""Keywords of a call as options of a run: each is an option of the command line by its name."""

import contextlib
import os
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from enas_tf.errors import InputError
from enas_tf.experiments.advice import settle
from enas_tf.experiments.config import RunOptions, every_option, read_options, unread_options

#: Options that choose a component: what the run before was told of another one does not count then.
_CHOICES = {"space", "searcher", "evaluator"}
#: Prefix of the options of a child that is trained from scratch.
_RETRAIN = "retrain_"


def option_values(keywords: Mapping[str, Any]) -> dict[str, Any]:
    """Return option name -> value, without those that are None: they are not given.

    A number of NumPy is taken as one of Python, a path as its text, and a text as names separated by commas where an
    option is a list of names.
    """
    kinds = {name: offers[0][1].kind for name, offers in every_option().items()}
    found = {}
    for name, value in keywords.items():
        if isinstance(value, np.generic):
            value = value.item()
        if isinstance(value, os.PathLike):
            value = os.fspath(value)
        if kinds.get(name) is tuple and isinstance(value, str):
            value = tuple(item.strip() for item in value.split(","))
        if value is not None:
            found[name] = value
    return found


def combine(base: Mapping[str, Any], given: Mapping[str, Any]) -> RunOptions:
    """Return the options of a run: what is given, else what `base` says, else the defaults.

    Raises:
      InputError: a value is not valid, there is no such option, or nothing chosen reads it.
    """
    values = settle({**base, **given})
    if given.keys() & _CHOICES:
        for name in unread_options(values) - given.keys():
            del values[name]
    return read_options(values, insisted=given)


def write_out(keywords: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the keywords of a retraining under their full names, and full name -> the name that was written.

    A retraining is about a child alone, so `epochs` is short for `retrain_epochs`, as for the launcher.
    """
    known, full, written = every_option(), {}, {}
    for name, value in keywords.items():
        whole = _RETRAIN + name if _RETRAIN + name in known else name
        full[whole], written[whole] = value, name
    return option_values(full), written


@contextlib.contextmanager
def as_written(written: Mapping[str, str]) -> Iterator[None]:
    """Let errors within the block name options as the caller has written them."""
    try:
        yield
    except InputError as error:
        message = error.render(lambda name: written.get(name, name))
        if message == str(error):
            raise
        raise InputError(message) from error
