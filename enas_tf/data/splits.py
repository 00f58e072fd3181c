"""Division of examples into parts by pure functions: the same arguments always give the same parts."""

import numpy as np

#: The share of the validation and of the test part of a text: in pydoc, in a single file, and in a set that lacks them.
SHARE = 0.1


def split_indices(labels: np.ndarray, fraction: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Divide examples into `(kept, held_out)`, two sorted, disjoint int64 arrays of indices that cover all of them.

    The division is stratified: a class of n examples gives n * fraction of them, rounded down or up so that the total
    is as near to `fraction` as it can be. A class never gives all its examples.

    Args:
        labels: int [n], the class of each example.
        fraction: share of the examples to hold out, between 0 and 1.
        seed: the result depends on the labels, the fraction and this seed only.
    """
    random = np.random.default_rng(seed)
    classes, counts = np.unique(labels, return_counts=True)
    held_out = [
        random.permutation(np.flatnonzero(labels == label))[:size]
        for label, size in zip(classes, held_out_sizes(counts, fraction), strict=True)
    ]
    held_out = np.sort(np.concatenate(held_out)) if held_out else np.zeros(0, np.int64)
    return np.setdiff1d(np.arange(len(labels)), held_out, assume_unique=True), held_out


def held_out_sizes(counts: np.ndarray, fraction: float) -> np.ndarray:
    """Return how many examples each class gives, int64 [num_classes], by the method of largest remainders.

    Rounding each class alone would hold out nothing, or far too much, where there are many small classes. So all
    numbers are rounded down first, and what is missing from the total comes from the classes that lost most by it.
    """
    exact = counts * fraction
    sizes = np.floor(exact).astype(np.int64)
    missing = round(counts.sum() * fraction) - sizes.sum()
    most_lost_first = np.argsort(sizes - exact, kind="stable")
    sizes[most_lost_first[:missing]] += 1
    return np.minimum(sizes, np.maximum(counts - 1, 0))


def first_shuffled(count: int, limit: int, seed: int) -> np.ndarray:
    """Return the first `limit` (or all) of 0..count-1 in a random order that depends on `count` and `seed` only."""
    return np.random.default_rng(seed).permutation(count)[:limit]


def cut_end(text: str) -> tuple[str, str]:
    """Split `text` into all but its last tenth and that tenth, between lines, or between words if it is one line."""
    end = int(len(text) * (1 - SHARE))
    start = text.rfind("\n", 0, end) + 1 or text.rfind(" ", 0, end) + 1
    return text[:start], text[start:]
