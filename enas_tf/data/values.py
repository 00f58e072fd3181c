"""The values that the pixels of a user's own images have, and their conversion to bytes and back."""

import dataclasses
from collections.abc import Iterable

import numpy as np

# Images that are converted at once; float copies stay small.
_CHUNK = 1024
# Bits per pixel that cameras, scanners and files have. Pixels of 12 bits are often stored in files of 16.
_DEPTHS = (8, 10, 12, 14, 16)


@dataclasses.dataclass(frozen=True)
class ValueRange:
    """The range and the type of a user's pixels: `low` is black, `high` is white, and `dtype` is NumPy's name.

    Images are held as bytes, in which `low` is 0 and `high` is 255. So a byte is (value - low) * scale, rounded.
    """

    low: float = 0.0
    high: float = 255.0
    dtype: str = "uint8"

    def __post_init__(self):
        if not (np.isfinite(self.low) and np.isfinite(self.high) and self.low < self.high):
            raise ValueError(f"a range of pixels needs two finite numbers, low < high, not {self.low}..{self.high}")
        np.dtype(self.dtype)  # Raises a TypeError for a name that is none.
        # A whole number, as JSON may have it, would make NumPy compute in integers.
        object.__setattr__(self, "low", float(self.low))
        object.__setattr__(self, "high", float(self.high))

    def __str__(self) -> str:
        return f"{self.low:g}..{self.high:g} ({self.dtype})"

    @property
    def scale(self) -> float:
        """The number of byte steps that a step of 1 in the user's values is."""
        return 255 / (self.high - self.low)

    @property
    def is_bytes(self) -> bool:
        """Whether the user's values are the bytes themselves."""
        return (self.low, self.high, self.dtype) == (0, 255, "uint8")

    def to_bytes(self, values: np.ndarray) -> np.ndarray:
        """Return `values` ([n, ...], no NaN), which are in this range, as uint8 of the same shape.

        Values outside of the range become 0 or 255.
        """
        if values.dtype == np.uint8 and self.is_bytes:
            return values
        converted = np.empty(values.shape, np.uint8)
        for start in range(0, len(values), _CHUNK):
            chunk = values[start : start + _CHUNK]
            chunk = (chunk - self.low if self.low else chunk) * self.scale
            converted[start : start + _CHUNK] = np.clip(np.round(chunk), 0, 255)
        return converted

    def from_bytes(self, images: np.ndarray) -> np.ndarray:
        """Return `images` (uint8, any shape) as a user's values: in this range and of this type.

        `to_bytes` gives the same bytes back if the type has at least 255 steps within the range.
        """
        if self.is_bytes:
            return images
        values = images * (self.high - self.low) / 255 + self.low
        if np.issubdtype(self.dtype, np.integer):
            values = np.round(values)
        return values.astype(self.dtype)


#: The values of images that are bytes already, as most files have them.
BYTES = ValueRange()


def range_of_integers(largest: int, dtype: str = "uint16") -> ValueRange:
    """Return the range of unsigned integers whose largest is `largest`: 0..255, 0..1023, 0..4095, 0..16383 or 0..65535.

    The type tells no more than how they are stored: a camera of 12 bits leaves the upper 4 of 16 empty.
    """
    bits = next(depth for depth in _DEPTHS if largest < 2**depth)
    return ValueRange(0.0, float(2**bits - 1), dtype)


def largest_of(arrays: Iterable[np.ndarray]) -> int:
    """Return the largest value of unsigned integer `arrays`; 0 if there is none."""
    return max((int(array.max(initial=0)) for array in arrays), default=0)
