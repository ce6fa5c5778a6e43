"""Measures of an array in pieces, so that a large one isn't held in memory once more as numbers of eight bytes."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

PIECE = 2**20  # values at a time


class Measures(NamedTuple):
    """Of the finite values of an array; nonfinite is the number of the others. 0 where there are none."""

    minimum: float
    maximum: float
    mean: float
    deviation: float
    nonfinite: int


def pieces(array: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """An array's values in parts: views, if it is contiguous."""
    flat = array.reshape(-1)
    return (flat[start : start + PIECE] for start in range(0, flat.size, PIECE))


def measures(array: NDArray[Any]) -> Measures:
    """Minimum, maximum, mean and standard deviation, in float64, in two passes."""
    low, high, total, count = np.inf, -np.inf, 0.0, 0
    for piece in pieces(array):
        known = _finite(piece)
        if known.size:
            low, high = min(low, float(known.min())), max(high, float(known.max()))
            total, count = total + float(known.sum(dtype=np.float64)), count + known.size
    if not count:
        return Measures(0.0, 0.0, 0.0, 0.0, array.size)
    mean, squares = total / count, 0.0
    for piece in pieces(array):
        squares += float(((_finite(piece).astype(np.float64) - mean) ** 2).sum())
    return Measures(low, high, mean, float(np.sqrt(squares / count)), array.size - count)


def counts_of(array: NDArray[Any]) -> Counter[int]:
    """How many of an integer array's elements have each value."""
    found: Counter[int] = Counter()
    rows = max(1, PIECE // max(1, array[:1].size))
    for start in range(0, len(array), rows):
        slab = array[start : start + rows]
        if slab.dtype == np.uint8:
            counts = np.bincount(slab.ravel(), minlength=256)
            values = np.flatnonzero(counts)
            counts = counts[values]
        else:
            values, counts = np.unique(slab, return_counts=True)
        found.update(dict(zip(values.tolist(), counts.tolist(), strict=True)))
    return found


def digest(array: NDArray[Any]) -> str:
    """SHA-256 of type, shape and values."""
    found = hashlib.sha256(f"{array.dtype}{array.shape}".encode())
    for piece in pieces(array):
        found.update(np.ascontiguousarray(piece).data)
    return found.hexdigest()


def _finite(piece: NDArray[Any]) -> NDArray[Any]:
    return piece if piece.dtype.kind in "biu" else piece[np.isfinite(piece)]
