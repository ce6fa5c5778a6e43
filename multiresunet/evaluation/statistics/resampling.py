"""Random samples of whole independent units: bootstrap samples, and the sign flips of permutation tests."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from multiresunet.evaluation.statistics.effects import Values, mean


def units_of(groups: Sequence[str]) -> NDArray[np.int64]:
    """A number for each image that says which of the independent units it belongs to."""
    names = [group or f"\0{index}" for index, group in enumerate(groups)]
    return np.unique(names, return_inverse=True)[1].astype(np.int64)


class Resamples:
    """Bootstrap samples of whole units, drawn once and used for every statistic of a data set."""

    def __init__(self, units: NDArray[np.int64], count: int, seed: int) -> None:
        """Draw `count` samples of as many units as there are.

        Args:
            units: of each image, from `units_of`.
            count: how many samples.
            seed: of the draws.
        """
        self.units = units
        self.number = int(units.max()) + 1
        self._draws = np.random.default_rng(seed).multinomial(
            self.number, np.full(self.number, 1 / self.number), size=count
        )

    @cached_property
    def weights(self) -> Values:
        """How often each sample holds each image: count×N."""
        return np.asarray(self._draws[:, self.units], dtype=np.float64)

    def interval(self, replicates: Values, confidence: float) -> tuple[float, float]:
        """Percentile interval of bootstrap replicates, expanded for few units (Hesterberg 2015, section 3.2).

        The plain percentile interval is too narrow by about √((n-1)/n) and by the difference between t and normal
        quantiles; its levels are moved outwards by that much. Not a number for fewer than three units.
        """
        replicates = replicates[np.isfinite(replicates)]
        if self.number < 3 or not replicates.size:
            return math.nan, math.nan
        quantile = stats.t.ppf((1 + confidence) / 2, self.number - 1) * math.sqrt(self.number / (self.number - 1))
        low, high = np.quantile(replicates, stats.norm.cdf([-quantile, quantile]))
        return float(low), float(high)

    def interval_of_mean(self, values: Values, confidence: float) -> tuple[float, float]:
        """Interval of the mean of one value an image; images whose value isn't a number are left out."""
        known = np.isfinite(values)
        if not known.any():
            return math.nan, math.nan
        weights = self.weights[:, known]
        with np.errstate(invalid="ignore"):  # a sample may hold none of the known ones
            return self.interval(mean(values[known], weights), confidence)


def sign_flips(units: NDArray[np.int64], count: int, seed: int) -> Values:
    """Signs for a paired permutation test: a row a permutation, ±1 for each image, equal within a unit.

    All 2ⁿ of n units if these are no more than `count`, else `count` random ones, of which the first changes nothing.
    """
    number = int(units.max()) + 1
    if number <= math.log2(count):
        every = (np.arange(2**number)[:, None] >> np.arange(number)) & 1
        signs = 1 - 2 * every
    else:
        signs = 1 - 2 * np.random.default_rng(seed).integers(0, 2, size=(count, number))
        signs[0] = 1
    return np.asarray(signs[:, units], dtype=np.float64)
