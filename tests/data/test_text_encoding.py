"""Bytes that are no UTF-8: recognised, and refused with a conversion whose output can be read."""

import subprocess

import pytest

from enas_tf.data.text_encoding import decode_text
from enas_tf.errors import InputError

TEXTS = ["the cat sat\non the mat\n", "a", "Zażółć gęślą jaźń\n" * 500, "漢字 仮名\n", "x 😀\n" * 2000]


def message_about(content):
    with pytest.raises(InputError) as caught:
        decode_text(content, "file")
    return str(caught.value)


@pytest.mark.parametrize("text", ["né", "漢字 😀\n", "\ufeffa", "a\r\n\t\x0c"])
def test_utf_8_is_read(text):
    assert decode_text(text.encode(), "file") == text


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
def test_a_byte_order_mark_tells_the_encoding(text, encoding):
    name = encoding[:6]
    message = message_about(("\ufeff" + text).encode(encoding))
    assert message == (
        f"file is not UTF-8: expected text in that encoding, and found {name.upper()}. Convert it with "
        f"`iconv -f {name} -t utf-8`."
    )


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
def test_nuls_tell_the_encoding(text, encoding):
    name = encoding[:6] + encoding[7:]
    assert f"`iconv -f {name} -t utf-8`" in message_about(text.encode(encoding))


def test_the_cut_of_a_long_text_does_not_matter():
    text = "wxyz" + "abc😀" * 20_000  # The sample ends within the pair of units of a character.
    assert "`iconv -f utf-16le -t utf-8`" in message_about(text.encode("utf-16-le"))


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "utf-16-le", "utf-32-be"])
def test_the_conversion_gives_the_text(encoding):
    try:
        subprocess.run(["iconv", "--version"], capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no iconv")
    content = TEXTS[0].encode(encoding)
    command = message_about(content).split("`")[1]
    converted = subprocess.run(command.split(), input=content, capture_output=True, check=True).stdout
    assert decode_text(converted, "file").removeprefix("\ufeff") == TEXTS[0]


@pytest.mark.parametrize(
    "content",
    [b"a\0b", b"hi\n" * 7 + b"\0", b"hello wor\0d\n", b"\0", b"\0\0\0\0", b"a\0\0b\0c\0\0", b"\x7fELF\2\1\1\0"],
)
def test_other_nuls_are_refused(content):
    message = message_about(content)
    assert message.startswith("file is not a text: expected UTF-8, and found a NUL character at offset ")
    assert f"offset {content.index(0)}." in message


def test_other_bytes_are_refused():
    message = message_about("a né".encode("latin1"))
    assert message.startswith("file is not UTF-8: expected text in that encoding, and found the byte 0xe9 at offset 3.")
    assert "iconv -f latin1 -t utf-8" in message


@pytest.mark.parametrize("content", [b"", b" \n", b"\t"])
def test_blanks_are_no_text(content):
    assert message_about(content).startswith("file is empty: expected text")
