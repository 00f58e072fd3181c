"""Atomic files: written under another name, synced to the disk, then renamed, so that no reader sees a part.

Of several processes of a run only the chief writes; the output of the others is dropped.
"""

import contextlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from enas_tf.errors import InputError, ref
from enas_tf.runtime.chief import is_chief

#: What a killed `replacement` leaves beside its file.
_LEFTOVER = re.compile(r"\..*\.\d+\.new(\..*)?")


def write_text(path: str | Path, text: str) -> None:
    """Replace the file at `path` with `text` in UTF-8."""
    write_bytes(path, text.encode("utf-8"))


def write_json(path: str | Path, value: Any) -> None:
    """Replace the file at `path` with `value` as indented JSON.

    Raises:
        TypeError: `value` has no JSON form; the file is not changed.
        ValueError: `value` contains NaN or an infinity; the file is not changed.
    """
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


def write_bytes(path: str | Path, content: bytes) -> None:
    """Replace the file at `path` with `content`; a reader sees the old file or the new one, never a part."""
    with replacement(path) as aside:
        aside.write_bytes(content)


@contextlib.contextmanager
def replacement(path: str | Path) -> Iterator[Path]:
    """Yield the path of a file to write, which replaces `path` at the end of the block or is removed on an error.

    Raises:
        InputError: `path` is a directory.
    """
    path = Path(path)
    if path.is_dir():
        raise InputError(
            f"{path.absolute()} is a directory: expected a file to replace, or nothing. Move the directory away."
        )
    if not is_chief():
        with tempfile.TemporaryDirectory() as elsewhere:
            yield Path(elsewhere, path.name)
        return
    # With the process id in its name, two processes that write the same file do not rename each other's parts.
    # The suffix stays, since Keras reads the format from it.
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
    """Yield an empty sibling directory to fill, which replaces the directory `path` at the end of the block.

    The old directory is removed only after the new one is in its place; on an error nothing changes. Only one process
    at a time may replace a directory: the leftovers of a killed process are removed or put back.

    Raises:
        InputError: `path` exists and is not a directory.
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
    """Create the directory if it is missing and try to write into it; return its path.

    Raises:
        InputError: the directory cannot be created, or no file can be written in it.
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
            f"{ref('workdir')}={workdir} is not usable ({error.strerror or error}): expected a directory that can be "
            f"created and written at {workdir.absolute()}. Name another directory, or remove what is in its place, "
            "free space or grant permission."
        ) from error
    return workdir


def remove_leftovers(directory: str | Path) -> None:
    """Remove what killed processes have left of unfinished files in `directory`; no process may be writing there."""
    if not is_chief():
        return
    for path in Path(directory).glob(".*.new*"):
        if _LEFTOVER.fullmatch(path.name) and path.is_file():
            path.unlink(missing_ok=True)


def _clear_leftovers(path: Path, new: Path, old: Path) -> None:
    """Clean up after a killed `replace_directory`: remove the new directory, put back the old one if it was moved."""
    if path.exists() and not path.is_dir():
        raise InputError(f"{path} is a file: expected a directory to replace, or nothing. Move the file away.")
    if old.exists() and not path.exists():
        os.rename(old, path)
    for leftover in (new, old):
        if leftover.exists():
            shutil.rmtree(leftover)


def _swap(path: Path, new: Path, old: Path) -> None:
    """Move `path` to `old` if it exists, and `new` to `path`; put `path` back if that fails."""
    if path.exists():
        os.rename(path, old)
    try:
        os.rename(new, path)
    except BaseException:
        if old.exists():
            os.rename(old, path)
        raise


def _sync_tree(directory: Path) -> None:
    """Sync every file and directory under `directory` to the disk."""
    for folder, _, names in os.walk(directory):
        for name in names:
            _sync(Path(folder, name))
        _sync(Path(folder))


def _sync(path: Path) -> None:
    """Sync one file or directory to the disk, so that no later rename reaches the disk before its content."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
