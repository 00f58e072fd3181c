"""Reading an architecture from wherever a user has it: a JSON file, a row of candidates, an arc string, or a name."""

import csv
import io
import re
from pathlib import Path

from enas_tf.errors import InputError, ref
from enas_tf.options import shorten
from enas_tf.reading import MAX_BYTES, read_json, read_text
from enas_tf.spaces.published import PUBLISHED, read_published
from enas_tf.spaces.space import BASELINES, SPACES, Architecture, Buildable
from enas_tf.spaces.vocabulary import is_name

#: The beginning of an arc string, unless it begins with the name of an operation.
_ARC = re.compile(r"([a-z_]{1,40}:)?\s{0,40}-?[0-9]")
_CSV_CURE = "Name the architecture in another way, or derive again, which writes the file anew."


def from_json(data: dict) -> Buildable:
    """Return what `Buildable.to_json` wrote down; raise `InputError` for anything else."""
    space = data.get("space") if isinstance(data, dict) else None
    if not isinstance(space, str) or space not in SPACES:
        raise InputError(f'the architecture\'s "space" is {shorten(space)!r}: expected one of {sorted(SPACES)}.')
    if "baseline" in data:
        return BASELINES[str(data["baseline"])].from_json(data)
    return SPACES[space].architecture.from_json(data)


def read_architecture(text: str, space: str = "macro") -> Buildable:
    """Read an architecture or a baseline.

    Args:
      text: the path of an architecture.json, `FILE.csv#RANK` for a row of candidates, a published name, an arc string
        of `space`, or a baseline such as `lstm:8`.

    Raises:
      InputError: it is none of these; the message names what is wrong with it.
    """
    if text in PUBLISHED:
        return read_published(text)
    if (word := text.partition(":")[0].strip()) in BASELINES:
        return BASELINES[word].from_arc(text)
    if is_arc(text):
        return _from_arc(text, space)
    path, mark, rank = text.rpartition("#")
    if mark and path.endswith(".csv"):
        return _from_arc(_read_row(Path(path), rank), space)
    return _read_file(text)


def _read_file(text: str) -> Buildable:
    path = Path(text)
    if not _exists(path):
        raise InputError(
            f"{ref('architecture')}={shorten(text)!r} is none of: an existing JSON file{_full(path)}, a row of "
            "candidates such as candidates.csv#1, an arc string such as '0 3 0 0 1 0', or a published architecture "
            f"({', '.join(PUBLISHED)})."
        )
    cure = "Name the architecture in another way; that of a search is written anew when it derives again."
    data = read_json(path, "an architecture.json", cure)
    try:
        return from_json(data)
    except InputError as error:
        raise InputError(f"{path.absolute()}: {error.message}") from error


def _full(path: Path) -> str:
    """Return where a file was looked for, for a text that looks like its path."""
    is_path = path.suffix in (".json", ".csv") or len(path.parts) > 1
    return f" ({shorten(path.absolute(), 300)} is not there)" if is_path else ""


def _read_row(path: Path, rank: str) -> str:
    """Return the arc of the candidate with that rank."""
    what = "the candidates.csv that a search has left"
    if not _exists(path):
        raise InputError(f"{shorten(path.absolute(), 300)} is not there: expected {what}.")
    csv.field_size_limit(MAX_BYTES)  # Arcs of hundreds of layers are longer than a field may be otherwise.
    try:
        reader = csv.DictReader(io.StringIO(read_text(path, what, _CSV_CURE), newline=""), strict=True)
        rows = {row.get("rank"): row.get("arc") for row in reader}
        columns = reader.fieldnames or []
    except csv.Error as error:
        raise InputError(f"{path.absolute()} is not a table ({error}): expected {what}. {_CSV_CURE}") from error
    if not {"rank", "arc"} <= set(columns):
        raise InputError(
            f"{path.absolute()} has the columns {shorten(', '.join(columns))!r}: expected rank and arc among them, as "
            f"in {what}. {_CSV_CURE}"
        )
    arc = rows.get(rank.strip())
    if not arc:
        raise InputError(f"{path.absolute()} has no candidate of rank {shorten(rank)!r}: expected 1..{len(rows)}.")
    return arc


def _from_arc(arc: str, space: str) -> Architecture:
    """Return the architecture of an arc string of `space`; the error for another one says which space it may be of."""
    try:
        return SPACES[space].architecture.from_arc(arc)
    except InputError as error:
        others = [name for name in SPACES if name != space and _may_be_of(name, arc, space)]
        hint = "".join(f" {ref('space')}={name} reads it as a {name} architecture." for name in others)
        raise InputError(f"{error.message}{hint}") from error


def _may_be_of(other: str, arc: str, space: str) -> bool:
    """Return whether `arc`, which `space` refused, was meant for the space `other`.

    Where its length is wrong for `space`, the length decides: zeros are valid in every place of a list of integers.
    Where only its numbers are wrong, they have to be right for the other one.
    """
    zeros = re.sub("-?[0-9]+", "0", arc)
    return _reads(other, arc) or (_reads(other, zeros) and not _reads(space, zeros))


def _reads(space: str, arc: str) -> bool:
    try:
        SPACES[space].architecture.from_arc(arc)
    except ValueError:  # Also what a space of the user raises.
        return False
    return True


def is_arc(text: str) -> bool:
    """Return whether `text` is to be read as an arc string."""
    first = text.rpartition(":")[2].split()[:1]
    return (bool(_ARC.match(text.lstrip())) or any(map(is_name, first))) and not text.endswith(".json")


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # A text that is too long for a name.
        return False
