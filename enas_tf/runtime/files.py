"""Files that are whole or absent: written beside their place, synced to the disk, then renamed into it.

Of several processes of a run only the chief writes; what the others would write goes nowhere.
"""

import contextlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from enas_tf.errors import InputError
from enas_tf.runtime.chief import is_chief


def write_text(path: str | Path, text: str) -> None:
    """Replaces the file at `path` with `text` in UTF-8."""
    write_bytes(path, text.encode("utf-8"))


def write_json(path: str | Path, value: Any) -> None:
    """Replaces the file at `path` with `value` as indented JSON.

    Raises:
        TypeError, ValueError: `value` is not JSON (NaN and infinities are not); the file stays as it was.
    """
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


def write_bytes(path: str | Path, content: bytes) -> None:
    """Replaces the file at `path` with `content`; a reader sees the old file or the new one, never a part."""
    with replacement(path) as aside:
        aside.write_bytes(content)


@contextlib.contextmanager
def replacement(path: str | Path) -> Iterator[Path]:
    """Yields the path of a file to write; on leaving it takes the place of `path`, on an error it is removed."""
    path = Path(path)
    if not is_chief():
        with tempfile.TemporaryDirectory() as elsewhere:
            yield Path(elsewhere, path.name)
        return
    # The process id keeps two processes that write the same file from renaming each other's half.
    # The suffix stays, since Keras goes by it.
    aside = path.with_name(f".{path.stem}.{os.getpid()}.new{path.suffix}")
    try:
        yield aside
        _sync(aside)
        os.replace(aside, path)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise
    _sync(path.parent)


@contextlib.contextmanager
def replace_directory(path: str | Path) -> Iterator[Path]:
    """Yields an empty sibling directory to fill; on leaving it takes the place of the directory `path`.

    The old directory is removed only after the new one stands in its place; on an error nothing changes. One process
    at a time may replace a directory: what a killed predecessor left beside `path` is cleared away or put back.

    Raises:
        InputError: something that is not a directory stands at `path`.
    """
    path = Path(path)
    if not is_chief():
        with tempfile.TemporaryDirectory() as elsewhere:
            yield Path(elsewhere)
        return
    new, old = path.with_name(f".{path.name}.new"), path.with_name(f".{path.name}.old")
    _clear_leftovers(path, new, old)
    try:
        new.mkdir(parents=True)
        yield new
        _sync_tree(new)
        _swap(path, new, old)
    except BaseException:
        shutil.rmtree(new, ignore_errors=True)
        raise
    _sync(path.parent)
    shutil.rmtree(old, ignore_errors=True)


def ensure_writable(workdir: str | Path) -> Path:
    """Creates the directory if it is missing and tries to write into it; returns its path.

    Raises:
        InputError: it cannot be created, or no file can be written in it.
    """
    workdir = Path(workdir)
    if not is_chief():
        return workdir
    try:
        workdir.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=workdir) as probe:
            probe.write(b"probe")
    except OSError as error:
        raise InputError(
            f"--workdir={workdir} is not usable ({error.strerror or error}): expected a directory that can be created "
            "and written. Name another directory, or remove what stands in its place, free space or grant permission."
        ) from error
    return workdir


def _clear_leftovers(path: Path, new: Path, old: Path) -> None:
    """Undoes what a killed `replace_directory` left: a half-filled new directory, or an old one moved away."""
    if path.exists() and not path.is_dir():
        raise InputError(f"{path} is a file: expected a directory to replace, or nothing. Move the file away.")
    if old.exists() and not path.exists():
        os.rename(old, path)
    for leftover in (new, old):
        if leftover.exists():
            shutil.rmtree(leftover)


def _swap(path: Path, new: Path, old: Path) -> None:
    """Moves `path` to `old`, if there is one, and `new` to `path`; puts `path` back when that fails."""
    if path.exists():
        os.rename(path, old)
    try:
        os.rename(new, path)
    except BaseException:
        if old.exists():
            os.rename(old, path)
        raise


def _sync_tree(directory: Path) -> None:
    """Brings every file and folder under `directory` to the disk."""
    for folder, _, names in os.walk(directory):
        for name in names:
            _sync(Path(folder, name))
        _sync(Path(folder))


def _sync(path: Path) -> None:
    """Brings one file or folder to the disk, so that no later rename can overtake its content."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
