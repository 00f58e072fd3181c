"""The report on a data set for the first block of a run."""

import numpy as np

from enas_tf.data.fingerprint import count_per_class
from enas_tf.data.images import ImageData
from enas_tf.data.paths import shorten
from enas_tf.data.text import TextData
from enas_tf.errors import count_of


def describe(data: ImageData | TextData) -> dict[str, str]:
    """Return rows about `data`: the size of each part, what examples are, how classes differ in size, and all notes."""
    rows = _describe_images(data) if isinstance(data, ImageData) else _describe_text(data)
    rows["skipped files"] = f"{data.num_skipped:,}" if data.num_skipped else "none"
    if data.notes:
        rows["notes"] = " ".join(data.notes)
    return rows


def _describe_images(data: ImageData) -> dict[str, str]:
    height, width, channels = data.image_shape
    counts = count_per_class(data.train.labels, data.num_classes)
    smallest, largest = (
        f"{counts[index]:,} ({shorten(data.class_names[index])})" for index in (np.argmin(counts), np.argmax(counts))
    )
    per_class = f"{counts[0]:,} each" if counts.min() == counts.max() else f"{smallest} to {largest}"
    return {
        "images": ", ".join(f"{len(split):,} {name}" for name, split in data.parts().items()),
        "size": f"{height}x{width} pixels (height x width), {count_of(channels, 'channel')}",
        "classes": f"{data.num_classes:,}; training images per class: {per_class}",
        "pixels": f"{data.values}, read as bytes" if not data.values.is_bytes else str(data.values),
    }


def _describe_text(data: TextData) -> dict[str, str]:
    unknown = {part: np.mean(ids == data.vocabulary.unknown) if len(ids) else 0.0 for part, ids in data.parts().items()}
    unit = {"word": "words", "char": "characters"}[data.vocabulary.tokens]
    return {
        unit: ", ".join(f"{count:,} {part}" for part, count in data.num_tokens.items()),
        "vocabulary": f"{data.vocab_size:,} entries",
        "unknown": ", ".join(f"{share:.1%} {part}" for part, share in unknown.items()),
    }
