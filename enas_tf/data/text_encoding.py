"""Bytes of a file as text: UTF-8, and what else they may be where they are not."""

import codecs

import numpy as np

from enas_tf.errors import InputError

# Mark at the beginning of a file -> the encoding that it tells, the longer marks first.
_MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
# Bytes around the first NUL that tell how characters are stored.
_SAMPLE = 4096


def decode_text(content: bytes, what: str) -> str:
    """Return `content` as text; `what` names it in messages.

    Raises:
        InputError: `content` is not UTF-8, has NUL characters, or holds nothing but blanks.
    """
    encoding = _wide_encoding(content)
    if encoding:
        raise InputError(
            f"{what} is not UTF-8: expected text in that encoding, and found {encoding.upper()}. Convert it with "
            f"`iconv -f {encoding} -t utf-8`."
        )
    if b"\0" in content:
        raise InputError(
            f"{what} is not a text: expected UTF-8, and found a NUL character at offset {content.index(0)}. If the "
            "rest is text, remove them with `tr -d '\\000'`."
        )
    try:
        return filled(content.decode(), what)
    except UnicodeDecodeError as error:
        raise InputError(
            f"{what} is not UTF-8: expected text in that encoding, and found the byte {content[error.start]:#04x} at "
            f"offset {error.start}. Convert it, for example with `iconv -f latin1 -t utf-8`."
        ) from None


def filled(text: str, what: str) -> str:
    """Return `text`; raise `InputError`, in which `what` names it, if it holds nothing but blanks."""
    if not text.strip():
        raise InputError(f"{what} is empty: expected text in it. Use a longer text, or another one.")
    return text


def _wide_encoding(content: bytes) -> str | None:
    """Return the encoding, as `iconv` calls it, of text whose characters have 2 or 4 bytes; None for other content.

    The mark at its beginning tells it. Without one, the NULs do: a letter of a European language has them in all bytes
    but one, and so do blanks and line ends of every language.
    """
    for mark, encoding in _MARKS.items():
        if content.startswith(mark):
            return encoding
    first = content.find(0)
    if first < 0 or len(content) % 2:
        return None
    start = first - first % 4
    is_nul = np.frombuffer(content[start : start + _SAMPLE], np.uint8) == 0
    if len(content) % 4 == 0:
        units = is_nul.reshape(-1, 4)
        # No code point needs the upper byte, and few need the one below.
        if units[:, 3].all() and not units[:, 0].any():
            return "utf-32le"
        if units[:, 0].all() and not units[:, 3].any():
            return "utf-32be"
    low, high = is_nul.reshape(-1, 2).sum(axis=0)
    if low and high:
        return None
    return _if_valid(content, "utf-16le" if high else "utf-16be")


def _if_valid(content: bytes, encoding: str) -> str | None:
    """Return `encoding` if `content` is text in it, without control characters that no text has."""
    try:
        text = content[:_SAMPLE].decode(encoding)
    except UnicodeDecodeError as error:
        # The cut may have split a pair of units.
        if error.start < min(len(content), _SAMPLE) - 4:
            return None
        text = content[: error.start].decode(encoding)
    return None if "\0" in text else encoding
