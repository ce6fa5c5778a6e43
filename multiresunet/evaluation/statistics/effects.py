"""How large a difference is: means, means of the worst images, effect sizes."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]


def mean(values: Values, weights: Values) -> Values:
    """Weighted mean over the last axis."""
    return np.asarray((values * weights).sum(axis=-1) / weights.sum(axis=-1))


def tail_mean(values: Values, weights: Values, share: float = 0.1) -> Values:
    """Weighted mean of the lowest `share` of the values, over the last axis; an image may count in part."""
    values, weights = np.broadcast_arrays(values, weights)
    order = np.argsort(values, axis=-1, kind="stable")
    values, weights = (np.take_along_axis(each, order, axis=-1) for each in (values, weights))
    reached = weights.cumsum(axis=-1)
    within = np.minimum(reached, share * reached[..., -1:])
    parts = np.diff(within, axis=-1, prepend=0)
    return np.asarray((values * parts).sum(axis=-1) / parts.sum(axis=-1))


def cohen_d(differences: Values) -> float:
    """Effect size of paired differences: their mean in units of their deviation; 0 if all are 0."""
    known = differences[np.isfinite(differences)]
    if known.size < 2:
        return math.nan
    deviation = known.std(ddof=1)
    if deviation < 1e-12:
        return 0.0 if abs(known.mean()) < 1e-12 else math.copysign(math.inf, known.mean())
    return float(known.mean() / deviation)


def wins(differences: Values) -> float:
    """Share of the images on which the first network is better; a tie counts half."""
    known = differences[np.isfinite(differences)]
    return float(((known > 0) + 0.5 * (known == 0)).mean()) if known.size else math.nan
