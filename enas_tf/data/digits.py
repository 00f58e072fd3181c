"""The handwritten digits that come with scikit-learn: 1,797 images of 8x8 pixels that need no download."""

import numpy as np

from enas_tf.data.images import Parts, Split
from enas_tf.data.paths import shorten
from enas_tf.data.values import ValueRange
from enas_tf.errors import InputError, ref

# The bundled pixels are counts 0..16 of ink in 4x4 blocks of the scan.
_LARGEST_COUNT = 16.0


def load_digits(location: str, data_dir: str | None, image_size: int | None) -> Parts:
    """Return all digits as one training part, uint8 [1797, 8, 8, 1], of which 20 % are to become the test part.

    Raises:
        InputError: a `location` is given, as in `digits:somewhere`.
    """
    if location:
        raise InputError(
            f"{ref('dataset')}=digits:{shorten(location)} is not valid: expected digits alone, with no place after it."
        )
    # Imported where it is needed: it takes a second.
    from sklearn.datasets import load_digits as load_bundled_digits

    bundled = load_bundled_digits()
    values = ValueRange(0.0, _LARGEST_COUNT, bundled.images.dtype.name)
    images = values.to_bytes(bundled.images)[..., np.newaxis]
    labels = bundled.target.astype(np.int32)
    return Parts(tuple(str(digit) for digit in range(10)), Split(images, labels), test_fraction=0.2, values=values)
