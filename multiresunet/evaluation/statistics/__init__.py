"""What may be said of a number that comes from few images: intervals, tests, corrections, effect sizes.

Images of one group (a video, a patient) aren't independent: whole groups are drawn and whole groups change sides.
Images without a group each are their own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Values = NDArray[np.float64]


def units_of(groups: Sequence[str]) -> NDArray[np.int64]:
    """A number for each image that says which of the independent units it belongs to."""
    names = [group or f"\0{index}" for index, group in enumerate(groups)]
    return np.unique(names, return_inverse=True)[1].astype(np.int64)


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

        The plain percentile interval is too narrow by about √((n-1)/n) and by what tells t from normal quantiles;
        its levels are moved outwards by just that. Not a number for fewer than three units.
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


def permutation_p(replicates: Values) -> float:
    """Two-sided p-value: the share of permutations, of which the first is the data, at least as far from 0."""
    observed = abs(replicates[0])
    return float((np.abs(replicates) >= observed - 1e-12).mean())


def paired_p(differences: Values, flips: Values) -> float:
    """p-value of a paired test on the mean difference, whole units changing sign together.

    1 where there is nothing to compare; differences that aren't numbers are left out.
    """
    known = np.isfinite(differences)
    if not known.any():
        return 1.0
    return permutation_p(flips[:, known] @ differences[known])


def corrected_t(differences: Values, test_share: float, confidence: float) -> tuple[float, float, float]:
    """Interval and two-sided p-value of a mean over cross-validation's folds (Nadeau & Bengio 2003).

    Folds share training images, so that their plain standard error is too small: 1/k becomes 1/k + n_test/n_train.

    Args:
        differences: one a fold.
        test_share: n_test/n_train; 1/(k-1) for k equal folds.
        confidence: of the interval.

    Returns:
        Lower and upper end, and p; not a number with fewer than two folds.
    """
    folds = len(differences)
    if folds < 2:
        return math.nan, math.nan, math.nan
    centre = float(differences.mean())
    error = float(differences.std(ddof=1)) * math.sqrt(1 / folds + test_share)
    reach = float(stats.t.ppf((1 + confidence) / 2, folds - 1)) * error
    if error < 1e-12:
        return centre, centre, 1.0 if abs(centre) < 1e-12 else 0.0
    return centre - reach, centre + reach, float(2 * stats.t.sf(abs(centre) / error, folds - 1))


def holm(p_values: Sequence[float]) -> Values:
    """p-values corrected for their number (Holm 1979); what isn't a number stays so and doesn't count."""
    p = np.asarray(p_values, dtype=np.float64)
    corrected = np.full(p.shape, math.nan)
    known = np.flatnonzero(~np.isnan(p))
    order = known[np.argsort(p[known], kind="stable")]
    steps = p[order] * np.arange(len(order), 0, -1)
    corrected[order] = np.minimum(np.maximum.accumulate(steps), 1) if len(order) else steps
    return corrected


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
