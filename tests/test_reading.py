"""Laws of reading a file: whatever is wrong with it is one short message with its full path and the cure."""

import json
import os

import pytest

from enas_tf.errors import InputError
from enas_tf.reading import read_json, read_text

FIELDS = {"arc": (str,), "num": (int,), "value": (int, float, type(None))}
GOOD = {"arc": "0 3 0", "num": 2, "value": 0.5}


def read(path):
    return read_json(path, "an object", "Remove it.", FIELDS)


def test_an_object_comes_back(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps(GOOD | {"more": [1, {"ä": None}]}))
    assert read(tmp_path / "a.json") == GOOD | {"more": [1, {"ä": None}]}
    (tmp_path / "a.json").write_bytes(b"\xef\xbb\xbf" + json.dumps(GOOD).encode())
    assert read(str(tmp_path / "a.json")) == GOOD


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "is empty"),
        (b" \n", "is empty"),
        (b'{"arc": "0 3', "is not JSON .*line 1, column 9"),
        (b"{} {}", "is not JSON"),
        (b"\x00\x01\x02", "is not a text"),
        ('{"arc": "ä"}'.encode("latin1"), "is not in UTF-8 .byte 0xe4 at offset 9"),
        ('{"arc": "ä"}'.encode("utf-16"), "is not a text"),
        (b"[" * 100_000, "is nested too deeply"),
        (b'{"a":' * 100_000, "is nested too deeply"),
        (b'{"num": ' + b"9" * 5_000 + b"}", "holds a number of more than 4,300 digits"),
        (b'{"num": NaN}', "holds the number NaN, which is not finite"),
        (b'{"num": -Infinity}', "-Infinity, which is not finite"),
        (b'{"num": 1e999}', "1e999, which is not finite"),
        (b"[]", "holds a list instead of an object"),
        (b"null", "holds null instead of an object"),
        (b'"text"', "holds a text instead of an object"),
        (b"true", "holds true or false instead of an object"),
        (b"{}", 'has no key "arc"'),
        (json.dumps(GOOD | {"arc": 7}).encode(), 'has 7 under the key "arc" instead of a text'),
        (json.dumps(GOOD | {"num": True}).encode(), 'has true under the key "num" instead of a whole number'),
        (json.dumps(GOOD | {"num": 0.5}).encode(), 'has 0.5 under the key "num" instead of a whole number'),
        (json.dumps(GOOD | {"value": "x" * 10**6}).encode(), "instead of a whole number or a number or null"),
    ],
)
def test_a_damaged_file_is_named(tmp_path, content, problem):
    path = tmp_path / "a.json"
    path.write_bytes(content)
    with pytest.raises(InputError, match=rf"^{path} .*{problem}.*: expected an object\. Remove it\.$") as caught:
        read(path)
    assert len(str(caught.value)) < 500


def test_what_is_no_file_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe")
    for path, problem in {
        ".": "is a directory",
        "pipe": "is a named pipe",
        "/dev/zero": "is a device",
        "none/a.json": "cannot be read .No such file",
        "x" * 300: "cannot be read .File name too long",
        "a\0b": "is not the name of a file",
    }.items():
        with pytest.raises(InputError, match=f"^/.* {problem}.*: expected a text"):
            read_text(path, "a text", "Name another.")
