"""p-values of paired differences, and their correction for how many there are."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy import stats

from multiresunet.evaluation.statistics.effects import Values


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
