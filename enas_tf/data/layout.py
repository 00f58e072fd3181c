"""The layout of a directory of images: which directories are parts, which are classes, and which files are left out."""

import collections
import dataclasses
import itertools
import os
from pathlib import Path

from enas_tf.data.paths import enumerate_items, part_of, shorten, show_path
from enas_tf.errors import InputError, count_of, ref

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".gif", ".bmp")

# Part -> class -> its image files.
Files = dict[str, dict[str, list[Path]]]


@dataclasses.dataclass(frozen=True)
class Layout:
    """The files of a directory.

    Attributes:
      parts: part ("train", "valid" or "test") -> its directory.
      files: part -> class -> its image files, sorted by name.
      notes: what was left out, a sentence each.
      num_skipped: the number of files that were left out.
    """

    parts: dict[str, Path]
    files: Files
    notes: tuple[str, ...]
    num_skipped: int


@dataclasses.dataclass
class _Skipped:
    """The files and directories below `root` that are not read."""

    root: Path
    suffixes: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    special: list[Path] = dataclasses.field(default_factory=list)
    nested: list[Path] = dataclasses.field(default_factory=list)
    loose: list[Path] = dataclasses.field(default_factory=list)
    empty: list[Path] = dataclasses.field(default_factory=list)

    def add(self, contents: "_Contents") -> None:
        """Add what the directory of a class holds beside its images."""
        self.suffixes.update(path.suffix.lower() for path in contents.others)
        self.special += contents.special
        self.nested += [image for directory in contents.directories for image in _nested_images(directory)]
        if not contents.images:
            self.empty.append(contents.path)

    def count(self) -> int:
        """Return the number of files."""
        return self.suffixes.total() + len(self.special) + len(self.nested) + len(self.loose)

    def notes(self) -> tuple[str, ...]:
        """Return what was skipped, a sentence each."""
        notes = []
        for suffix, number in sorted(self.suffixes.items()):
            kind = f"with the extension {shorten(suffix)}" if suffix else "without an extension"
            notes.append(f"{count_of(number, 'file')} {kind} {_were(number)} skipped.")
        for paths, kind, where in (
            (self.special, "entry", "of another kind (pipes, devices, dangling links)"),
            (self.nested, "image", "in directories within a class"),
            (self.loose, "image", "outside of the directories of classes"),
        ):
            if paths:
                example = f"for example {shorten(paths[0].relative_to(self.root))}"
                notes.append(f"{count_of(len(paths), kind)} {where} {_were(len(paths))} skipped, {example}.")
        if self.empty:
            number, names = len(self.empty), [path.relative_to(self.root) for path in self.empty]
            verb = f"{'holds' if number == 1 else 'hold'} no images and {_were(number)} skipped"
            notes.append(f"{count_of(number, 'directory')} {verb}: {enumerate_items(names)}.")
        return tuple(notes)


def _were(number: int) -> str:
    return "was" if number == 1 else "were"


@dataclasses.dataclass(frozen=True)
class _Contents:
    """What a directory holds, each sorted by name and without hidden entries."""

    path: Path
    directories: list[Path]
    images: list[Path]
    others: list[Path]
    special: list[Path]


def find_layout(root: Path) -> Layout:
    """Find the image files `root`/CLASS/IMAGE, or `root`/PART/CLASS/IMAGE.

    A part is a directory called train, valid or test, or as these are usually called. These are parts only if one of
    them is for training and all directories with images beside them are parts too. Otherwise every directory is a
    class.

    Raises:
        InputError: fewer than two classes have images, two directories are the same part, or parts stand beside
            classes.
    """
    skipped = _Skipped(root)
    parts = _find_parts(_scan(root), skipped)
    files = {part: _list_classes(path, skipped) for part, path in parts.items()}
    return Layout(parts, files, skipped.notes(), skipped.count())


def _find_parts(contents: _Contents, skipped: _Skipped) -> dict[str, Path]:
    """Return the directory of each part; without parts there is one, whose classes lie in the directory itself."""
    root = contents.path
    named = [path for path in contents.directories if part_of(path.name)]
    classes = [path for path in contents.directories if path not in named] if named else []
    others = [path for path in classes if _nested_images(path, first_only=True)]
    # The images of a class lie in its directory itself, those of a part in directories of its own.
    with_classes = [path for path in named if not _scan(path).images and _nested_images(path, first_only=True)]
    if others and with_classes:
        raise InputError(
            f"{show_path(root)} holds parts ({_names(with_classes)}) beside directories that are none "
            f"({_names(others)}): expected either parts (train, valid, test) or classes. Move the others elsewhere, or "
            "put the images of each class directly into its directory."
        )
    parts = {} if others else _by_part(root, named)
    if not parts or ("train" not in parts and not with_classes):
        return {"train": root}
    if "train" not in parts:
        expected = "expected a directory of that name"
        raise InputError(f"{show_path(root)} holds the parts {_names(named)}, but no train: {expected}.")
    skipped.empty += classes
    skipped.loose += contents.images
    return {part: parts[part] for part in ("train", "valid", "test") if part in parts}


def _by_part(root: Path, directories: list[Path]) -> dict[str, Path]:
    """Return part -> its directory; raise `InputError` if two are the same part."""
    parts: dict[str, Path] = {}
    for path in directories:
        other = parts.setdefault(part_of(path.name) or "", path)
        if other is not path:
            raise InputError(
                f"{show_path(root)} holds the directories {other.name} and {path.name}, which are the same part: "
                "expected one of them. Join them, or move one elsewhere."
            )
    return parts


def _list_classes(directory: Path, skipped: _Skipped) -> dict[str, list[Path]]:
    """Return class -> its image files below `directory`, sorted by name; a directory without images is not a class."""
    contents = _scan(directory)
    skipped.loose += contents.images
    classes = [_scan(path) for path in contents.directories]
    for found in classes:
        skipped.add(found)
    files = {found.path.name: found.images for found in classes if found.images}
    if len(files) < 2:
        names = f" ({shorten(next(iter(files)))})" if files else ""
        notes = "".join(f" {note}" for note in skipped.notes())
        raise InputError(
            f"{show_path(directory)} holds images of {count_of(len(files), 'class')}{names}: expected at least 2 "
            f"directories, one per class, with images in them ({', '.join(IMAGE_SUFFIXES)}).{notes}{_hint(contents)}"
        )
    return files


def _hint(contents: _Contents) -> str:
    """Return the advice to read another directory, where classes lie in that; empty without one.

    Archives often add a directory around the classes. Or the user has named one of the classes.
    """
    around = Path(os.path.abspath(contents.path)).parent
    for place in contents.directories if len(contents.directories) == 1 else [around] if contents.images else []:
        if _has_classes(place):
            return f" Did you mean {ref('dataset')}=folder:{show_path(place)}?"
    return ""


def _has_classes(directory: Path) -> bool:
    """Return whether two directories within `directory` hold images; the others are not looked at."""
    try:
        with_images = (path for path in _scan(directory).directories if _scan(path).images)
        return len(list(itertools.islice(with_images, 2))) == 2
    except InputError:
        return False


def _names(paths: list[Path]) -> str:
    return enumerate_items([path.name for path in paths])


def _scan(directory: Path) -> _Contents:
    """List `directory` in one pass, which asks the disk for no more than the kinds of the entries."""
    contents = _Contents(directory, [], [], [], [])
    try:
        with os.scandir(directory) as entries:
            for entry in sorted(entries, key=lambda entry: entry.name):
                if not entry.name.startswith("."):
                    _kind_of(entry, contents).append(Path(entry.path))
    except OSError as error:
        raise _unreadable(directory, error) from None
    return contents


def _kind_of(entry: os.DirEntry, contents: _Contents) -> list[Path]:
    """Return the list of `contents` that `entry` belongs to."""
    try:
        if entry.is_dir():
            return contents.directories
        if entry.is_file():
            return contents.images if _is_named_as_image(entry.name) else contents.others
    except OSError:
        pass  # A link that leads to itself.
    return contents.special


def _is_named_as_image(name: str) -> bool:
    return os.path.splitext(name)[1].lower() in IMAGE_SUFFIXES and not name.startswith(".")


def _nested_images(directory: Path, first_only: bool = False) -> list[Path]:
    """Return the image files below `directory`, or one of them; links are not followed, since they may lead back."""

    def refuse(error: OSError):
        raise _unreadable(Path(error.filename), error)

    found: list[Path] = []
    for place, names, files in os.walk(directory, onerror=refuse):
        names[:] = sorted(name for name in names if not name.startswith("."))
        found += [Path(place, name) for name in sorted(files) if _is_named_as_image(name)]
        if found and first_only:
            break
    return found


def _unreadable(directory: Path, error: OSError) -> InputError:
    return InputError(f"{show_path(directory)} cannot be read ({error.strerror}). Expected a directory of images.")
