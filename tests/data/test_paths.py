"""Texts of a user in messages, the names of parts, and what stands at a path."""

import os

import pytest

from enas_tf.data import paths
from enas_tf.data.paths import (
    describe_path,
    enumerate_items,
    in_bytes,
    part_of,
    require_memory,
    require_path,
    shorten,
    show_given,
    show_path,
)
from enas_tf.errors import InputError, ref, render


@pytest.mark.parametrize("text", ["", "a", "cat/1.png", "a" * 80, "Käse 漢字 😀"])
def test_short_texts_stay(text):
    assert shorten(text) == text


@pytest.mark.parametrize("length", [81, 159, 160, 161, 10_000_000])
def test_long_texts_lose_their_middle(length):
    text = "start" + "x" * (length - 8) + "end"
    assert len(shorten(text)) == 80
    assert shorten(text).startswith("startxx")
    assert shorten(text).endswith("xxend")
    assert "..." in shorten(text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\nb\tc\0", r"a\nb\tc\x00"),
        ("a\u2028b\x1b[31m", r"a\u2028b\x1b[31m"),
        (os.fsdecode(b"caf\xe9"), r"caf\xe9"),
        (ref("dataset"), r"\ue000dataset\ue001"),
    ],
)
def test_what_cannot_be_printed_is_escaped(text, shown):
    assert shorten(text) == shown
    assert render(shorten(text), lambda name: "--" + name) == shown
    shown.encode("ascii")


def test_escapes_do_not_make_a_text_long():
    assert len(shorten("\n" * 100)) == 80
    assert len(shorten("\0" * 80)) == 80


def test_paths_are_shown_whole_and_in_full(tmp_path, monkeypatch):
    assert show_path("/data/" + "x" * 200) == "/data/" + "x" * 200
    assert len(show_path("x" * 10_000)) == len(show_given("x" * 10_000)) == 300
    monkeypatch.chdir(tmp_path)
    assert show_path("photos/cat") == f"{tmp_path}/photos/cat"
    assert show_given("photos/cat") == "photos/cat"


def test_a_current_directory_that_was_removed_is_not_shown(tmp_path, monkeypatch):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert show_path("photos") == "photos"


def test_ten_items_are_shown():
    assert enumerate_items("abc") == "a, b, c"
    assert enumerate_items(range(13)) == "0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 3 more"
    assert len(enumerate_items(["x" * 1000] * 1000)) < 900


def test_usual_names_of_parts():
    names = {
        "train": ("train", "Train", "training", "TRAIN"),
        "valid": ("val", "valid", "validation", "Valid"),
        "test": ("test", "Test", "testing"),
    }
    assert all(part_of(name) == part for part, given in names.items() for name in given)
    assert not any(part_of(name) for name in ("trains", "cat", "", "test1", "dev"))


def test_what_stands_at_a_path(tmp_path):
    (tmp_path / "file").touch()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    assert [describe_path(tmp_path / name) for name in ("", "file", "pipe", "none", "file/below")] == [
        "a directory",
        "a file",
        "a named pipe",
        "missing",
        "missing",
    ]
    assert describe_path("/dev/null") == "a device"
    assert describe_path(tmp_path / "loop").startswith("not accessible (")
    assert describe_path("x" * 10_000_000).startswith("not accessible (")
    assert describe_path("a\0b") == "not the name of a file (it holds a NUL character)"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("none", r"^The option: no such file \(/.*/none\)\. Expected an archive\.$"),
        ("", r"^The option is a directory \(/.*\)\. Expected an archive\.$"),
        ("a\0b", "NUL character"),
    ],
)
def test_other_kinds_are_refused(tmp_path, name, message):
    with pytest.raises(InputError, match=message):
        require_path(f"{tmp_path}/{name}", "a file", "The option", "an archive")


def test_the_full_path_is_told_once(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=rf"^dataset=npz:none: no such file \({tmp_path}/none\)\. Expected an archive"):
        require_path("none", "a file", "dataset=npz:none", "an archive")
    with pytest.raises(InputError, match=rf"^dataset=npz:{tmp_path}/none: no such file\. Expected an archive"):
        require_path(f"{tmp_path}/none", "a file", f"dataset=npz:{tmp_path}/none", "an archive")


def test_more_than_the_memory_is_refused(monkeypatch):
    require_memory(1000, "Images", "expected fewer")
    with pytest.raises(
        InputError, match=r"^Images would take 1e\+09 PB of memory, and this machine has .*: expected fewer"
    ):
        require_memory(10**24, "Images", "expected fewer")
    monkeypatch.delattr(paths.os, "sysconf")
    require_memory(10**24, "Images", "expected fewer")


def test_sizes_in_words():
    assert [in_bytes(size) for size in (0, 999, 5_400_000_000, 10**18)] == [
        "0 bytes",
        "999 bytes",
        "5.4 GB",
        "1e+03 PB",
    ]
