"""What the head of an image file says that decoding loses: 16 bits per channel, which way is up, transparency."""

import dataclasses
import struct
from pathlib import Path
from typing import BinaryIO

import numpy as np

_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8"
# The tag of the orientation in the first directory of Exif (JEITA CP-3451, 4.6.4).
_ORIENTATION = 0x0112
# A segment of JPEG has no more bytes, and neither has Exif in any file.
_EXIF_LIMIT = 2**16


@dataclasses.dataclass(frozen=True)
class Header:
    """The head of an image file.

    Attributes:
      is_wide: whether the file has 16 bits per channel.
      orientation: Exif's number, 1..8, of how the pixels are turned; 1 is upright.
      has_alpha: whether pixels may be transparent, which only a PNG file is asked for.
    """

    is_wide: bool = False
    orientation: int = 1
    has_alpha: bool = False


def read_header(path: str | Path) -> Header:
    """Return the header of the PNG or JPEG file at `path`; the default for other files and damaged ones."""
    try:
        with open(path, "rb") as file:
            start = file.read(len(_PNG))
            if start == _PNG:
                return _read_png(file)
            if start.startswith(_JPEG):
                file.seek(len(_JPEG))
                return Header(orientation=_orientation(_exif_of_jpeg(file)))
    except (OSError, struct.error, IndexError):
        pass  # The decoder will report it.
    return Header()


def _read_png(file: BinaryIO) -> Header:
    """Read the chunks of a PNG file, each its length, its type, its content and a check sum."""
    depth, exif, has_alpha = 8, b"", False
    while len(head := file.read(8)) == 8:
        length, kind = struct.unpack(">I4s", head)
        if kind == b"IHDR":
            content = file.read(length)  # Width, height, depth, colour type, ...
            depth, has_alpha = content[8], content[9] in (4, 6)
            file.seek(4, 1)
        elif kind == b"tRNS":
            has_alpha = True
            file.seek(length + 4, 1)
        elif kind == b"eXIf" and length <= _EXIF_LIMIT:
            exif = file.read(length)
            break
        elif kind == b"IEND":
            break
        else:
            file.seek(length + 4, 1)
    return Header(depth == 16, _orientation(exif), has_alpha)


def _exif_of_jpeg(file: BinaryIO) -> bytes:
    """Return the Exif data of a JPEG file from behind its first marker; nothing if there are none."""
    while len(head := file.read(4)) == 4:
        mark, kind, length = struct.unpack(">BBH", head)
        # The scan has no length: Exif stands before it.
        if mark != 0xFF or kind == 0xDA or length < 2:
            break
        if kind == 0xE1:
            content = file.read(length - 2)
            if content.startswith(b"Exif\0\0"):
                return content[6:]
        else:
            file.seek(length - 2, 1)
    return b""


def _orientation(exif: bytes) -> int:
    """Return the orientation in Exif data, which are laid out as a TIFF file; 1 if there is none."""
    order = {b"II": "<", b"MM": ">"}.get(exif[:2])
    if order is None:
        return 1
    (start,) = struct.unpack_from(order + "I", exif, 4)
    (count,) = struct.unpack_from(order + "H", exif, start)
    for position in range(start + 2, start + 2 + 12 * count, 12):
        tag, _, _, value = struct.unpack_from(order + "HHIH", exif, position)
        if tag == _ORIENTATION:
            return value if 1 <= value <= 8 else 1
    return 1


def turn_upright(image: np.ndarray, orientation: int) -> np.ndarray:
    """Return `image` ([h, w, c]) as its Exif `orientation` (1..8) means it; a view of it where nothing moves."""
    if orientation >= 5:
        image = image.transpose(1, 0, 2)
    if orientation in (2, 3, 6, 7):
        image = image[:, ::-1]
    if orientation in (3, 4, 7, 8):
        image = image[::-1]
    return image
