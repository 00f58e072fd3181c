"""Reading an architecture from wherever a user has it: a JSON file, an arc string, or a published name."""

import json
import re
from pathlib import Path

from enas_tf.errors import InputError
from enas_tf.spaces.decisions import Architecture, Space
from enas_tf.spaces.macro import MacroArchitecture, MacroSpace
from enas_tf.spaces.published import PUBLISHED

SPACES: dict[str, type[Space]] = {"macro": MacroSpace}
ARCHITECTURES: dict[str, type[Architecture]] = {"macro": MacroArchitecture}


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
    if re.match(r"(layers:)?\s*-?[0-9]", text) and not text.endswith(".json"):
        return ARCHITECTURES[space].from_arc(text)
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


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # A text that is too long for a name.
        return False
