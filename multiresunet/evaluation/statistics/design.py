"""How two models are compared on a data set: which images and folds are independent, and with which random samples."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from multiresunet.config import Statistics
from multiresunet.evaluation.statistics.effects import Values, cohen_d, tail_mean
from multiresunet.evaluation.statistics.resampling import Resamples, sign_flips
from multiresunet.evaluation.statistics.significance import corrected_t, paired_p, permutation_p


@dataclass(frozen=True)
class Advantage:
    """How much better a model is than a reference.

    low, high: interval of the value. p: two-sided, of no difference. effect: Cohen's d of the paired differences.
    folds: each fold's own value. units: independent images (or folds, where these are what was compared).
    """

    value: float
    low: float
    high: float
    p: float
    effect: float
    folds: tuple[float, ...]
    units: int

    @property
    def agreeing(self) -> float:
        """Share of the folds whose own value is above 0."""
        known = [value for value in self.folds if not math.isnan(value)]
        return sum(value > 0 for value in known) / len(known) if known else math.nan


class ComparisonDesign:
    """What all comparisons on a data set share: its folds and units, and one set of random samples."""

    def __init__(self, folds: NDArray[np.int64], units: NDArray[np.int64], settings: Statistics, seed: int) -> None:
        """Draw the samples.

        Args:
            folds: of each image.
            units: of each image, from `resampling.units_of`.
            settings: how many samples, and the intervals' confidence.
            seed: of the draws.
        """
        self.folds, self.units, self.settings = folds, units, settings
        self.resamples = Resamples(units, settings.resamples, seed)
        self.flips = sign_flips(units, settings.resamples, seed + 1)

    def paired(self, differences: Values) -> Advantage:
        """Mean difference over images; images whose difference isn't a number don't count."""
        known = np.isfinite(differences)
        if not known.any():
            return Advantage(math.nan, math.nan, math.nan, math.nan, math.nan, self._by_fold(differences), 0)
        low, high = self.resamples.interval_of_mean(differences, self.settings.confidence)
        return Advantage(
            float(differences[known].mean()),
            low,
            high,
            paired_p(differences, self.flips),
            cohen_d(differences),
            self._by_fold(differences),
            np.unique(self.units[known]).size,
        )

    def tails(self, model: Values, reference: Values, share: float) -> Advantage:
        """Difference of the two networks' own tail means: each is judged by its own worst images."""

        def difference(first: Values, second: Values, weights: Values) -> Values:
            return tail_mean(first, weights, share) - tail_mean(second, weights, share)

        ones = np.ones_like(model)
        low, high = self.resamples.interval(
            difference(model, reference, self.resamples.weights), self.settings.confidence
        )
        # If there is no difference, the networks may change names on any unit.
        first = np.where(self.flips > 0, model, reference)
        second = np.where(self.flips > 0, reference, model)
        parts = [self.folds == fold for fold in np.unique(self.folds)]
        return Advantage(
            float(difference(model, reference, ones)),
            low,
            high,
            permutation_p(difference(first, second, ones)),
            cohen_d(model - reference),
            tuple(float(difference(model[part], reference[part], ones[part])) for part in parts),
            int(self.units.max()) + 1,
        )

    def over_folds(self, differences: Values) -> Advantage:
        """Mean of one difference a fold, with the correction for training sets that overlap."""
        low, high, p = corrected_t(differences, 1 / (len(differences) - 1), self.settings.confidence)
        effect, folds = cohen_d(differences), tuple(map(float, differences))
        return Advantage(float(differences.mean()), low, high, p, effect, folds, len(folds))

    def _by_fold(self, differences: Values) -> tuple[float, ...]:
        parts = (differences[(self.folds == fold) & np.isfinite(differences)] for fold in np.unique(self.folds))
        return tuple(float(part.mean()) if part.size else math.nan for part in parts)
