"""NumPy archives whose headers are read before their arrays: what they declare is checked before memory is taken."""

import contextlib
import dataclasses
import io
import math
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from enas_tf.data.paths import in_bytes, require_memory, require_path, shorten, show_given, show_path
from enas_tf.errors import InputError, ref

_ZIP, _ARRAY = b"PK", b"\x93NUMPY"
# The header of an array of numbers has about 100 bytes. NumPy itself would read as many as a header says it has.
_HEADER_LIMIT = 2**14
# An array that is larger than the one, and that shrinks by more than the other, is no photograph.
_BOMB_BYTES, _BOMB_RATIO = 2**30, 300


@dataclasses.dataclass(frozen=True)
class ArrayHeader:
    """What an archive declares of an array."""

    shape: tuple[int, ...]
    dtype: np.dtype

    @property
    def num_bytes(self) -> int:
        """The memory that the array takes."""
        return math.prod(self.shape) * self.dtype.itemsize


class Archive:
    """An open archive.

    Args:
        path: its path in messages.
        archive: the zip file.

    Attributes:
        path: its path in messages.
        names: the names of its arrays, in the order of the file.
    """

    def __init__(self, path: str, archive: zipfile.ZipFile):
        self.path, self._zip = path, archive
        self._members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
        self.names = tuple(self._members)

    def what(self, name: str) -> str:
        """Return how messages call the array `name`."""
        return f"{shorten(name)} of {self.path}"

    def header(self, name: str) -> ArrayHeader:
        """Return the header of the array `name`.

        Raises:
            InputError: it cannot be read, is no array of plain values, or does not fit what the archive holds.
        """
        info = self._members[name]
        with self._damage_reported(name), self._zip.open(info) as member:
            start = io.BytesIO(member.read(_HEADER_LIMIT))
        if not start.getvalue().startswith(_ARRAY):
            raise InputError(f"{self.what(name)} is not an array: expected what numpy.savez writes. Save it with that.")
        with self._damage_reported(name):
            header = _parse(start)
        if header.dtype.hasobject:
            raise InputError(
                f"{self.what(name)} cannot be read: it holds Python objects, not plain values. Save x.astype(float), "
                "or for texts x.astype(str), in its place."
            )
        if min(header.shape, default=0) < 0 or start.tell() + header.num_bytes > info.file_size:
            raise InputError(
                f"{self.what(name)} cannot be read: it declares {header.dtype} {list(header.shape)}, which are "
                f"{in_bytes(header.num_bytes)}, and the archive holds {in_bytes(info.file_size)} of it. It is damaged: "
                "save it again."
            )
        return header

    def require_memory(self, names: Iterable[str]) -> None:
        """Raise `InputError` if the arrays `names` together are too large to be read."""
        sizes = {name: self.header(name).num_bytes for name in names}
        for name, size in sizes.items():
            stored = max(self._members[name].compress_size, 1)
            if size > _BOMB_BYTES and size > _BOMB_RATIO * stored:
                raise InputError(
                    f"{self.what(name)} takes {in_bytes(stored)} in the archive and {in_bytes(size)} of memory: "
                    "expected images, which do not shrink that much. If it is right, save it with numpy.savez in place "
                    "of numpy.savez_compressed."
                )
        require_memory(sum(sizes.values()), f"The arrays of {self.path}", "expected data that fit into it")

    def read(self, name: str) -> np.ndarray:
        """Return the array `name`; raise `InputError` if it cannot be read."""
        self.header(name)
        with self._damage_reported(name), self._zip.open(self._members[name]) as member:
            return np.lib.format.read_array(member, allow_pickle=False)

    @contextlib.contextmanager
    def _damage_reported(self, name: str) -> Iterator[None]:
        """Raise an `InputError` that names the array in place of any error within the block."""
        try:
            yield
        except Exception as error:
            # Encryption, unknown compression and damage of every kind raise errors of a dozen types.
            reason = shorten(error).rstrip(".") or type(error).__name__
            raise InputError(
                f"{self.what(name)} cannot be read: {reason}. Save it again as an array of numbers."
            ) from None


def _parse(start: io.BytesIO) -> ArrayHeader:
    """Read the header of an array, which leaves `start` behind the header."""
    version = np.lib.format.read_magic(start)
    reader = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = reader(start)
    return ArrayHeader(shape, dtype)


@contextlib.contextmanager
def open_archive(location: str) -> Iterator[Archive]:
    """Open the NumPy archive at `location`.

    Raises:
        InputError: there is no file, or it is none that numpy.savez writes.
    """
    path = show_path(location)
    option, expected = f"{ref('dataset')}=npz:{show_given(location)}", "the path of a NumPy archive"
    require_path(location, "a file", option, expected)
    try:
        with open(location, "rb") as file:
            start = file.read(_HEADER_LIMIT)
        if start.startswith(_ARRAY):
            raise InputError(f"{option} holds one array: expected a NumPy archive, as numpy.savez writes it.")
        if not start.startswith(_ZIP):
            raise InputError(f"{option} cannot be read as a NumPy archive (numpy.savez): {_describe(start)}.")
        archive = zipfile.ZipFile(Path(location))
    except InputError:
        raise
    except Exception as error:
        # A damaged directory of the zip file raises errors of several types.
        raise InputError(f"{option} cannot be read as a NumPy archive (numpy.savez): {shorten(error)}.") from None
    with archive:
        yield Archive(path, archive)


def _describe(start: bytes) -> str:
    """Return what a file is that begins with `start` and is no archive."""
    if not start:
        return "it is empty"
    try:
        line = start.decode().splitlines()[0] if start.strip() else ""
    except UnicodeDecodeError as error:
        if error.start < len(start) - 4:
            return f"it begins with the bytes {start[:4].hex(' ')}, and an archive with {_ZIP.hex(' ')}"
        line = start[: error.start].decode().splitlines()[0]
    return f"it is a text that begins with {shorten(line, 40)!r}"
