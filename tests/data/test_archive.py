"""Damaged and hostile archives: refused in a moment, before memory is taken, and with the array that is at fault."""

import contextlib
import io
import os
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest

from enas_tf.data import archive, paths
from enas_tf.data.sources import DataConfig, load_images
from enas_tf.errors import InputError

MEGABYTE = 2**20


def npy(array, **header):
    """Return `array` as a file of NumPy; `header` replaces what its header says."""
    file = io.BytesIO()
    if not header:
        np.lib.format.write_array(file, array)
        return file.getvalue()
    declared = {"descr": array.dtype.str, "fortran_order": False, "shape": array.shape} | header
    np.lib.format.write_array_header_1_0(file, declared)
    return file.getvalue() + array.tobytes()


def members(**changes):
    made = {
        "x_train": npy(np.zeros((20, 5, 5, 3), np.uint8)),
        "y_train": npy(np.arange(20) % 2),
        "x_test": npy(np.zeros((4, 5, 5, 3), np.uint8)),
        "y_test": npy(np.arange(4) % 2),
    }
    return made | changes


def refused(directory, contents, compression=zipfile.ZIP_STORED, change=lambda content: content):
    """Return the message about an archive of `contents`, for which little memory may be taken."""
    path = directory / "images.npz"
    with zipfile.ZipFile(path, "w", compression) as file:
        for name, content in contents.items():
            file.writestr(f"{name}.npy", content)
    path.write_bytes(change(path.read_bytes()))
    tracemalloc.start()
    with pytest.raises(InputError) as caught:
        load_images(DataConfig(f"npz:{path}"))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 * MEGABYTE
    assert len(str(caught.value)) < 1500
    return str(caught.value)


@pytest.mark.parametrize("shape", [(20, 2**40, 5, 3), (20, 2**62, 2**62, 3), (20, 6, 5, 3)])
def test_declared_shapes_have_to_fit_what_there_is(tmp_path, shape):
    message = refused(tmp_path, members(x_train=npy(np.zeros((20, 5, 5, 3), np.uint8), shape=shape)))
    assert "x_train of " in message
    assert "cannot be read: it declares uint8 [20," in message
    assert "the archive holds" in message


@pytest.mark.parametrize("shape", [(-20, -5, 5, 3), (True,), "text", (20, 5.0)])
def test_declared_shapes_have_to_be_shapes(tmp_path, shape):
    assert "x_train of " in refused(tmp_path, members(x_train=npy(np.zeros((20, 5, 5, 3), np.uint8), shape=shape)))


def test_a_bomb_is_not_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "_BOMB_BYTES", MEGABYTE)
    bomb = npy(np.zeros((20, 1000, 1000, 1), np.uint8))
    message = refused(tmp_path, members(x_train=bomb), zipfile.ZIP_DEFLATED)
    assert "x_train of " in message
    assert "and 20.0 MB of memory: expected images, which do not shrink that much" in message
    labels = npy(np.zeros(20, "<U250000"))
    message = refused(tmp_path, members(y_train=labels, y_test=npy(np.zeros(4, "<U1"))), zipfile.ZIP_DEFLATED)
    assert "y_train of " in message
    assert "and 20.0 MB of memory" in message


def test_arrays_larger_than_the_memory_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(paths.os, "sysconf", lambda name: 20)
    message = refused(tmp_path, members())
    assert "images.npz would take 2.0 kB of memory, and this machine has 400 bytes" in message


def test_arrays_that_nothing_reads_take_no_memory(tmp_path):
    made = members(extra=npy(np.zeros(20 * MEGABYTE, np.uint8)))
    del made["y_test"]
    assert "images.npz has no y_test" in refused(tmp_path, made)


def test_headers_are_short(tmp_path):
    start = npy(np.zeros((20, 5, 5, 3), np.uint8))
    long = b"\x93NUMPY\x02\x00" + struct.pack("<I", 10 * MEGABYTE) + b" " * 10 * MEGABYTE
    assert "x_train of " in refused(tmp_path, members(x_train=long), zipfile.ZIP_DEFLATED)
    nested = b"\x93NUMPY\x01\x00" + struct.pack("<H", 9000) + b"(" * 9000
    assert "x_train of " in refused(tmp_path, members(x_train=nested))
    assert "x_train of " in refused(tmp_path, members(x_train=start[:20]))
    assert "x_train of " in refused(tmp_path, members(x_train=b"\x93NUMPY\x09\x09" + start[8:]))


@pytest.mark.parametrize("content", [b"", b"text", b"PK\3\4"])
def test_members_that_are_no_arrays(tmp_path, content):
    assert "x_train of " in (message := refused(tmp_path, members(x_train=content)))
    assert "is not an array: expected what numpy.savez writes" in message


def test_python_objects_are_not_loaded(tmp_path):
    file = io.BytesIO()
    np.lib.format.write_array(file, np.array([{}] * 20), allow_pickle=True)
    assert "y_train of " in (message := refused(tmp_path, members(y_train=file.getvalue())))
    assert "holds Python objects" in message


def test_encrypted_members(tmp_path):
    def encrypt(content):
        for mark, offset in ((b"PK\3\4", 6), (b"PK\1\2", 8)):  # The flags in both headers of the first member.
            place = content.index(mark) + offset
            content = content[:place] + b"\x01" + content[place + 1 :]
        return content

    assert "x_train of " in (message := refused(tmp_path, members(), change=encrypt))
    assert "encrypted" in message


def test_unknown_compression(tmp_path):
    def change(content):
        for mark, offset in ((b"PK\3\4", 8), (b"PK\1\2", 10)):
            place = content.index(mark) + offset
            content = content[:place] + b"\x63" + content[place + 1 :]
        return content

    assert "x_train of " in (message := refused(tmp_path, members(), change=change))
    assert "compression" in message


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_damage_at_every_place(tmp_path, compression):
    """Every archive with some bytes replaced either is read or is refused with an `InputError`."""
    path = tmp_path / "images.npz"
    with zipfile.ZipFile(path, "w", compression) as file:
        for name, content in members().items():
            file.writestr(f"{name}.npy", content)
    whole = path.read_bytes()
    random = np.random.default_rng(0)
    for start in range(0, len(whole), max(len(whole) // 100, 1)):
        path.write_bytes(whole[:start] + random.bytes(4) + whole[start + 4 :])
        with contextlib.suppress(InputError):
            load_images(DataConfig(f"npz:{path}"))
    for end in range(0, len(whole), max(len(whole) // 20, 1)):
        path.write_bytes(whole[:end])
        with pytest.raises(InputError):
            load_images(DataConfig(f"npz:{path}"))


def test_special_files_are_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "images.npz")
    with pytest.raises(InputError, match=r"images\.npz is a named pipe\. Expected the path of a NumPy archive"):
        load_images(DataConfig(f"npz:{tmp_path / 'images.npz'}"))
    with pytest.raises(InputError, match=r"/dev/zero is a device\. Expected"):
        load_images(DataConfig("npz:/dev/zero"))
    with pytest.raises(InputError, match=r"is a directory\. Expected"):
        load_images(DataConfig(f"npz:{tmp_path}"))


def test_names_of_members_are_shortened(tmp_path):
    made = {f"{'a' * 60_000}{number}": b"" for number in range(40)}
    message = refused(tmp_path, made)
    assert "and 30 more" in message
