"""Pure functions that divide examples into parts: the same arguments always give the same parts."""

import numpy as np


def split_indices(labels: np.ndarray, fraction: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Divides examples into `(kept, held_out)`, two sorted, disjoint int64 arrays of indices that cover all of them.

    Stratified: a class of n examples gives n * fraction of them, rounded down or up so that the total is as near to
    `fraction` as it can be. A class never gives all its examples: one of a single example keeps it.

    Args:
        labels: int [n], the class of each example.
        fraction: share of the examples to hold out, between 0 and 1.
        seed: with the labels and the fraction, it decides the result.
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
    """How many examples each class gives, int64 [num_classes]: the method of largest remainders.

    Rounding each class alone would hold nothing out of many small classes, or far too much; the whole numbers are taken
    first and the examples still missing from the total come from the classes that lost most by rounding down.
    """
    exact = counts * fraction
    sizes = np.floor(exact).astype(np.int64)
    missing = round(counts.sum() * fraction) - sizes.sum()
    most_lost_first = np.argsort(sizes - exact, kind="stable")
    sizes[most_lost_first[:missing]] += 1
    return np.minimum(sizes, np.maximum(counts - 1, 0))


def first_shuffled(count: int, limit: int, seed: int) -> np.ndarray:
    """The first `limit` (or all, if fewer) of 0..count-1 in a random order that depends on `count` and `seed` only."""
    return np.random.default_rng(seed).permutation(count)[:limit]
