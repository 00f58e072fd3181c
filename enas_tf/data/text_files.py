"""Text from a directory with one file per part."""

from pathlib import Path

from enas_tf.data.paths import (
    describe_path,
    enumerate_items,
    part_of,
    require_memory,
    require_path,
    show_given,
    show_path,
)
from enas_tf.data.splits import cut_end
from enas_tf.data.text import Texts
from enas_tf.data.text_encoding import decode_text, filled
from enas_tf.errors import InputError, count_of, ref

# The names that a file may have, the preferred first: plain, WikiText in words, WikiText raw, Penn Treebank.
_FILE_NAMES = (("", ".txt"), ("wiki.", ".tokens"), ("wiki.", ".raw"), ("ptb.", ".txt"))


def load_directory(location: str, data_dir: str | None, tokens: str) -> Texts:
    """Read train.txt, valid.txt and test.txt in `location`, in UTF-8, or the files as WikiText or PTB name them.

    Of a single file the last tenth is the test part, and the last tenth of the rest the validation part, between lines.

    Raises:
        InputError: there is no such directory or file, or a file is missing, empty, not readable or not UTF-8.
    """
    option = f"{ref('dataset')}=text:{show_given(location)}"
    if describe_path(location) == "a file":
        return _split_file(Path(location))
    expected = "a file, or a directory with the files train.txt, valid.txt and test.txt"
    require_path(location, "a directory", option, expected)
    try:
        entries = sorted(Path(location).iterdir())
    except OSError as error:
        raise InputError(f"{option} cannot be read ({error.strerror}). Expected a directory of text.") from None
    found = {part: _find_files(entries, part, option) for part in ("train", "valid", "test")}
    texts = {part: _read_file(paths[0]) for part, paths in found.items()}
    others = [path.name for paths in found.values() for path in paths[1:]]
    notes = ()
    if others:
        verb = "was" if len(others) == 1 else "were"
        notes = (f"{count_of(len(others), 'file')} {verb} skipped beside those that were read: "
                 f"{enumerate_items(others)}.",)  # fmt: skip
    return Texts(**texts, notes=notes, num_skipped=len(others))


def _split_file(path: Path) -> Texts:
    """Return the three parts of a text that is one file."""
    rest, test = cut_end(_read_file(path))
    train, valid = cut_end(rest)
    parts = {"train": train, "valid": valid, "test": test}
    where = show_path(path)
    texts = {part: filled(text, f"The {part} part of {where}") for part, text in parts.items()}
    return Texts(**texts, notes=("The test part is the last tenth of the file, the validation part the tenth before.",))


def _find_files(entries: list[Path], part: str, option: str) -> list[Path]:
    """Return the files of `part`, the preferred name first; raise `InputError` if there is none."""
    ranks = {path: rank for path in entries if (rank := _rank(path.name, part)) is not None}
    if ranks:
        return sorted(ranks, key=lambda path: ranks[path])
    names = [f"{before}{part}{after}" for before, after in _FILE_NAMES]
    expected = f"expected a file of that name, or {', '.join(names[1:])}"
    raise InputError(
        f"{option} has no {names[0]}: {expected}. Put the {part} part of the text there; or join all files to one, "
        "which is then split."
    )


def _rank(name: str, part: str) -> tuple[int, bool] | None:
    """Return how much `name` is preferred for the file of `part`, the less the better; None if it is no such name."""
    for rank, (before, after) in enumerate(_FILE_NAMES):
        middle = name[len(before) : len(name) - len(after)]
        if name.lower().startswith(before) and name.lower().endswith(after) and part_of(middle) == part:
            return rank, middle != part
    return None


def _read_file(path: Path) -> str:
    """Return the text of a file without a byte order mark, and with the line ends of Unix."""
    name = show_path(path)
    kind = describe_path(path)
    if kind != "a file":
        raise InputError(f"{name} is {kind}. Expected a text file in UTF-8.")
    try:
        # The bytes, and the text that they become.
        require_memory(2 * path.stat().st_size, name, "expected a text that fits into it")
        content = path.read_bytes()
    except (OSError, MemoryError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise InputError(f"{name} cannot be read ({reason}). Expected a text file in UTF-8.") from None
    return decode_text(content, name).removeprefix("\ufeff").replace("\r\n", "\n")
