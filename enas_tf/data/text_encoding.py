"""Bytes of a file as text: UTF-8, and what else they may be where they are not."""

import codecs
import re

import numpy as np

from enas_tf.errors import InputError

# Mark at the beginning of a file -> the encoding that it tells, the longer marks first.
_MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
# Encoding without a mark -> the bytes of its units. Few things that are no text are valid in those of 4 bytes.
_UNMARKED = {"utf-32le": 4, "utf-32be": 4, "utf-16le": 2, "utf-16be": 2}
# Bytes at the beginning that tell how characters are stored, a multiple of 4.
_SAMPLE = 2**16
# Characters that no text has.
_CONTROLS = re.compile(r"[\x00-\x08\x0e-\x1b\x7f]")


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

    The mark at its beginning tells it. Without one, the NULs do: blanks, line ends and the letters of English have them
    in their upper bytes.
    """
    for mark, encoding in _MARKS.items():
        if content.startswith(mark):
            return encoding
    sample = content[:_SAMPLE]
    if b"\0" in sample:
        for encoding, size in _UNMARKED.items():
            if len(content) % size == 0 and _is_text_in(sample, encoding, size):
                return encoding
    return None


def _is_text_in(sample: bytes, encoding: str, size: int) -> bool:
    """Return whether `sample` is text in `encoding`, whose characters have `size` bytes or more."""
    text = _decode_beginning(sample, encoding)
    if text is None or _CONTROLS.search(text):
        return False
    is_nul = np.frombuffer(sample, np.uint8).reshape(-1, size) == 0
    upper, lower = (is_nul[:, -1], is_nul[:, 0]) if encoding.endswith("le") else (is_nul[:, 0], is_nul[:, -1])
    # Words of ASCII are also valid in UTF-16, as characters of Chinese. A few NULs do not make a text of them.
    is_wide = upper.mean() > 0.5 or _decode_beginning(sample, "utf-8") is None
    return bool(upper.sum() > lower.sum() and is_wide)


def _decode_beginning(sample: bytes, encoding: str) -> str | None:
    """Return `sample`, whose last character may be cut, as text; None if it is not in `encoding`."""
    try:
        return codecs.getincrementaldecoder(encoding)().decode(sample)
    except UnicodeDecodeError:
        return None
