"""p-values of paired differences, and their correction for how many there are."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from scipy import stats

from multiresunet.evaluation.statistics.effects import Values


def permutation_p(replicates: Values) -> float:
    """Two-sided p-value: the share of permutations, of which the first is the data, at least as far from 0."""
    observed = abs(replicates[0])
    return float((np.abs(replicates) >= observed - 1e-12).mean())


def corrected_error(folds: Values, resolution: float = 0.0) -> tuple[float, int]:
    """Standard error of a mean over cross-validation's folds, and its degrees of freedom (Nadeau & Bengio 2003).

    Folds share training images, so that their plain standard error is too small: 1/k becomes 1/k + n_test/n_train,
    which is 1/(k-1) for k equal folds.

    Args:
        folds: one difference a fold; where it has several trainings, their mean, since none of them is another fold.
        resolution: the step in which the two numbers of a difference are measured. Rounding hides differences within a
            step, so that equal ones aren't certain: their variance is at least the rounding's.

    Returns:
        Not a number with fewer than two folds; 0 if all are equal and measured in no steps.
    """
    count = folds.size
    if count < 2:
        return math.nan, 0
    variance = max(float(folds.var(ddof=1)), variance_of_rounding(resolution))
    return math.sqrt(variance * (1 / count + 1 / (count - 1))), count - 1


def variance_of_rounding(resolution: float) -> float:
    """Variance that a difference has since both numbers are rounded to this step: twice a twelfth of its square."""
    return resolution**2 / 6


def t_interval(centre: float, error: float, freedom: float, confidence: float) -> tuple[float, float, float]:
    """Interval of a value, and its two-sided p-value.

    Without an error there is no knowing how sure a value is: the ends aren't numbers, and p is 1.
    """
    if not error > 1e-12:
        return math.nan, math.nan, 1.0
    reach = float(stats.t.ppf((1 + confidence) / 2, freedom)) * error
    return centre - reach, centre + reach, float(2 * stats.t.sf(abs(centre) / error, freedom))


def holm(p_values: Sequence[float]) -> Values:
    """p-values corrected so that one false finding among them is rare (Holm 1979); what isn't a number stays so."""
    return _corrected(p_values, lambda count: np.arange(count, 0.0, -1), falling=False)


def benjamini_hochberg(p_values: Sequence[float]) -> Values:
    """p-values corrected so that few of the findings are false (Benjamini & Hochberg 1995), for exploring."""
    return _corrected(p_values, lambda count: count / np.arange(1.0, count + 1), falling=True)


def _corrected(p_values: Sequence[float], factors: Callable[[int], Values], *, falling: bool) -> Values:
    """p-values times factors by rank, kept in order from the smallest on, or from the largest on if `falling`."""
    p = np.asarray(p_values, dtype=np.float64)
    corrected = np.full(p.shape, math.nan)
    known = np.flatnonzero(~np.isnan(p))
    order = known[np.argsort(p[known], kind="stable")]
    steps = p[order] * factors(len(order))
    kept = np.minimum.accumulate(steps[::-1])[::-1] if falling else np.maximum.accumulate(steps)
    corrected[order] = np.minimum(kept, 1)
    return corrected
