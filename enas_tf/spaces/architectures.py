"""Reading an architecture from wherever a user has it: a JSON file, an arc string, or a published name."""

import json
import re
from pathlib import Path

from enas_tf.errors import InputError
from enas_tf.spaces.decisions import Architecture, Space
from enas_tf.spaces.macro import MacroArchitecture, MacroSpace
from enas_tf.spaces.micro import MicroArchitecture, MicroSpace
from enas_tf.spaces.published import PUBLISHED
from enas_tf.spaces.recurrent import RecurrentArchitecture, RecurrentSpace

SPACES: dict[str, type[Space]] = {"macro": MacroSpace, "micro": MicroSpace, "recurrent": RecurrentSpace}
ARCHITECTURES: dict[str, type[Architecture]] = {
    "macro": MacroArchitecture,
    "micro": MicroArchitecture,
    "recurrent": RecurrentArchitecture,
}


def from_json(data: dict) -> Architecture:
    """The inverse of `Architecture.to_json`; raises `InputError` for anything else."""
    space = data.get("space") if isinstance(data, dict) else None
    if space not in ARCHITECTURES:
        raise InputError(f'the architecture\'s "space" is {space!r}: expected one of {sorted(ARCHITECTURES)}.')
    return ARCHITECTURES[space].from_json(data)


def read_architecture(text: str, space: str = "macro") -> Architecture:
    """Reads `text`: the path of an architecture.json, a published name, or an arc string of `space`.

    Raises `InputError` naming what is wrong with it.
    """
    if text in PUBLISHED:
        space, arc = PUBLISHED[text]
        return ARCHITECTURES[space].from_arc(arc)
    if is_arc(text):
        return _from_arc(text, space)
    path = Path(text)
    if not _is_file(path):
        shown = text if len(text) <= 80 else f"{text[:77]}..."
        raise InputError(
            f"--architecture={shown!r} is none of: an existing JSON file, an arc string such as '0 3 0 0 1 0', "
            f"or a published architecture ({', '.join(PUBLISHED)})."
        )
    try:
        return from_json(json.loads(path.read_text()))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not JSON ({error}): expected an architecture.json.") from error


def _from_arc(arc: str, space: str) -> Architecture:
    """The architecture of an arc string of `space`; the error for another one says which space it may be of."""
    try:
        return ARCHITECTURES[space].from_arc(arc)
    except InputError as error:
        others = [name for name in ARCHITECTURES if name != space and _may_be_of(name, arc, space)]
        hint = "".join(f" --space={name} reads it as a {name} architecture." for name in others)
        raise InputError(f"{error}{hint}") from error


def _may_be_of(other: str, arc: str, space: str) -> bool:
    """Whether `arc`, which `space` refused, was meant for the space `other`.

    Where its length is wrong for `space`, the length decides: zeros are valid in every place of every space. Where only
    its numbers are wrong, they have to be right for the other one.
    """
    zeros = re.sub("-?[0-9]+", "0", arc)
    return _reads(other, arc if _reads(space, zeros) else zeros)


def _reads(space: str, arc: str) -> bool:
    try:
        ARCHITECTURES[space].from_arc(arc)
    except InputError:
        return False
    return True


def is_arc(text: str) -> bool:
    """Whether `text` is to be read as an arc string."""
    return bool(re.match(r"\s*([a-z_]+:)?\s*-?[0-9]", text)) and not text.endswith(".json")


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # A text that is too long for a name.
        return False
