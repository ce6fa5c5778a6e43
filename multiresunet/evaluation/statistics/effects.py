"""How large a difference is: means of the worst predictions, effect sizes."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]


def known_mean(values: Values) -> float:
    """Mean of the values that are numbers; not a number if none is."""
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else math.nan


def tail_mean(values: Values, share: float = 0.1) -> float:
    """Mean of the lowest `share` of the values; a value may count in part."""
    weights = np.ones((1, values.size))
    return float(lowest_mean(np.sort(values), lambda some: weights[:, some], np.array([share * values.size]))[0])


def lowest_mean(values: Values, weights: Callable[[slice], Values], amounts: Values) -> Values:
    """Weighted means of the lowest values, in several samples at once: of so many that their weights are `amounts`.

    Args:
        values: n of them, sorted.
        weights: from places among them to their weights, samples×places; only as many as are needed are asked for.
        amounts: of weight, one a sample.
    """
    for count in (int(3 * amounts.max()) + 1, values.size):
        some = slice(min(count, values.size))
        reached = weights(some).cumsum(axis=-1)
        if (reached[:, -1] >= amounts).all():
            break
    within = np.minimum(reached, amounts[:, None], out=reached)
    within[:, 1:] -= within[:, :-1].copy()
    return np.asarray(within @ values[some] / amounts)


def cohen_d(differences: Values, smallest: float = 0.0) -> float:
    """Effect size of paired differences: their mean in units of their deviation; 0 if all are 0.

    Args:
        differences: what isn't a number doesn't count.
        smallest: the smallest deviation that can be known.
    """
    known = differences[np.isfinite(differences)]
    if known.size < 2:
        return math.nan
    deviation = max(float(known.std(ddof=1)), smallest)
    if deviation < 1e-12:
        return 0.0 if abs(known.mean()) < 1e-12 else math.copysign(math.inf, known.mean())
    return float(known.mean() / deviation)


def wins(differences: Values) -> float:
    """Share of the images on which the first network is better; a tie counts half."""
    known = differences[np.isfinite(differences)]
    return float(((known > 0) + 0.5 * (known == 0)).mean()) if known.size else math.nan
