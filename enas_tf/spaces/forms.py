"""Readers of the text and JSON forms of architectures, for all spaces: strict about types, and bounded in size."""

import dataclasses
import re
from collections.abc import Sequence
from typing import Any

from enas_tf.errors import InputError, ref
from enas_tf.options import require, shorten
from enas_tf.spaces.decisions import PickOp
from enas_tf.spaces.space import Space
from enas_tf.spaces.vocabulary import Vocabulary, is_integer


def read_words(text: str, arc: str, names: Vocabulary, prefixes: str = "") -> list[str]:
    """Return the words of `text`, which are separated by blanks: integers, or names of operations.

    Args:
      text: the arc string without its prefix.
      arc: the whole arc string, for the message.
      names: the operations.
      prefixes: what may stand before the words; it ends the message.

    Raises:
      InputError: something else stands there.
    """
    words = text.split()
    if not all(is_integer(word) or word in names for word in words):
        own = f" (or the names {', '.join(names.own)})" if names.own else ""
        raise InputError(
            f"the arc string {shorten(arc)!r} is not a list of integers{own} separated by blanks{prefixes}."
        )
    return words


def to_tokens(space: Space, words: Sequence[str], names: Vocabulary) -> list[int]:
    """Return the tokens of `space` for the words of an arc string, one for each, in the order of its decisions.

    Choices that are not out of `names` are written by their number.

    Raises:
      InputError: a word has no meaning in its place, which the message names.
    """
    decisions = [(decision, i) for decision in space.decisions for i in range(decision.num_tokens)]
    tokens = []
    for place, ((decision, i), word) in enumerate(zip(decisions, words, strict=True)):
        if isinstance(decision, PickOp) and set(decision.choices) <= set(names):
            name, expected = names.from_word(word), names.expected
            token = None if name is None else decision.choices.index(name)
        else:
            token, expected = int(word) if is_integer(word) else None, decision.expected
        if token is None:
            raise InputError(
                f'tokens[{place}] = {word} is not valid for "{decision.token_name(i)}": expected {expected}.'
            )
        tokens.append(token)
    return tokens


def read_list(data: dict[str, Any], key: str) -> list:
    """Return the list under `key` of a JSON form; raise `KeyError` without it and `TypeError` for anything else."""
    if type(data[key]) is not list:
        raise TypeError(f'"{key}" holds {shorten(data[key])!r}, which is not a list')
    return data[key]


def read_name(row: dict[str, Any], key: str) -> str:
    """Return the text under `key` of a JSON form; raise `KeyError` without it and `TypeError` for anything else."""
    if type(row[key]) is not str:
        raise TypeError(f'"{key}" holds {shorten(row[key])!r}, which is not a name')
    return row[key]


def check_node(node: Any) -> int:
    """Return `node`, the number of a node; raise `TypeError` for 0.5 and for `true`, which Python takes for 1."""
    if type(node) is not int:
        raise TypeError(f"the node {shorten(repr(node))} is not a whole number")
    return node


def read_node(row: dict[str, Any], key: str) -> int | None:
    """Return the node under `key` of a JSON form, None for null; raise as `check_node` does."""
    return None if row[key] is None else check_node(row[key])


def check_size(space: type[Space], option: str, size: int) -> None:
    """Raise `InputError` for an architecture whose `size` is above what a search may be told by the option.

    Args:
      space: the class of the space.
      option: the field of the space that holds the size: its layers, blocks or nodes.
      size: that of the architecture.
    """
    fields = dataclasses.fields(space)  # type: ignore[arg-type]
    (field,) = (field for field in fields if field.name == option)
    most = field.metadata["most"]
    if size > most:
        raise space.name_options(InputError(f"the architecture has {ref(option)}={size:,}: expected at most {most:,}."))


def check_numbers(name: str, words: Sequence[str], most: int) -> None:
    """Raise `InputError` unless `words`, the value of the option `name`, are different numbers of 1..`most`."""
    are_numbers = all(re.fullmatch("[1-9][0-9]{0,8}", word) and int(word) <= most for word in words)
    is_valid = bool(words) and are_numbers and len(set(words)) == len(words)
    require(is_valid, name, ",".join(words), f"different numbers out of 1..{most:,}, separated by commas")
