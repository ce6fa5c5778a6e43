"""Random samples of whole independent units: bootstrap samples, and the sign flips of permutation tests.

Each is a matrix with a row a sample and a column a unit, in one byte an element: 20,000 samples of 2,594 images are
52 MB.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from multiresunet.evaluation.statistics.effects import Values

Bytes = NDArray[np.int8] | NDArray[np.uint8]

EXACT_UNITS = 16
"""Up to so many units all their sign flips are enumerated, which no random number has a say in."""
CHUNK = 1 << 21  # numbers held as float64 at a time


def units_of(groups: Sequence[str]) -> NDArray[np.int64]:
    """A number for each image that says which of the independent units it belongs to; one without group is its own."""
    names = [group or f"\0{index}" for index, group in enumerate(groups)]
    return np.unique(names, return_inverse=True)[1].astype(np.int64)


def bootstrap(strata: int, size: int, count: int, seed: Sequence[int]) -> NDArray[np.uint8]:
    """How often each bootstrap sample holds each unit: count×(strata·size).

    Args:
        strata: sets of units that are drawn from separately; 1 for a plain bootstrap.
        size: units of a stratum, and how many are drawn from it.
        count: how many samples.
        seed: of the draws.
    """
    rng = np.random.default_rng(seed)
    width, parts = strata * size, []
    for start in range(0, count, rows := max(1, CHUNK // width)):
        some = min(rows, count - start)
        drawn = rng.integers(0, size, (some, strata, size)) + size * np.arange(strata)[:, None]
        places = drawn.reshape(some, width) + width * np.arange(some)[:, None]
        held = np.bincount(places.ravel(), minlength=some * width)
        parts.append(np.minimum(held, 255).astype(np.uint8).reshape(some, width))
    return np.concatenate(parts)


def sign_flips(units: int, count: int, seed: Sequence[int]) -> NDArray[np.int8]:
    """Signs for a paired permutation test: a row a permutation, ±1 for each unit; the first changes nothing.

    All 2ⁿ of up to `EXACT_UNITS` units, else `count` random ones.
    """
    if units <= EXACT_UNITS:
        every = (np.arange(2**units)[:, None] >> np.arange(units)) & 1
        return np.asarray(1 - 2 * every, dtype=np.int8)
    signs = np.random.default_rng(seed).integers(0, 2, (count, units), dtype=np.int8)
    signs[0] = 0
    return 1 - 2 * signs


def chunks(samples: Bytes, width: int) -> Iterator[Values]:
    """The samples as float64, so many rows at a time that `width` numbers a row stay within `CHUNK`."""
    rows = max(1, CHUNK // max(width, 1))
    for start in range(0, len(samples), rows):
        yield samples[start : start + rows].astype(np.float64)


def product(samples: Bytes, of_units: Values) -> Values:
    """Matrix product with a column a quantity, each a number a unit: samples×quantities."""
    return np.concatenate([some @ of_units for some in chunks(samples, samples.shape[1])])
